"""Parameters: values of a statement and their placeholders, so that no value ever becomes SQL."""


class Parameters(list[object]):
    """Grows while a statement is put together: `parameters(value)` answers the value's `$n`."""

    def __call__(self, value: object) -> str:
        self.append(value)
        return f"${len(self)}"
