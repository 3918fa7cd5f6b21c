"""Constraints that say the same thing on every table."""

from enum import Enum

from tortoise.migrations.constraints import CheckConstraint


def one_of(table: str, column: str, values: type[Enum]) -> CheckConstraint:
    """The column holds a member of the enum, whoever writes it: the ORM, COPY or a person in psql."""
    names = ", ".join(f"'{member.value}'" for member in values)
    return CheckConstraint(name=f"{table}_{column}_known", check=f"{column} IN ({names})")


def probability(table: str, column: str) -> CheckConstraint:
    """The column is null or a float in [0, 1]."""
    return CheckConstraint(name=f"{table}_{column}_probability", check=f"{column} BETWEEN 0 AND 1")
