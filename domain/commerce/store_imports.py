"""Stores out of files: found by their code, made when the file names them."""

from collections.abc import Iterable
from uuid import UUID

from domain.database import connection
from domain.platform.ids import new_id

OWN_STORES = "Own stores"
"""The distributor of stores that a file brings; a person may move them to another."""


async def stores_by_code(source: str, named: Iterable[tuple[str, str | None]], time_zone: str) -> dict[str, UUID]:
    """Ids of the stores with these codes in the source; one that is unknown but has a name is created."""
    wanted: dict[str, str | None] = {}
    for code, name in named:
        wanted[code] = wanted.get(code) or name
    found = await _found(source, list(wanted))
    missing = sorted(code for code, name in wanted.items() if name and code not in found)
    if not missing:
        return found
    await connection().execute_query(
        "INSERT INTO distributors (id, name) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING", [new_id(), OWN_STORES]
    )
    await connection().execute_query(
        "INSERT INTO stores (id, source, external_id, name, time_zone, distributor_id) "
        "SELECT g.id, $1, g.code, g.name, $2, d.id "
        "FROM unnest($3::uuid[], $4::text[], $5::text[]) AS g (id, code, name) "
        "JOIN distributors d ON d.name = $6 ON CONFLICT (source, external_id) DO NOTHING",
        [source, time_zone, [new_id() for _ in missing], missing, [wanted[code] for code in missing], OWN_STORES],
    )
    return await _found(source, list(wanted))


async def _found(source: str, codes: list[str]) -> dict[str, UUID]:
    rows = await connection().execute_query_dict(
        "SELECT external_id, id FROM stores WHERE source = $1 AND external_id = ANY($2::text[])", [source, codes]
    )
    return {row["external_id"]: row["id"] for row in rows}
