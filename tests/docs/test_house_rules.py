"""House rules of STYLE.md that no linter knows."""

import ast
import importlib
import inspect
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tortoise.models import Model

from domain.database import MODEL_MODULES
from tests.conftest import LONG

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("api", "workers", "channels", "domain")
LONGEST_MODULE = 400  # lines; the rule says about 250, and beyond this it is not "about" any more
TIMES = {"datetime.now", "datetime.utcnow", "datetime.today", "date.today", "time.time"}
MAY_KNOW_THE_TIME = {
    "domain/platform/clock.py",
    "channels/sms_http.py",  # a provider's Retry-After may be a date: the difference to now is the wait
}
MAY_TAKE_BOTH_CLOCKS = {
    "api/pages/web.py:_clock_note",  # says on the page that they differ
    "domain/platform/clock.py:business_now",  # the one is the other and what was added
    "domain/gateway/claims.py:claim",  # a lease runs on one, and what expires on the other is told to it in its own
}


@cache
def _parsed(room: str) -> dict[str, ast.Module]:
    paths = sorted((ROOT / room).rglob("*.py"))
    return {path.relative_to(ROOT).as_posix(): ast.parse(path.read_text(encoding="utf-8")) for path in paths}


def _modules(*rooms: str) -> Iterator[tuple[str, ast.Module]]:
    for room in rooms:
        yield from _parsed(room).items()


def _dotted(tree: ast.Module) -> set[str]:
    """Every `name.attribute` in the module."""
    return {
        f"{node.value.id}.{node.attr}"
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
    }


def _imported(tree: ast.Module) -> set[str]:
    names = {
        f"{node.module}.{n.name}" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for n in node.names
    }
    return names | {n.name for node in ast.walk(tree) if isinstance(node, ast.Import) for n in node.names}


def test_only_the_clock_knows_the_time() -> None:
    found = {name: _dotted(tree) & TIMES for name, tree in _modules(*ROOMS)}
    assert {name for name, times in found.items() if times} <= MAY_KNOW_THE_TIME


def _words(function: ast.AST) -> set[str]:
    nodes = list(ast.walk(function))
    return {n.id for n in nodes if isinstance(n, ast.Name)} | {n.attr for n in nodes if isinstance(n, ast.Attribute)}


def test_no_function_takes_both_clocks() -> None:
    """Their moments lie years apart in the demo: whoever has both may compare them by mistake."""
    both = {
        f"{name}:{node.name}"
        for name, tree in _modules(*ROOMS, "nestling")
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        if "real_now" in _words(node) and _words(node) & {"business_now", "business_day", "business_offset"}
    }
    assert both == MAY_TAKE_BOTH_CLOCKS


def test_only_the_clock_tells_the_day_of_a_moment() -> None:
    """`business_day` is the house's day, or a family's, for everybody; `local_day` that of any moment."""
    tellers = {
        name
        for name, tree in _modules(*ROOMS, "nestling")
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(".date")
        if ".astimezone(" in ast.unparse(node.func)
    }
    assert tellers == {"domain/platform/clock.py"}


def test_what_the_desk_and_the_store_page_refuse_is_said_in_chinese_too() -> None:
    """Every verb that their documents ask for lives here."""
    silent = [
        f"{name}:{node.lineno}"
        for name, tree in _modules("domain")
        if name.startswith("domain/care/") or name in {"domain/people/reveals.py", "domain/platform/idempotency.py"}
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) in {"ValidationError.of", "FieldError"}
        if len(node.args) < 3 and not any(isinstance(given, ast.Starred) for given in node.args)
    ]
    assert silent == []


def test_only_the_front_door_reads_the_environment() -> None:
    """workers/scoring/job.py only sets a variable, for the libraries of its child process."""
    readers = [
        name for name, tree in _modules(*ROOMS) if {"os.environ", "os.getenv"} & (_dotted(tree) | _imported(tree))
    ]
    assert readers == ["workers/scoring/job.py"]


def test_only_ids_makes_ids() -> None:
    makers = [
        name
        for name, tree in _modules(*ROOMS)
        if any(
            word.rpartition(".")[2] in {"uuid1", "uuid4", "uuid6", "uuid7"} for word in _imported(tree) | _dotted(tree)
        )
    ]
    assert makers == ["domain/platform/ids.py"]


def test_no_module_outgrows_a_reader() -> None:
    lengths = {
        name: (ROOT / name).read_text(encoding="utf-8").count("\n") for name, _ in _modules(*ROOMS, "nestling", "bench")
    }
    assert {name: lines for name, lines in lengths.items() if lines > LONGEST_MODULE} == {}


def test_no_table_has_a_tenant() -> None:
    forbidden = {"tenant", "tenant_id", "brand_id", "operator_id", "organisation_id", "organization_id"}
    for module in MODEL_MODULES:
        for model in vars(importlib.import_module(module)).values():
            if inspect.isclass(model) and issubclass(model, Model) and model is not Model:
                assert not forbidden & set(model._meta.fields_map), model.__name__


def test_the_long_tests_that_are_given_out_first_are_there() -> None:
    assert [name for name in LONG if not (ROOT / name).exists()] == []
