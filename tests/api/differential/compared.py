"""Whether two answers are the same: data with the order of its keys, errors by place and code."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from tests.api.differential.builder import NOON
from tests.api.differential.fields import BUSINESS_NOW
from tests.api.differential.reference import Told

MOST_ERRORS = 50  # that the API shows
Path = tuple[str | int, ...]


def difference(body: Mapping[str, Any], told: Told) -> str:
    """The first difference between an answer and what it must be; empty when there is none."""
    data = body.get("data")
    found = _data(data, told.data, ())
    if found:
        return found
    errors = [(tuple(one.get("path", ())), one["extensions"]["code"]) for one in body.get("errors", ())]
    return _errors(errors, told, data)


def _data(got: Any, wanted: Any, path: Path) -> str:
    if wanted == BUSINESS_NOW:
        ago = abs(datetime.fromisoformat(got) - NOON)
        return "" if ago < timedelta(hours=1) else f"at {path}: {got} is not the business clock"
    if isinstance(wanted, dict) and isinstance(got, dict):
        if list(got) != list(wanted):
            return f"at {path}: keys {list(got)}, wanted {list(wanted)}"
        return next((found for key in wanted if (found := _data(got[key], wanted[key], (*path, key)))), "")
    if isinstance(wanted, list) and isinstance(got, list):
        if len(got) != len(wanted):
            return f"at {path}: {len(got)} items, wanted {len(wanted)}: {got} {wanted}"
        pairs = enumerate(zip(got, wanted, strict=True))
        return next((found for place, (a, b) in pairs if (found := _data(a, b, (*path, place)))), "")
    is_same = got == wanted and isinstance(got, bool) == isinstance(wanted, bool)
    return "" if is_same else f"at {path}: {got!r}, wanted {wanted!r}"


def _errors(got: Sequence[tuple[Path, str]], told: Told, data: Any) -> str:
    """Below a place that was nulled each side may have stopped at another error: that it is broken is what counts."""
    mine, theirs = _placed(got, data), _placed(told.errors, data)
    for key, codes in told.codes.items():  # a refused root field: any of its reasons
        place = ((key,), True)
        if data is not None and mine.get(place, [""])[0] in codes and place in theirs:
            theirs[place] = mine[place]
    if len(got) == MOST_ERRORS:
        return (
            ""
            if all(theirs.get(place) == codes for place, codes in mine.items())
            else f"errors {mine}, wanted {theirs}"
        )
    return "" if mine == theirs else f"errors {mine}, wanted {theirs}"


def _placed(errors: Sequence[tuple[Path, str]], data: Any) -> dict[tuple[Path, bool], list[str]]:
    """(place, whether the error is of that very place) -> its codes; one below a null counts by the null's place."""
    found: dict[tuple[Path, bool], list[str]] = {}
    for path, code in errors:
        place = _null_on(path, data)
        codes = found.setdefault((place, place == path), [])
        if place == path or (code == "INTERNAL_ERROR" and not codes):
            codes.append(code)
    return {place: sorted(codes) for place, codes in found.items()}


def _null_on(path: Path, data: Any) -> Path:
    for length, step in enumerate(path):
        if data is None:
            return path[:length]
        data = data[step]
    return path
