# ruff: noqa: SLF001 - a backend of tortoise reads what tortoise's own backends read
"""Tortoise's PostgreSQL backend, with transactions that give their connection back however they begin and end.

Tortoise's own keeps the connection, and the task's place in the transaction, when BEGIN fails or is cancelled: the pool
runs dry, its closing waits for ever, and whatever the task does next is a savepoint on a dead connection.
"""

from typing import Any

import asyncpg
from tortoise.backends.asyncpg.client import AsyncpgDBClient, TransactionWrapper
from tortoise.backends.base.client import TransactionalDBClient, TransactionContext, TransactionContextPooled
from tortoise.connection import get_connections
from tortoise.exceptions import TransactionManagementError


class Transaction(TransactionContextPooled):
    """A connection of the pool from BEGIN to COMMIT or ROLLBACK."""

    async def __aenter__(self) -> TransactionalDBClient:
        await self.ensure_connection()
        self.client._connection = await self.client._parent._pool.acquire()
        self.token = get_connections().set(self.connection_name, self.client)
        try:
            await self.client.begin()
        except BaseException:
            await self._give_back()
            raise
        return self.client

    async def __aexit__(self, kind: object, failure: object, trace: object) -> None:
        try:
            if kind is None:
                await self.client.commit()
            elif kind is not TransactionManagementError:  # that one failed already
                await self.client.rollback()
        finally:
            await self._give_back()

    async def _give_back(self) -> None:
        """The pool rolls back what is open, or drops the connection, and never both keeps and forgets it."""
        get_connections().reset(self.token)
        if self.client._parent._pool:
            await self.client._parent._pool.release(self.client._connection)


class Client(AsyncpgDBClient):
    async def create_pool(self, **settings: Any) -> asyncpg.Pool:
        return await super().create_pool(reset=_as_it_is, **settings)

    def _in_transaction(self) -> TransactionContext:
        return Transaction(TransactionWrapper(self), self._pool_init_lock)


async def _as_it_is(_connection: asyncpg.Connection) -> None:
    """To ask the server for a reset is a round trip after each statement, and nothing here outlives its transaction.

    Settings and locks are `SET LOCAL` and `pg_advisory_xact_lock`; what is open is rolled back before this is called.
    """


client_class = Client
