"""What a serving demo tells: scripts by a file, a newcomer on the terminal."""

import json
import os
from dataclasses import dataclass
from pathlib import Path

from nestling.demo.carers import GRACE
from nestling.demo.place import Place, write_whole
from nestling.demo.progress import Progress
from nestling.opening import NotReady
from nestling.settings import Settings
from nestling.words import this_command


@dataclass(frozen=True, slots=True)
class Login:
    """An account of the demo; the password is made for this installation and shown at its own terminal only."""

    login: str
    password: str
    role: str


def check_ready_file(path: Path) -> None:
    """Say now, not after two minutes of work, that the file cannot be written. Touches nothing: a demo that runs may
    have written it, and we may yet be refused."""
    if not path.parent.is_dir():
        raise NotReady(f"No folder {path.parent} for the ready-file.")
    if not os.access(path.parent, os.W_OK):
        raise NotReady(f"No permission to write the ready-file in {path.parent}.")
    if path.is_dir():
        raise NotReady(f"{path} is a folder: name a file for the ready-file.")


def remove_ready_file(path: Path, supervisor: int) -> None:
    """Remove the file of the demo with this process id; one that another demo wrote since is left alone."""
    try:
        told = json.loads(path.read_text())
    except (OSError, ValueError):
        return
    pids = told.get("pids") if isinstance(told, dict) else None
    if isinstance(pids, dict) and pids.get("supervisor") == supervisor:
        path.unlink(missing_ok=True)


def write_ready_file(path: Path, settings: Settings, place: Place, pids: dict[str, int]) -> None:
    """One JSON object, there at once or not at all."""
    url = settings.public_url
    ready = {
        "url": url,
        "graphql": f"{url}/graphql",
        "outbox": f"{url}/outbox",
        "tokens": place.secrets().get("tokens", {}),
        "database_url": settings.DATABASE_URL,
        "simulator_log": str(place.simulator_log),
        "pids": pids,
    }
    write_whole(path, json.dumps(ready, indent=1) + "\n")


def tell(settings: Settings, place: Place, progress: Progress) -> None:
    """The URLs, the logins and three things to try."""
    url = settings.public_url
    logins = [Login(**login) for login in place.secrets().get("logins", [])]
    tokens: dict[str, str] = place.secrets().get("tokens", {})
    phone = place.secrets().get("example_phone", "")
    digits = place.secrets().get("store_phone", phone)[-4:]
    say = progress.line
    say("")
    say(f"Nestling serves at {url}")
    for what, path in (
        ("consultant's desk", "/desk"),
        ("store page", "/store"),
        ("outbox", "/outbox"),
        ("GraphQL", "/graphql"),
    ):
        say(f"  {what:<18} {url}{path}")
    say("Logins")
    for login in logins:
        say(f"  {login.role.lower():<18} {login.login}  {login.password}")
    say("Three things to try")
    say(f"  1. Open {url}/desk as the consultant, take the next call-back, see why, and log how it went.")
    say(f"  2. Open {url}/store as the advisor and look for {digits}, the last digits of a phone.")
    say(f"     Then {url}/outbox: every message as the member sees it, and why others were not sent.")
    say("  3. Read one family's whole profile by phone, as the server of a shop does:")
    query = '{"query":"{ member(phone: \\"' + phone + '\\") { id name babies { nickname } } }"}'
    say(f"     curl -s {url}/graphql -H 'Authorization: Bearer {tokens.get('frontend', '')}' \\")
    say(f"       -H 'Content-Type: application/json' -d '{query}'")
    say("  Two babies and a grandmother on one phone, a merge to try and to take back, a loss, a segment and its why:")
    say(f"     docs/people.md has the operations for {url}/graphql; on {url}/store look for {GRACE.phone[2:]}.")
    say(f"  Then let a week pass, in another terminal: {this_command()} demo advance 7d")
    say("Ctrl-C ends it and keeps its data.")
