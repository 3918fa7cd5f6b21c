"""nestling schema: the GraphQL contract as text, or a check that schema.graphql or clients' documents are in step."""

from pathlib import Path
from typing import Annotated

import typer


def schema(
    *,
    check: Annotated[bool, typer.Option("--check", help="Change nothing; fail when schema.graphql is stale.")] = False,
    documents: Annotated[
        Path | None, typer.Option("--documents", help="Check a manifest of trusted documents and change nothing.")
    ] = None,
) -> None:
    """Write schema.graphql from the code. It is generated, never edited."""
    if documents is not None:
        _check_documents(documents)
        return
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


def _check_documents(path: Path) -> None:
    """Say which documents of a manifest this schema and its limits refuse, and why; the exit code is 1 then."""
    from api.schema import build_schema
    from api.trusted import UntrustedManifest, flaws, read_manifest
    from nestling.words import counted

    try:
        listed = read_manifest(path)
    except UntrustedManifest as wrong:
        typer.echo(str(wrong), err=True)
        raise typer.Exit(1) from None
    found = flaws(listed, build_schema())
    for said in found:
        typer.echo(f"{path}: {said}", err=True)
    if found:
        raise typer.Exit(1)
    typer.echo(f"{path}: {counted(len(listed), 'document')}, all usable")
