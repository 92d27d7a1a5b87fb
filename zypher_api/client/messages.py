"""What goes over the line and what comes back, without the line: requests and answers as plain values.

What ``Client`` and ``AsyncClient`` can do are generators of steps (``Send``, ``Open``, ``Read``, ``Pause``, ``Give``).
Each client has a loop that does them, blocking or awaiting. All that is decided stands in the generators, once.
"""

from collections.abc import Generator, Mapping
from typing import Any, Generic, TypeAlias

import msgspec
from typing_extensions import TypeVar

T = TypeVar("T")
OutputT = TypeVar("OutputT", default=Any)
"""Of an output: anything, unless ``output_type`` says what."""


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One request."""

    method: str
    path: str
    """With the query."""
    headers: dict[str, str] = {}
    body: bytes | None = None
    timeout_s: float
    """Longest silence of the server."""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """One answer; ``body`` is empty for a stream that is open."""

    status: int
    headers: Mapping[str, str]
    """Their names in any case."""
    body: bytes


class Send(msgspec.Struct, frozen=True):
    """Send a request and read its answer: ``Answer``, or an ``httpx.RequestError`` is raised in the generator."""

    request: Request


class Open(msgspec.Struct, frozen=True):
    """The same, but a stream of events is left open, in the place of one that was open before."""

    request: Request


class Read(msgspec.Struct, frozen=True):
    """Read from the open stream: ``bytes``, none at its end, or an ``httpx.RequestError``."""


class Pause(msgspec.Struct, frozen=True):
    """Wait a while."""

    seconds: float


class Give(msgspec.Struct, frozen=True):
    """Hand the caller the next one of what it iterates over."""

    value: Any


Step: TypeAlias = Send | Open | Read | Pause | Give
Steps: TypeAlias = Generator[Step, Any, T]
"""A call as steps; it returns what the caller gets."""


def read() -> Steps[bytes]:
    """``Read``, with the type of what comes back."""
    piece: bytes = yield Read()
    return piece


class Doing(Generic[T]):
    """Steps on their way: ``step`` is the one to be done, ``None`` once ``result`` is there."""

    def __init__(self, steps: Steps[T]) -> None:
        self._steps = steps
        self.step: Step | None = None
        self.result: T
        self.go_on(None)

    def go_on(self, outcome: Any) -> None:
        """To the next step; an outcome that is an error is raised in the generator. Raises what the call raises."""
        try:
            self.step = self._steps.throw(outcome) if isinstance(outcome, Exception) else self._steps.send(outcome)
        except StopIteration as end:
            self.step, self.result = None, end.value
