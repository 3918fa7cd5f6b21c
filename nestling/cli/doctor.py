"""nestling doctor: what is well, what is not, and what to do."""

import asyncio

import typer
from rich.console import Console

from nestling.settings import settings


def doctor() -> None:
    """Look at services, migrations, queue, clock and providers, and say what to do. Fails when something is ill."""
    from nestling import doctor as looks
    from nestling.opening import servers

    console = Console(highlight=False, soft_wrap=True)
    found = looks.look_at_machine(settings())
    with servers(settings(), redis=True) as opened:
        found += asyncio.run(looks.look_at_database(opened))
        found += looks.look_at_redis(opened)
    found += looks.look_at_providers(settings())
    signs = {looks.Health.WELL: "✓", looks.Health.WORTH_KNOWING: "·", looks.Health.ILL: "✗"}
    for finding in found:
        console.print(f"{signs[finding.health]} {finding.subject:<11} {finding.told}", markup=False)
        if finding.remedy:
            console.print(f"  {'':<11} → {finding.remedy}", markup=False)
    ill = sum(finding.health is looks.Health.ILL for finding in found)
    console.print("All is well." if not ill else f"{ill} to mend.", markup=False)
    raise typer.Exit(1 if ill else 0)
