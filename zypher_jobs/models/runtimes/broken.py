"""Stands for a model that cannot be made: it is listed with the reason, and never ready."""

from collections.abc import Sequence
from typing import Any

from zypher_jobs.errors import ModelNotReady, ZypherError
from zypher_jobs.models.call import Call
from zypher_jobs.models.definition import ModelDefinition


class BrokenRuntime:
    """A model of which only the name is known, and what keeps it from being served."""

    __slots__ = ("_error", "definition")

    def __init__(self, name: str, error: ZypherError) -> None:
        self.definition = ModelDefinition(
            name=name,
            version="1",
            description="Cannot be served.",
            input_type=Any,
            output_type=Any,
            input_schema={},
            output_schema={},
            input_example=None,
            output_example=None,
        )
        self._error = error

    def load(self) -> None:
        """Raises what keeps it from being served."""
        raise self._error

    def unload(self) -> None:
        """Nothing to let go."""

    async def run(self, calls: Sequence[Call]) -> Sequence[Any]:
        """Never called: it is never ready."""
        _ = calls
        raise ModelNotReady(self._error.message)
