"""nestling schema: the GraphQL contract as text, or a check that schema.graphql is in step."""

from typing import Annotated

import typer


def schema(
    *,
    check: Annotated[bool, typer.Option("--check", help="Change nothing; fail when schema.graphql is stale.")] = False,
) -> None:
    """Write schema.graphql from the code. It is generated, never edited."""
    from api.schema import schema_sdl
    from nestling import LAYERS

    path = LAYERS / "schema.graphql"
    text = schema_sdl()
    if check:
        stale = not path.exists() or path.read_text() != text
        typer.echo("schema.graphql is stale: run nestling schema" if stale else "schema.graphql: in step")
        raise typer.Exit(1 if stale else 0)
    path.write_text(text)
    typer.echo(f"wrote {path}")
