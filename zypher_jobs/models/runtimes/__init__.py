"""Runtimes: each runs one kind of model; all behind the ``Runtime`` protocol."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol, runtime_checkable

from zypher_jobs.models.call import Call
from zypher_jobs.models.definition import ModelDefinition


class Runtime(Protocol):
    """What runs one version of one model."""

    @property
    def definition(self) -> ModelDefinition:
        """What the model is; known before it is loaded. A ``Reconnecting`` one may have another after each ``load``."""
        ...

    def load(self) -> None:
        """Get ready; called in a thread. What it raises makes the model unready. May come again after ``unload``."""
        ...

    async def run(self, calls: Sequence[Call]) -> Sequence[Any]:
        """The outputs, in order, without blocking the event loop; one call where the model takes one.

        Raises ``ModelError`` or another ``PredictionFailed`` for all of them. Where ``definition.concurrency`` is not
        ``None`` no more than so many of these are made at once, and somebody else watches the deadlines; else it keeps
        the call's deadline itself and raises ``PredictionTimeout``. A call that is canceled need not be finished.
        """
        ...

    def unload(self) -> None:
        """Let go of its memory, its threads, its processes; called in a thread, when nothing runs any more."""
        ...


@runtime_checkable
class Reconnecting(Protocol):
    """A runtime whose model is elsewhere, and may be away.

    ``load`` raises ``Unavailable`` then, and is called again until it does not.
    """

    def when_away(self, tell: Callable[[str], None]) -> None:
        """Call ``tell``, on the event loop, with the reason when it goes away after it was loaded."""
        ...


@runtime_checkable
class Restarting(Protocol):
    """A runtime whose model may be down for a while after it was loaded, and comes up again by itself."""

    def when_down(self, tell: Callable[[str | None], None]) -> None:
        """Call ``tell``, from any thread, with the reason when it goes down and with ``None`` when it is up again."""
        ...
