"""The demo's own files in the data folder: its keys, its logins, its logs, and who is serving."""

import contextlib
import fcntl
import json
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nestling.embedded.failures import explain
from nestling.opening import NotReady
from nestling.settings import DEFAULT_KEY, DEMO_FILE, KEYS, Environment, Settings

WRITTEN = (DEMO_FILE, "simulator.json", ".writable", "demo.lock")


def write_whole(path: Path, text: str, *, mode: int = 0o600) -> None:
    """Write the file so that a reader sees the old text or the new one, never half."""
    handle, scratch = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w") as file:
            file.write(text)
        Path(scratch).chmod(mode)
        Path(scratch).replace(path)
    except BaseException:
        Path(scratch).unlink(missing_ok=True)
        raise


class Place:
    """The data folder of one demo."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir.resolve()
        self.logs = self.data_dir / "logs"
        self.simulator_log = self.data_dir / "simulator.jsonl"
        self._secrets = self.data_dir / "demo.json"
        self.written: dict[str, str] = {}

    def make(self) -> None:
        """The folder, made where it is missing. Where that fails, no folder stands that did not stand before."""
        missing = [folder for folder in (self.logs, *self.logs.parents) if not folder.exists()]
        try:
            self.logs.mkdir(parents=True, exist_ok=True)
            write_whole(self.data_dir / ".writable", "")
        except OSError as error:
            for folder in missing:
                with contextlib.suppress(OSError):
                    folder.rmdir()
            raise explain(error, self.data_dir) from error

    def settle(self, settings: Settings, **known: str) -> Settings:
        """The demo's settings: keys made once and kept, and where its providers are this time. Written for other
        commands in this folder too, so that `nestling score` beside the demo hashes and signs as it does."""
        kept = {name: secrets.token_urlsafe(36) for name in (*KEYS, "SMS_TOKEN")} | self.secrets().get("keys", {})
        self.remember(keys=kept)
        given = {name: getattr(settings, name).get_secret_value() for name in KEYS}
        kept |= {name: value for name, value in given.items() if value != DEFAULT_KEY}
        self.written = values = {"ENVIRONMENT": Environment.DEMO.value, **kept, **known}
        write_whole(self.data_dir / DEMO_FILE, "".join(f"{name}={value}\n" for name, value in values.items()))
        return Settings.model_validate({**settings.model_dump(), **values})

    def secrets(self) -> dict[str, Any]:
        try:
            known: dict[str, Any] = json.loads(self._secrets.read_text())
        except (FileNotFoundError, ValueError):
            return {}
        return known

    def remember(self, **values: Any) -> None:
        write_whole(self._secrets, json.dumps({**self.secrets(), **values}, indent=1))

    def write_simulator_secrets(self, settings: Settings) -> Path:
        """The simulator's side of the keys; a file, because everybody may read a command line."""
        path = self.data_dir / "simulator.json"
        secrets_of = {"token": settings.SMS_TOKEN, "webhook_secret": settings.SMS_WEBHOOK_SECRET}
        write_whole(path, json.dumps({name: value.get_secret_value() for name, value in secrets_of.items()}))
        return path

    def serving(self) -> dict[str, Any] | None:
        """What the demo that serves from this folder says of itself; None when none does."""
        try:
            with (self.data_dir / "demo.lock").open("r+") as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
                except BlockingIOError:
                    return {"url": "", **json.loads(file.read() or "{}")}
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            pass  # whoever makes the folder finds out, and says it in words
        return None

    def is_served(self) -> bool:
        return self.serving() is not None

    def refuse_second(self) -> None:
        """Raise NotReady while a demo runs in this folder. Touches nothing."""
        serving = self.serving()
        if serving is not None:
            where = serving["url"]
            raise NotReady(
                f"A demo runs in this folder already{f': {where}' if where else ''}. Stop it (Ctrl-C there), or set "
                "DATA_DIR and PORT for a second one."
            )

    @contextmanager
    def alone(self) -> Iterator[None]:
        """One demo at a time in a folder; the kernel forgets the one that was killed."""
        handle = os.open(self.data_dir / "demo.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            self.refuse_second()
            raise NotReady("A demo of this folder has just ended. Run the same command again.") from None
        try:
            os.ftruncate(handle, 0)
            yield
        finally:
            os.ftruncate(handle, 0)
            os.close(handle)

    def announce(self, url: str) -> None:
        """Called by the demo that holds `alone`: where it serves."""
        (self.data_dir / "demo.lock").write_text(json.dumps({"url": url, "pid": os.getpid()}))

    def clear(self) -> None:
        """Remove what the demo wrote here, its keys too, and the folder when nothing else is in it."""
        for path in (self._secrets, self.simulator_log, *(self.data_dir / name for name in WRITTEN)):
            path.unlink(missing_ok=True)
        shutil.rmtree(self.logs, ignore_errors=True)
        with contextlib.suppress(OSError):
            self.data_dir.rmdir()
