"""nestling migrate: the database to the newest migration, or a check that code, migrations and database agree."""

import asyncio
from typing import Annotated

import typer

from nestling.settings import settings


def migrate(
    *,
    check: Annotated[bool, typer.Option("--check", help="Change nothing; fail when something is not in step.")] = False,
    draft: Annotated[str, typer.Option(help="Write a migration of this name from the tables, to be reviewed.")] = "",
) -> None:
    """Bring the database to the newest migration; one process at a time, others wait."""
    from nestling import migrations
    from nestling.opening import servers

    if check:
        found = asyncio.run(migrations.drift())
        for line in found:
            typer.echo(f"no migration says: {line}")
        if settings().DATABASE_URL:
            missing = asyncio.run(migrations.pending(settings().DATABASE_URL))
            found += missing
            for name in missing:
                typer.echo(f"pending: {name}")
        typer.echo("migrations: not in step" if found else "migrations: in step")
        raise typer.Exit(1 if found else 0)
    if draft:
        drafted = asyncio.run(migrations.draft(draft))
        typer.echo(f"review {drafted} and add its constraints" if drafted else "migrations: in step, nothing to write")
        return
    with servers(settings()) as opened:
        done = asyncio.run(migrations.migrate(opened.DATABASE_URL))
    if done.adopted:
        typer.echo(f"migrations: found what {', '.join(done.adopted)} make, from before the first release")
    typer.echo(f"migrations: applied {', '.join(done.applied)}" if done.applied else "migrations: nothing to do")
