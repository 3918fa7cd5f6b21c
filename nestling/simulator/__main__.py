"""python -m nestling.simulator: runs until SIGTERM. Prints one JSON line when it listens."""

import argparse
import asyncio
import json
import os
import signal
from pathlib import Path

from aiosmtpd.smtp import SMTP

from nestling.processes import end_with_supervisor
from nestling.simulator.callbacks import Callbacks
from nestling.simulator.log import Log, read
from nestling.simulator.mail import Catcher
from nestling.simulator.script import SCRIPTS
from nestling.simulator.sms import Memory, SmsProvider
from nestling.simulator.web import serve


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m nestling.simulator", description=__doc__)
    parser.add_argument("--log", type=Path, required=True, help="the append-only JSON Lines log")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--http-port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--smtp-port", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--script", choices=sorted(SCRIPTS), default="demo")
    parser.add_argument("--memory", choices=[one.value for one in Memory], default=Memory.KEYED.value)
    parser.add_argument("--webhook-url", default="", help="where receipts and replies go; empty: nowhere")
    parser.add_argument(
        "--secrets", type=Path, required=True, help='a file with {"token": ..., "webhook_secret": ...}; never in argv'
    )
    parser.add_argument("--ready-file", type=Path)
    return parser.parse_args()


async def main() -> None:
    given = arguments()
    secrets = json.loads(given.secrets.read_text())
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    known = list(read(given.log))
    log = Log(given.log)
    callbacks = Callbacks(given.webhook_url, secrets["webhook_secret"])
    provider = SmsProvider(
        log, known, SCRIPTS[given.script], given.seed, secrets["token"], callbacks, Memory(given.memory)
    )
    web = await serve(provider.handle, given.host, given.http_port)
    mail = await loop.create_server(
        lambda: SMTP(Catcher(log), loop=loop, hostname="simulator", ident="Nestling simulator"),
        given.host,
        given.smtp_port,
    )
    ready = {
        "http_port": web.sockets[0].getsockname()[1],
        "smtp_port": mail.sockets[0].getsockname()[1],
        "pid": os.getpid(),
        "log": str(given.log.resolve()),
    }
    print(json.dumps(ready), flush=True)
    if given.ready_file:
        part = given.ready_file.with_suffix(".part")
        part.write_text(json.dumps(ready))
        part.replace(given.ready_file)
    await stop.wait()
    web.close()
    mail.close()
    await callbacks.close()
    await log.close()


if __name__ == "__main__":
    end_with_supervisor()
    asyncio.run(main())
