"""Runs a model in child processes, which can be killed: at a deadline, a cancellation or a limit.

``concurrency`` children, one run in each at a time. A child that was killed or crashed is followed by another one at
once; the failure costs those that ran in it, and nobody else.
"""

import logging
import sys
import threading
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from zypher_jobs.errors import InvalidInput, ModelDefinitionError, ModelError, ModelNotReady
from zypher_jobs.models.call import Call
from zypher_jobs.models.definition import ModelDefinition, place_of
from zypher_jobs.models.model import Model
from zypher_jobs.models.runtimes.children import Children
from zypher_jobs.models.runtimes.frames import ClassPlace, Hello, ManifestPlace
from zypher_jobs.models.runtimes.turn import Turn

_encode = msgspec.msgpack.Encoder().encode


class ProcessRuntime:
    """The children of one model."""

    __slots__ = ("_children", "_chunk_of", "_lock", "_output_of", "_place", "_tell", "definition")

    def __init__(self, place: ClassPlace | ManifestPlace, definition: ModelDefinition) -> None:
        """``place`` is where a child finds the model."""
        # each child warms up by itself, also those that come later
        self.definition = msgspec.structs.replace(definition, has_own_example=False)
        self._place = place
        self._output_of = msgspec.msgpack.Decoder[Any](definition.output_type).decode
        self._chunk_of = msgspec.msgpack.Decoder[Any](definition.chunk_type if definition.streams else Any).decode
        self._children: Children | None = None
        self._lock = threading.Lock()
        self._tell: Callable[[str | None], None] = _unheard

    def when_down(self, tell: Callable[[str | None], None]) -> None:
        """See ``Restarting``."""
        self._tell = tell

    def load(self) -> None:
        """Start the children; raises why one did not load or warm up."""
        self.unload()
        hello = Hello(
            model=self._place,
            path=sys.path,
            log_level=logging.getLevelName(logging.getLogger("zypher").getEffectiveLevel()).lower(),
        )
        children = Children(self.definition, hello, self._tell)
        with self._lock:
            self._children = children
        children.start()

    def unload(self) -> None:
        """Let the children unload and end; one that does not is killed."""
        with self._lock:
            children, self._children = self._children, None
        if children is not None:
            children.stop()

    async def run(self, calls: Sequence[Call]) -> Sequence[Any]:
        """See ``Runtime``; raises ``ModelCrashed`` and ``OutOfMemory`` too, ``ModelNotReady`` while no child starts."""
        try:
            inputs = [msgspec.Raw(_encode(call.input)) for call in calls]
        except (TypeError, ValueError, OverflowError, RecursionError) as error:
            text = f"The input cannot be sent to the model's process: {error}."
            raise InvalidInput(text) if len(calls) == 1 else ModelError(text) from error
        children = self._children
        if children is None:
            raise ModelNotReady(f"Model {self.definition.name!r} is not ready: it is not loaded.")
        return await Turn(calls, inputs, children, output_of=self._output_of, chunk_of=self._chunk_of).outputs()


def _unheard(_: str | None) -> None:
    """Nobody asked."""


def place_of_class(model_class: type[Model[Any, Any]]) -> ClassPlace:
    """Its module and its name; raises ``ModelDefinitionError`` where a child could not import it by them."""
    module, name = model_class.__module__, model_class.__qualname__
    found: Any = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    if found is not model_class or module == "__main__":
        raise ModelDefinitionError(
            f'{place_of(model_class)}: model {name}: `isolation = "process"` needs a class that can be imported; '
            "define it at the top of a module that is imported, not in a function or in the script that is run."
        )
    return ClassPlace(module, name)
