"""nestling user and nestling token: who may enter, and with what."""

import asyncio
from collections.abc import Coroutine
from contextlib import closing
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any, TypeVar
from uuid import UUID

import typer

from domain.platform.roles import Role
from nestling.settings import settings
from nestling.words import counted, this_command

if TYPE_CHECKING:
    from domain.platform.tokens import ApiToken, TokenNotFound

users = typer.Typer(no_args_is_help=True, help="Accounts of staff.")
tokens = typer.Typer(no_args_is_help=True, help="API tokens of services and of staff.")

Login = Annotated[str, typer.Argument(help="The login, in lower case.")]
T = TypeVar("T")
ROLES = [role.value.lower() for role in Role if role not in (Role.MEMBER, Role.FRONTEND)]
LANGUAGES = ["en", "zh-Hans"]


def _role(text: str) -> str:
    """Asked before the password is, so that nobody types one twice for nothing."""
    if text.lower() not in ROLES:
        raise typer.BadParameter(f"There is no role {text} for people: one of {', '.join(ROLES)}.")
    return text.upper()


def _language(text: str) -> str:
    found = {name.lower(): name for name in LANGUAGES}.get(text.lower())
    if found is None:
        raise typer.BadParameter(f"The pages are not in {text}: one of {', '.join(LANGUAGES)}.")
    return found


def _with_database(work: Coroutine[Any, Any, T]) -> T:
    """Run one verb with the database open."""
    from nestling.opening import database, services

    async def run() -> T:
        async with database(opened):
            return await work

    with closing(work), services(settings(), say=lambda said: typer.echo(said, err=True)) as opened:
        return asyncio.run(run())


def _told(answer: object, said: str) -> None:
    """Say what was done; a named failure is said in its own words, and the command fails."""
    from domain.platform.accounts import AccountNotFound, LoginTaken
    from domain.platform.failures import ValidationError

    if isinstance(answer, (AccountNotFound, LoginTaken)):
        typer.echo((answer.__doc__ or type(answer).__name__).strip().splitlines()[0], err=True)
        raise typer.Exit(1)
    if isinstance(answer, ValidationError):
        typer.echo(" ".join(error.message for error in answer.errors), err=True)
        raise typer.Exit(1)
    typer.echo(said)


@users.command("add")
def add_user(
    login: Login,
    role: Annotated[str, typer.Option(help=f"One of {', '.join(ROLES)}.", callback=_role)],
    *,
    staff: Annotated[str, typer.Option(help="external id of her row in staff: gives her scope.")] = "",
    language: Annotated[str, typer.Option(help=f"One of {', '.join(LANGUAGES)}.", callback=_language)] = "en",
    password: Annotated[str, typer.Option(prompt=True, confirmation_prompt=True, hide_input=True)],
) -> None:
    """Make an account; its password is asked for."""
    _told(_with_database(_add(login, password, role, staff, language)), f"{login.lower()} may sign in.")


async def _add(login: str, password: str, role: str, staff: str, language: str) -> object:
    from domain.commerce.staff import Staff
    from domain.platform.accounts import create_account
    from domain.platform.failures import ValidationError

    person = await Staff.get_or_none(external_id=staff) if staff else None
    if staff and person is None:
        return ValidationError.of("staff", f"There is no staff with the external id {staff}.")
    return await create_account(login, password, Role(role), staff_id=person.id if person else None, language=language)


@users.command("password")
def change_password(
    login: Login,
    *,
    password: Annotated[str, typer.Option(prompt=True, confirmation_prompt=True, hide_input=True)],
) -> None:
    """Change a password; it is asked for. Every session of the account ends."""
    from domain.platform.accounts import set_password

    _told(_with_database(set_password(login, password)), f"{login.lower()} has a new password.")


@users.command("shut")
def shut(login: Login) -> None:
    """Shut an account out, with its sessions and tokens."""
    from domain.platform.accounts import set_active

    _told(_with_database(set_active(login, is_active=False)), f"{login.lower()} may not sign in.")


