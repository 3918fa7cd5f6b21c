"""The one command line. A group is a file here; heavy rooms are imported when a command runs, not when this starts."""

import sys

import typer
from rich.console import Console

from nestling.cli import care, demo, doctor, duplicates, import_, members, migrate, schema, score, serve, users

app = typer.Typer(
    name="nestling",
    help="Nestling, the open-source omnichannel CRM for families.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
    add_completion=False,
)
app.add_typer(demo.app, name="demo")
app.add_typer(care.app, name="care")
app.add_typer(duplicates.app, name="duplicates")
app.command("serve")(serve.serve)
app.command("worker")(serve.worker)
app.command("migrate")(migrate.migrate)
app.command("schema")(schema.schema)
app.add_typer(users.users, name="user")
app.add_typer(users.tokens, name="token")
app.add_typer(members.app, name="member")
app.command("import")(import_.import_)
app.command("score")(score.score)
app.command("doctor")(doctor.doctor)


def main() -> None:
    """Run the command line. What a person can mend is told in words, without a traceback."""
    from pydantic import ValidationError

    from nestling.embedded.failures import EmbeddedFailed, NotInstalled
    from nestling.migrations import AnotherVersion
    from nestling.opening import NotReady
    from nestling.processes import end_with_supervisor

    end_with_supervisor()
    try:
        app()
    except NotInstalled as missing:
        Console(stderr=True, soft_wrap=True).print(str(missing), style="bold", markup=False)
        sys.exit(2)
    except (EmbeddedFailed, NotReady, AnotherVersion) as failed:
        Console(stderr=True, soft_wrap=True).print(str(failed), style="bold", markup=False)
        sys.exit(1)
    except ValidationError as wrong:
        if wrong.title != "Settings":
            raise
        lines = [f"- {'.'.join(map(str, flaw['loc']))}: {flaw['msg']}" for flaw in wrong.errors(include_input=False)]
        told = "\n".join(["Settings that cannot be:", *lines, "Correct them in the environment or in .env."])
        Console(stderr=True, soft_wrap=True).print(told, style="bold", markup=False)
        sys.exit(1)
    except Exception as error:
        if type(error).__name__ != "DiskFullError":  # PostgreSQL's, by whichever library
            raise
        said = "The disk of the database is full. Free some space there and run the same command again: it goes on."
        Console(stderr=True, soft_wrap=True).print(said, style="bold", markup=False)
        sys.exit(1)
