"""What the process counts. No label holds anything of a person."""

from collections.abc import Sequence
from functools import lru_cache

from prometheus_client import Counter, Histogram

OPERATIONS = Counter("nestling_graphql_operations_total", "GraphQL operations answered.", ["operation", "outcome"])
SECONDS = Histogram("nestling_graphql_seconds", "Time to answer a GraphQL operation.", ["operation"])
STATEMENTS = Counter("nestling_graphql_statements_total", "SQL statements that reads sent.")
FALLBACK = Counter("nestling_fallback_total", "Operations, or parts of them, that graphql-core completed.", ["reason"])
REQUESTS = Counter("nestling_http_requests_total", "HTTP requests answered.", ["method", "status"])
SUBSCRIPTIONS = Counter("nestling_graphql_subscriptions_total", "Subscriptions opened.")


@lru_cache(maxsize=256)
def _operations(kind: str, outcome: str) -> Counter:
    return OPERATIONS.labels(kind, outcome)


@lru_cache(maxsize=16)
def _seconds(kind: str) -> Histogram:
    return SECONDS.labels(kind)


@lru_cache(maxsize=256)
def requests(method: str, status: int) -> Counter:
    """The counter of HTTP requests of one kind; finding it by its labels costs more than counting."""
    return REQUESTS.labels(method, str(status))


def operation(kind: str, codes: Sequence[str], seconds: float, statements: int) -> None:
    """Count an operation; its outcome is OK or the code of its first error."""
    _operations(kind, codes[0] if codes else "OK").inc()
    _seconds(kind).observe(seconds)
    STATEMENTS.inc(statements)