@users.command("open")
def open_again(login: Login) -> None:
    """Let an account in again."""
    from domain.platform.accounts import set_active

    _told(_with_database(set_active(login, is_active=True)), f"{login.lower()} may sign in.")


@users.command("list")
def list_users() -> None:
    """Every account: login, role, whether it may sign in."""
    from domain.platform.accounts import Account

    async def rows() -> list[Account]:
        return await Account.all().order_by("login")

    for account in _with_database(rows()):
        marks = ("" if account.is_active else "  shut") + ("  demo" if account.is_demo else "")
        typer.echo(f"{account.login:<32} {account.role.value:<14}{marks}")


@users.command("disable-demo")
def disable_demo() -> None:
    """Shut every demo account out and revoke every demo token: what production asks for."""
    accounts, revoked = _with_database(_disable_demo())
    typer.echo(f"{counted(accounts, 'account')} shut, {counted(revoked, 'token')} revoked.")


async def _disable_demo() -> tuple[int, int]:
    from domain.platform.accounts import Account, set_active
    from domain.platform.tokens import ApiToken, revoke_token

    accounts = await Account.filter(is_demo=True, is_active=True)
    for account in accounts:
        await set_active(account.login, is_active=False)
    open_tokens = await ApiToken.filter(is_demo=True, revoked_at__isnull=True)
    for token in open_tokens:
        await revoke_token(token.id)
    return len(accounts), len(open_tokens)


@tokens.command("add")
def add_token(
    name: Annotated[str, typer.Argument(help="What it is for; shown in lists.")],
    *,
    login: Annotated[str, typer.Option(help="A person's, with her rights; without it a frontend service's.")] = "",
    days: Annotated[int, typer.Option(min=1, max=3660, help="How long it works.")] = 365,
) -> None:
    """Make a token. It is shown this once, alone on the standard output; only its hash is kept."""
    from domain.platform.tokens import Issued, issue_personal_token, issue_service_token

    ttl = timedelta(days=days)
    issued = _with_database(issue_personal_token(login, name, ttl=ttl) if login else issue_service_token(name, ttl=ttl))
    _told(issued, issued.secret if isinstance(issued, Issued) else "")
    if isinstance(issued, Issued):  # not where a script reads the secret
        typer.echo(f"Its id: {issued.id}. To revoke it: {this_command()} token revoke {issued.id}", err=True)


@tokens.command("list")
def list_tokens() -> None:
    """Every token that works, by its first characters; members' 15-minute tokens left out."""
    for token in _with_database(_listed()):
        _show(token)


async def _listed(**which: Any) -> "list[ApiToken]":
    from domain.platform.tokens import ApiToken

    return await ApiToken.filter(revoked_at__isnull=True, **which).exclude(role=Role.MEMBER).order_by("created_at")


def _show(token: "ApiToken", *, err: bool = False) -> None:
    until = f"until {token.expires_at:%Y-%m-%d}" if token.expires_at else "for ever"
    typer.echo(f"{token.id}  {token.prefix}…  {token.role.value:<14} {until}  {token.name}", err=err)


@tokens.command("revoke")
def revoke(
    token: Annotated[str, typer.Argument(help="Its id or its name, as `nestling token list` shows them.")],
) -> None:
    """Revoke a token: it stops working within 30 seconds. Where several have the name, they are told and none is."""
    answer = _with_database(_revoke(token))
    if isinstance(answer, list):
        typer.echo(f"{len(answer)} tokens are named {token}: revoke one by its id.", err=True)
        for one in answer:
            _show(one, err=True)
        raise typer.Exit(1)
    if not isinstance(answer, UUID):
        told = f"No token that works has the id or the name {token}. Those that work: {this_command()} token list"
        typer.echo(told, err=True)
        raise typer.Exit(1)
    typer.echo("It is revoked.")


async def _revoke(token: str) -> "UUID | TokenNotFound | list[ApiToken]":
    from domain.platform.tokens import TokenNotFound, revoke_token

    named = await _listed(name=token)
    if len(named) > 1:
        return named
    try:
        return await revoke_token(named[0].id if named else UUID(token))
    except ValueError:
        return TokenNotFound()
