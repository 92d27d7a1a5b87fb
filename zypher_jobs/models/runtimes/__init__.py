"""Runtimes: each runs one kind of model; all behind the ``Runtime`` protocol."""

from typing import Any, Protocol

from zypher_jobs.models.definition import ModelDefinition


class Runtime(Protocol):
    """What runs one model."""

    @property
    def definition(self) -> ModelDefinition:
        """What the model is; known before it is loaded."""
        ...

    def load(self) -> None:
        """Get ready; called once, in a thread. What it raises makes the model unready."""
        ...

    async def run(self, input: Any, timeout_s: float) -> Any:
        """One prediction without blocking the event loop; raises ``ModelError`` or ``PredictionTimeout``."""
        ...
