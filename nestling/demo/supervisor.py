"""`nestling demo`: servers, first run, processes; then it watches over them until Ctrl-C."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import asyncpg
import httpx

from nestling.demo.children import Child, Children
from nestling.demo.dispatch import Dispatch, dispatch_state, wait_for_dispatch
from nestling.demo.place import Place
from nestling.demo.preflight import choose_port, refuse_given_database, refuse_without_extras
from nestling.demo.progress import Progress
from nestling.demo.ready import check_ready_file, remove_ready_file, tell, write_ready_file
from nestling.embedded.postgres import EmbeddedPostgres, start_postgres
from nestling.embedded.processes import free_port
from nestling.embedded.redis import EmbeddedRedis, start_redis
from nestling.opening import NotReady
from nestling.processes import LIFELINE
from nestling.settings import NO_REDIS, Settings

LOOK_SECONDS = 0.3
SERVE_PATIENCE_SECONDS = 60.0
DISPATCH_PATIENCE_SECONDS = 60.0


def run_demo(settings: Settings, *, ready_file: Path | None, households: int | None) -> None:
    """Make what is missing, serve, and return after Ctrl-C (or SIGTERM): every process ended, all data kept."""
    refuse_without_extras(settings)
    if settings.is_production:
        raise NotReady("ENVIRONMENT=production: the demo makes accounts and data of its own and never runs there.")
    progress = Progress()
    place = Place(settings.DATA_DIR)
    # All that can be refused is refused before anything is made: a folder that did not exist still does not.
    place.refuse_second()
    if ready_file is not None:
        check_ready_file(ready_file)
    asyncio.run(refuse_given_database(settings))
    settings = settings.model_copy(update={"PORT": choose_port(settings, progress)})
    place.make()
    with _signals_end_it(), place.alone(), ExitStack() as running:
        if ready_file is not None:  # only here: whoever is refused above leaves the file of the one that runs
            ready_file.unlink(missing_ok=True)
        demo = Demo(settings, place, progress, ready_file)
        running.callback(demo.stop)
        try:
            demo.open_servers()
            demo.prepare(households)
            demo.serve()
            demo.watch()
        except KeyboardInterrupt:
            progress.line("\nStopping; the data stays.")


class Demo:
    """One run: its servers, its children, and what it tells."""

    def __init__(self, settings: Settings, place: Place, progress: Progress, ready_file: Path | None) -> None:
        self.settings = settings
        self.place = place
        self.progress = progress
        self.ready_file = ready_file
        self.postgres: EmbeddedPostgres | None = None
        self.redis: EmbeddedRedis | None = None
        self.children = Children()
        self.first_run = False

    def open_servers(self) -> None:
        """PostgreSQL and Redis, embedded where no URL is set, and the settings that everything after this reads."""
        found: dict[str, str] = {"DATABASE_URL": self.settings.DATABASE_URL, "REDIS_URL": self.settings.REDIS_URL}
        if not self.settings.DATABASE_URL:
            with self.progress.step("PostgreSQL") as say:
                self.postgres = start_postgres(self.settings.DATA_DIR, say=self.progress.line)
                found["DATABASE_URL"] = self.postgres.url
                say(f"embedded, port {self.postgres.url.rpartition(':')[2].partition('/')[0]}")
        if self.settings.REDIS_URL == NO_REDIS:
            found["REDIS_URL"] = ""
            self.progress.line("No Redis, as REDIS_URL says: workers look for work every second.")
        elif not self.settings.REDIS_URL:
            self.redis = start_redis(self.settings.DATA_DIR, say=self.progress.line)
            if self.redis is not None:
                found["REDIS_URL"] = self.redis.url
                self.progress.line("✓ Redis: embedded")
        kept = self.place.secrets().get("ports", {})
        ports = {name: free_port(kept.get(name, 0), patience=0.2) for name in ("simulator", "mail")}
        self.place.remember(ports=ports)
        providers = {
            "PORT": str(self.settings.PORT),
            "SMS_URL": f"http://127.0.0.1:{ports['simulator']}/messages",
            "SMS_TEST_PROVIDER": "true",
            "SMS_HONOURS_KEYS": "true",
            "SMS_LOOK_UP": "true",
            "SMTP_HOST": "127.0.0.1",
            "SMTP_PORT": str(ports["mail"]),
            "SMTP_STARTTLS": "false",
            "SMS_TIMEOUT": "3",
            "SMTP_TEST_PROVIDER": "true",
        }
        self.settings = self.place.settle(self.settings, **providers).model_copy(update=found)

    def environment(self) -> dict[str, str]:
        """The settings as the children read them."""
        return {
            "DATABASE_URL": self.settings.DATABASE_URL,
            "REDIS_URL": self.settings.REDIS_URL or NO_REDIS,
            "DATA_DIR": str(self.place.data_dir),
            "PUBLIC_URL": self.settings.public_url,
            "HOST": self.settings.HOST,
            **self.place.written,
        }

    def prepare(self, households: int | None) -> None:
        """The steps of the first run, in a process of their own: what they load into memory goes with it."""
        command = [sys.executable, "-m", "nestling", "demo", "prepare"]
        if households is not None:
            command += ["--households", str(households)]
        before = self._finished()
        environment = {**os.environ, **self.environment(), LIFELINE: str(self.children.lifeline)}
        started = subprocess.Popen(
            command,
            env=environment,
            start_new_session=True,
            pass_fds=(self.children.lifeline,),
            stdin=subprocess.DEVNULL,
        )
        with _ended(started) as preparing:
            if preparing.wait() != 0:
                raise NotReady("The first run did not finish; what is done stays done. Run the same command to go on.")
        self.first_run = self._finished() != before

    def _finished(self) -> int:
        async def count() -> int:
            reader = await asyncpg.connect(self.settings.DATABASE_URL)
            try:
                if await reader.fetchval("SELECT to_regclass('demo_steps')") is None:
                    return 0
                return int(await reader.fetchval("SELECT count(*) FROM demo_steps"))
            finally:
                await reader.close()

        return asyncio.run(count())

    def serve(self) -> None:
        """Start the processes, wait until they answer, tell where."""
        ports = self.place.secrets()["ports"]
        simulator = ["nestling.simulator", "--log", str(self.place.simulator_log)]
        simulator += ["--http-port", str(ports["simulator"]), "--smtp-port", str(ports["mail"])]
        simulator += ["--webhook-url", f"{self.settings.public_url}/hooks/sms_http"]
        simulator += ["--secrets", str(self.place.write_simulator_secrets(self.settings))]
        commands = {"simulator": simulator, "api": ["nestling", "serve"], "worker": ["nestling", "worker"]}
        for name, arguments in commands.items():
            self.children.add(Child(name, arguments, self.environment(), self.place.logs / f"{name}.log"))
        with self.progress.step("Web server"):
            self._wait_until_ready()
        if self.first_run:
            with self.progress.step("Dispatch of the first day's messages") as say:
                self._wait_for_dispatch(say)
        self.tell_scripts()
        self.place.announce(self.settings.public_url)
        tell(self.settings, self.place, self.progress)

    def tell_scripts(self) -> None:
        if self.ready_file is not None:
            write_ready_file(self.ready_file, self.settings, self.place, self.pids())

    def pids(self) -> dict[str, int]:
        """Every process by name; `supervisor`, this one, ends all the others on SIGINT or SIGTERM."""
        servers = {"postgres": self.postgres, "redis": self.redis}
        named = {name: server.pid for name, server in servers.items() if server is not None}
        return {"supervisor": os.getpid()} | self.children.pids() | named

    def _wait_until_ready(self) -> None:
        until = time.monotonic() + SERVE_PATIENCE_SECONDS
        said = "it does not answer"
        while time.monotonic() < until:
            self.children.mend()
            with contextlib.suppress(httpx.HTTPError):
                answer = httpx.get(f"http://{self.settings.HOST}:{self.settings.PORT}/ready", timeout=5)
                if answer.status_code == 200:
                    return
                said = answer.text[:500]
            time.sleep(0.1)
        raise NotReady(f"The web server is not ready: {said}. Its log: {self.place.logs / 'api.log'}")

    def _wait_for_dispatch(self, say: Callable[[str], None]) -> None:
        """Until nothing waits for its first attempt. What a provider delays or leaves open goes on while we serve."""

        async def look() -> Dispatch:
            self.children.mend()
            return await dispatch_state(self.settings.DATABASE_URL)

        asyncio.run(wait_for_dispatch(look, say, DISPATCH_PATIENCE_SECONDS))

    def watch(self) -> None:
        """Until Ctrl-C: start again whatever dies."""
        while True:
            time.sleep(LOOK_SECONDS)
            changed = self._mend_servers()
            revived = self.children.mend()
            for name in revived:
                self.progress.line(f"The {name} process died and was started again.")
            if changed or revived:
                self.tell_scripts()

    def _mend_servers(self) -> bool:
        """A server that died is started again; where it came back elsewhere, every process reads the new settings."""
        dead = [server for server in (self.postgres, self.redis) if server is not None and not server.is_alive()]
        if not dead:
            return False
        before = self.environment()
        if self.postgres in dead:
            self.postgres = start_postgres(self.settings.DATA_DIR, say=self.progress.line)
            self.settings = self.settings.model_copy(update={"DATABASE_URL": self.postgres.url})
            self.progress.line("PostgreSQL died and was started again.")
        if self.redis in dead:
            self.redis = start_redis(self.settings.DATA_DIR, say=self.progress.line)
            self.settings = self.settings.model_copy(update={"REDIS_URL": self.redis.url if self.redis else ""})
            self.progress.line("Redis died and was started again.")
        for server in dead:
            server.stop()  # our share of the dead one; the new one stays
        if self.environment() != before:
            self.children.restart_with(self.environment())
        return True

    def stop(self) -> None:
        """End everything this run started; safe at any point of it."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if self.ready_file is not None:  # first: who reads it afterwards would be sent to what is ending
            remove_ready_file(self.ready_file, os.getpid())
        self.children.stop()
        for server in (self.redis, self.postgres):
            if server is not None:
                server.stop()


@contextmanager
def _signals_end_it() -> Iterator[None]:
    """SIGTERM and SIGHUP end the demo as Ctrl-C does."""

    def interrupt(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _ended(process: subprocess.Popen[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    """The process is gone afterwards, whatever happened."""
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
