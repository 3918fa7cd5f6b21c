"""Several operations as one: tortoise copies and rebuilds its state of all tables for each operation of a migration."""

from tortoise.migrations.operations import TortoiseOperation
from tortoise.migrations.schema_editor.base import BaseSchemaEditor
from tortoise.migrations.schema_generator.state import State


class _Gathered(State):
    """A state that is rebuilt once, when all is said."""

    def reload_model(self, app_label: str, model_name: str) -> None: ...

    def reload_models(self, model_tuples: object) -> None: ...


class Together(TortoiseOperation):
    """In order, in one step; backwards in the reverse order.

    For operations that find their tables in the state after all of them: CreateModel and AddConstraint do.
    """

    def __init__(self, *operations: TortoiseOperation) -> None:
        self.operations = operations

    def describe(self) -> str:
        return "; ".join(operation.describe() for operation in self.operations)

    def state_forward(self, app_label: str, state: State) -> None:
        gathered = _Gathered(models=state.models, apps=state.apps)
        for operation in self.operations:
            operation.state_forward(app_label, gathered)
        state.reload_models(list(state.models))

    async def database_forward(
        self, app_label: str, old_state: State, new_state: State, state_editor: BaseSchemaEditor | None = None
    ) -> None:
        for operation in self.operations:
            await operation.database_forward(app_label, old_state, new_state, state_editor)

    async def database_backward(
        self, app_label: str, old_state: State, new_state: State, state_editor: BaseSchemaEditor | None = None
    ) -> None:
        for operation in reversed(self.operations):
            await operation.database_backward(app_label, old_state, new_state, state_editor)
