"""What a model's process and its parent say to each other: MessagePack in frames, over a socket pair; never pickle.

The parent says ``Hello`` once, then one ``Run`` at a time, and ``Cancel`` for a call of it that nobody wants any more.
The child answers ``Loaded`` or ``NotLoaded`` once; for each run ``Progress``, ``Log`` and ``Chunk`` while it lasts,
then ``Done`` or ``Failed``. What belongs to a run carries its number, so that what is late belongs to none.
"""

from collections.abc import Iterator
from typing import Any, Generic, TypeVar

import msgspec

from zypher_jobs.contracts.model import ModelManifest
from zypher_jobs.contracts.trace import TraceContext

T = TypeVar("T")

_LENGTH_BYTES = 8
READ_BYTES = 64 * 1024
"""Read at once of what comes in pieces, so that a child that says much does not hold its parent's event loop."""
LONGEST_READ_BYTES = 16 * 1024 * 1024
_encode_into = msgspec.msgpack.Encoder().encode_into


class ClassPlace(msgspec.Struct, frozen=True, array_like=True, tag=0):
    """Where a model's class is found."""

    module: str
    qualname: str


class ManifestPlace(msgspec.Struct, frozen=True, array_like=True, tag=1):
    """A model that a manifest describes, and the directory of its files."""

    manifest: ModelManifest
    directory: str


class Hello(msgspec.Struct, frozen=True, array_like=True, tag=0):
    """Which model to serve, and how to find it: as the parent did."""

    model: ClassPlace | ManifestPlace
    path: list[str]
    """``sys.path``."""
    log_level: str


class CallFacts(msgspec.Struct, frozen=True, array_like=True):
    """What a model may know of a prediction."""

    prediction_id: str
    attempt: int
    timeout_s: float
    trace: TraceContext | None = None


class Run(msgspec.Struct, frozen=True, array_like=True, tag=1):
    """Call the model."""

    number: int
    calls: list[CallFacts]
    inputs: list[msgspec.Raw]


class Cancel(msgspec.Struct, frozen=True, array_like=True, tag=2):
    """Nobody wants the output of that call of the run any more."""

    number: int
    index: int


class Loaded(msgspec.Struct, frozen=True, array_like=True, tag=0):
    """The model is loaded and warm."""


class NotLoaded(msgspec.Struct, frozen=True, array_like=True, tag=1):
    """Its class could not be found, or its ``load`` or its first call failed."""

    message: str


class Progress(msgspec.Struct, frozen=True, array_like=True, tag=2):
    """``context.progress``."""

    number: int
    index: int
    fraction: float
    message: str


class Log(msgspec.Struct, frozen=True, array_like=True, tag=3):
    """``context.log``."""

    number: int
    index: int
    line: str


class Chunk(msgspec.Struct, frozen=True, array_like=True, tag=4):
    """The next piece of a streamed output."""

    number: int
    index: int
    output: msgspec.Raw


class Done(msgspec.Struct, frozen=True, array_like=True, tag=5):
    """The outputs, in the order of the inputs."""

    number: int
    outputs: list[msgspec.Raw]


class Failed(msgspec.Struct, frozen=True, array_like=True, tag=6):
    """A ``PredictionFailed`` as data."""

    number: int
    code: str
    message: str
    traceback: str
    may_pass: bool


FromParent = Hello | Run | Cancel
FromChild = Loaded | NotLoaded | Progress | Log | Chunk | Done | Failed


def frame_of(message: FromParent | FromChild) -> bytearray:
    """A message as it is sent: its length, then itself."""
    frame = bytearray(_LENGTH_BYTES)
    _encode_into(message, frame, _LENGTH_BYTES)
    frame[:_LENGTH_BYTES] = (len(frame) - _LENGTH_BYTES).to_bytes(_LENGTH_BYTES, "big")
    return frame


class Frames(Generic[T]):
    """Bytes as they come → messages."""

    def __init__(self, message_type: Any) -> None:
        self._decode = msgspec.msgpack.Decoder[T](message_type).decode
        self._buffer = bytearray()
        self._length: int | None = None

    @property
    def wanted(self) -> int:
        """How many bytes to read next."""
        missing = 0 if self._length is None else self._length - len(self._buffer)
        return min(max(missing, READ_BYTES), LONGEST_READ_BYTES)

    def take(self, data: bytes) -> Iterator[T]:
        """Every message that is whole with ``data``; raises ``msgspec.DecodeError`` for what is none."""
        self._buffer += data
        while True:
            if self._length is None:
                if len(self._buffer) < _LENGTH_BYTES:
                    return
                self._length = int.from_bytes(self._buffer[:_LENGTH_BYTES], "big")
                del self._buffer[:_LENGTH_BYTES]
            if len(self._buffer) < self._length:
                return
            packed = bytes(self._buffer[: self._length])
            del self._buffer[: self._length]
            self._length = None
            yield self._decode(packed)
