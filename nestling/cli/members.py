"""nestling member: what a person may ask for by letter, done by an operator at the terminal."""

import asyncio
import os
from collections.abc import Coroutine
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar
from uuid import UUID

import typer

from nestling.settings import settings

if TYPE_CHECKING:
    from domain.platform.actors import Actor

app = typer.Typer(no_args_is_help=True, help="Hand out or erase what is known of one member.")

Who = Annotated[str, typer.Argument(help="Her id: Member:... of the API, or the id itself.")]
Login = Annotated[str, typer.Option("--as", help="Login of the operator who does it; stands in the audit.")]
T = TypeVar("T")


@app.command("export")
def export(
    member: Who,
    *,
    login: Login,
    to: Annotated[Path, typer.Option("--to", help="The file to write; it must not exist.")],
) -> None:
    """Write everything about a member into a JSON file that only you can read."""
    from domain.people.exports import MemberExported
    from domain.people.exports import export as export_member

    async def work() -> object:
        return await export_member(await _actor(login), _member(member))

    if to.exists():
        raise typer.BadParameter(f"{to} exists: name another file.", param_hint="--to")
    answer = _run(work())
    if not isinstance(answer, MemberExported):
        _refuse(answer)
    else:
        with os.fdopen(os.open(to, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(answer.document)
        typer.echo(f"{len(answer.document.encode()):,} bytes in {to}")


@app.command("erase")
def erase(
    member: Who,
    *,
    login: Login,
    reason: Annotated[str, typer.Option(help="MEMBER_ASKED, GUARDIAN_ASKED, RETENTION_OVER, NOT_A_PERSON or LAW.")],
    reference: Annotated[str, typer.Option(help="Number of the letter or ticket; never a name.")] = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Erase a member for good, after showing what would go. There is no undo."""
    from domain.people.erasures import ErasureAsked, ErasureReason, MemberErased, ask
    from domain.people.erasures import erase as erase_member

    if reason.upper() not in ErasureReason.__members__:
        raise typer.BadParameter(f"One of {', '.join(ErasureReason.__members__)}.", param_hint="--reason")

    async def work() -> object:
        actor, member_id = await _actor(login), _member(member)
        asked = await ask(actor, member_id, ErasureReason(reason.upper()), reference)
        if not isinstance(asked, ErasureAsked):
            return asked
        typer.echo(f"Goes with her: babies {asked.babies}, waiting messages {asked.messages}.")
        typer.echo(f"Stays without her: orders {asked.orders}.")
        if not yes:
            typer.confirm("Erase her for good?", abort=True)
        return await erase_member(actor, member_id, asked.key)

    answer = _run(work())
    if isinstance(answer, MemberErased):
        typer.echo(f"Erased. The number of this erasure: {answer.erasure_id}")
    else:
        _refuse(answer)


@app.command("check-proof")
def check_proof(
    proof: Annotated[
        Path, typer.Argument(help="A file that `proveConsent` of the API wrote.", exists=True, dir_okay=False)
    ],
) -> None:
    """Say whether a proof of consent is as this installation wrote it, word for word."""
    from domain.gateway import suppressions
    from domain.people.consent_proofs import is_genuine

    suppressions.use_key(settings().ADDRESS_HASH_KEY.get_secret_value().encode())
    if not is_genuine(proof.read_text("utf-8", errors="replace")):
        typer.echo(
            "Not genuine: it was changed, or another installation (another ADDRESS_HASH_KEY) wrote it.", err=True
        )
        raise typer.Exit(1)
    typer.echo("Genuine: this installation wrote it as it is.")


def _run(work: Coroutine[Any, Any, T]) -> T:
    from nestling.opening import database, services

    async def run() -> T:
        async with database(opened):
            return await work

    with closing(work), services(settings(), say=lambda said: typer.echo(said, err=True)) as opened:
        return asyncio.run(run())


async def _actor(login: str) -> "Actor":
    from domain.platform.credentials import by_login

    found = await by_login(login)
    if found is None:
        raise typer.BadParameter(f"No account that may sign in has the login {login}.", param_hint="--as")
    return found.actor


def _member(text: str) -> UUID:
    try:
        return UUID(text.removeprefix("Member:"))
    except ValueError:
        raise typer.BadParameter("This is no id of a member, such as Member:0190...", param_hint="MEMBER") from None


def _refuse(answer: object) -> None:
    """A named failure in words; the command fails."""
    from domain.platform.failures import NotPermitted, ValidationError

    told = (answer.__doc__ or type(answer).__name__).strip().splitlines()[0]
    if isinstance(answer, NotPermitted):
        told = f"The account's role lacks {answer.permission}: take an operator's."
    if isinstance(answer, ValidationError):
        told = " ".join(error.message for error in answer.errors)
    typer.echo(told, err=True)
    raise typer.Exit(1)
