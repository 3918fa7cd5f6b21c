"""Properties, written once and run twice: a few examples with every test, very many in `make long`."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis.strategies import SearchStrategy

MANY = 20_000


def holds_for(
    *strategies: SearchStrategy[Any], examples: int = 100, many: int = MANY
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Make a plain function of drawn values a test of `examples` of them, and a `long` one of `many`."""

    def make(fact: Callable[..., None]) -> Callable[..., None]:
        runs = [
            pytest.param(examples, id="few"),
            pytest.param(many, id="many", marks=[pytest.mark.long, pytest.mark.timeout(600)]),
        ]

        @pytest.mark.parametrize("count", runs)
        def test(count: int) -> None:
            prove(fact, *strategies, examples=count)

        test.__name__, test.__doc__, test.__module__ = fact.__name__, fact.__doc__, fact.__module__
        return test

    return make


def prove(fact: Callable[..., None], *strategies: SearchStrategy[Any], examples: int) -> None:
    """Raise what `fact` raised for the smallest values that break it. No deadline: machines are slow at times."""

    slow = [HealthCheck.too_slow, HealthCheck.data_too_large]
    settings(max_examples=examples, deadline=None, suppress_health_check=slow)(given(*strategies)(fact))()
