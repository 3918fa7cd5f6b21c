"""nestling duplicates: who may be one person. The worker looks every night; this is for after an import."""

import asyncio
from typing import TYPE_CHECKING

import typer
from rich.console import Console

from nestling.settings import Settings, settings
from nestling.words import counted

if TYPE_CHECKING:
    from domain.people.duplicates import Found

app = typer.Typer(no_args_is_help=True, help="Members who may be one person: found, and put before an operator.")


@app.callback()
def duplicates() -> None:
    """A group with one command; more will follow."""


@app.command("find")
def find_duplicates() -> None:
    """Look at every member whose name, contacts or children changed since the last look. Merges nobody."""
    from nestling.opening import services

    with services(settings()) as opened:
        found = asyncio.run(_find(opened))
    show(found, Console())


async def _find(opened: Settings) -> "Found":
    from domain.people.duplicates import find
    from nestling.opening import database

    async with database(opened):
        return await find()


def show(found: "Found", console: Console) -> None:
    """How many were looked at and what came of it, and where it is decided."""
    told = f"{counted(found.looked, 'member')} looked at, {counted(found.suggested, 'new pair')} to decide"
    console.print(f"{told}: mergeSuggestions in GraphQL has them all." if found.suggested else f"{told}.", markup=False)
