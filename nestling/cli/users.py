"""nestling user and nestling token: who may enter, and with what."""

import asyncio
from collections.abc import Coroutine
from contextlib import closing
from datetime import timedelta
from typing import Annotated, Any, TypeVar
from uuid import UUID

import typer

from nestling.settings import settings
from nestling.words import counted

users = typer.Typer(no_args_is_help=True, help="Accounts of staff.")
tokens = typer.Typer(no_args_is_help=True, help="API tokens of services and of staff.")

Login = Annotated[str, typer.Argument(help="The login, in lower case.")]
T = TypeVar("T")


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
    from domain.platform.tokens import TokenNotFound

    if isinstance(answer, (AccountNotFound, LoginTaken, TokenNotFound)):
        typer.echo((answer.__doc__ or type(answer).__name__).strip().splitlines()[0], err=True)
        raise typer.Exit(1)
    if isinstance(answer, ValidationError):
        typer.echo(" ".join(error.message for error in answer.errors), err=True)
        raise typer.Exit(1)
    typer.echo(said)


@users.command("add")
def add_user(
    login: Login,
    role: Annotated[str, typer.Option(help="consultant, advisor, store_manager, operator, analyst or auditor.")],
    *,
    staff: Annotated[str, typer.Option(help="external id of her row in staff: gives her scope.")] = "",
    language: Annotated[str, typer.Option(help="en or zh-Hans")] = "en",
    password: Annotated[str, typer.Option(prompt=True, confirmation_prompt=True, hide_input=True)],
) -> None:
    """Make an account; its password is asked for."""
    _told(_with_database(_add(login, password, role, staff, language)), f"{login.lower()} may sign in.")


async def _add(login: str, password: str, role: str, staff: str, language: str) -> object:
    from domain.commerce.staff import Staff
    from domain.platform.accounts import create_account
    from domain.platform.failures import ValidationError
    from domain.platform.roles import Role

    if role.upper() not in Role.__members__:
        return ValidationError.of("role", f"There is no role {role}.")
    person = await Staff.get_or_none(external_id=staff) if staff else None
    if staff and person is None:
        return ValidationError.of("staff", f"There is no staff with the external id {staff}.")
    return await create_account(
        login, password, Role[role.upper()], staff_id=person.id if person else None, language=language
    )


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
    """Make a token. It is shown this once; only its hash is kept."""
    from domain.platform.tokens import Issued, issue_personal_token, issue_service_token

    ttl = timedelta(days=days)
    issued = _with_database(issue_personal_token(login, name, ttl=ttl) if login else issue_service_token(name, ttl=ttl))
    _told(issued, issued.secret if isinstance(issued, Issued) else "")


@tokens.command("list")
def list_tokens() -> None:
    """Every token that works, by its first characters; members' 15-minute tokens left out."""
    from domain.platform.roles import Role
    from domain.platform.tokens import ApiToken

    async def rows() -> list[ApiToken]:
        return await ApiToken.filter(revoked_at__isnull=True).exclude(role=Role.MEMBER).order_by("created_at")

    for token in _with_database(rows()):
        until = f"until {token.expires_at:%Y-%m-%d}" if token.expires_at else "for ever"
        typer.echo(f"{token.id}  {token.prefix}…  {token.role.value:<14} {until}  {token.name}")


@tokens.command("revoke")
def revoke(token_id: Annotated[UUID, typer.Argument(help="As `nestling token list` shows it.")]) -> None:
    """Revoke a token: it stops working within 30 seconds."""
    from domain.platform.tokens import revoke_token

    _told(_with_database(revoke_token(token_id)), "It is revoked.")
