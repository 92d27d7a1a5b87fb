"""What was shown at each time: the figures of the last hours, packed, each second of late and each ten before that."""

import zlib
from bisect import bisect_right
from collections.abc import Iterator, Sequence

import msgspec

from zypher_jobs.contracts.history import HistoryFrame
from zypher_jobs.contracts.stats import Health, Overview
from zypher_tui.core.readings import SourceName
from zypher_tui.core.rows import ms_of
from zypher_tui.core.view import Link, LinkView, View

FINE_S = 900.0
"""For so long every frame is kept."""
COARSE_S = 10.0
"""Apart from each other are those before that."""
KEPT_S = 12 * 3600.0
LEAST_S = 0.9
"""Between two frames."""


class Frame(msgspec.Struct, frozen=True, kw_only=True):
    """What was known at one instant."""

    at_s: float
    overview: Overview | None = None
    """Without its predictions: those are in the ``Book``."""
    overview_at_s: float = 0.0
    """When it was read; earlier than ``at_s`` while no source brought newer ones."""
    overview_from: SourceName | None = None
    overview_error: str | None = None
    """Why the API, though it answered, had no figures."""
    health: Health | None = None
    links: tuple[LinkView, ...] = ()
    notice: str | None = None


class _Packed(msgspec.Struct, frozen=True, gc=False):
    at_s: float
    body: bytes
    is_loose: bool = False


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Frame).decode


class Timeline:
    """Frames in order of time, at most ``kept_s`` of them: a day takes no more memory than twelve hours."""

    def __init__(self, *, kept_s: float = KEPT_S, fine_s: float = FINE_S, loose_bytes: int = 0) -> None:
        """``loose_bytes``: so much need not be packed tightly, which takes most of the time."""
        self._loose_bytes = loose_bytes
        self._kept_s = kept_s
        self._fine_s = fine_s
        self._frames: list[_Packed] = []
        self._coarse = 0
        """Frames, from the oldest on, that are ``COARSE_S`` apart."""

    def __len__(self) -> int:
        return len(self._frames)

    @property
    def first_s(self) -> float | None:
        """The time of the oldest."""
        return self._frames[0].at_s if self._frames else None

    @property
    def last_s(self) -> float | None:
        """The time of the newest."""
        return self._frames[-1].at_s if self._frames else None

    def add(self, frame: Frame) -> None:
        """Put it behind the newest; one that comes too soon after it, or before it, is left out."""
        if self._frames and frame.at_s < self._frames[-1].at_s + LEAST_S:
            return
        packed = _packed(frame, is_loose=self._loose_bytes > 0)
        if packed.is_loose:
            self._loose_bytes -= len(packed.body)
        self._frames.append(packed)
        self._thin(frame.at_s)

    def add_earlier(self, frames: Sequence[Frame]) -> None:
        """Put what a server recorded before the oldest, in order of time."""
        first_s = self.first_s
        earlier = [_packed(frame) for frame in frames if first_s is None or frame.at_s < first_s]
        self._frames[:0] = earlier
        self._coarse += len(earlier)

    def at(self, at_s: float) -> Frame | None:
        """The newest that is not later."""
        index = bisect_right(self._frames, at_s, key=lambda frame: frame.at_s)
        return _unpacked(self._frames[index - 1]) if index else None

    def times(self, start_s: float, end_s: float) -> list[float]:
        """Of the frames behind the one and until the other, in order."""
        first, end = (bisect_right(self._frames, at_s, key=lambda frame: frame.at_s) for at_s in (start_s, end_s))
        return [frame.at_s for frame in self._frames[first:end]]

    def between(self, start_s: float, end_s: float) -> Iterator[Frame]:
        """The frames of those ``times``, whatever is added or let go of meanwhile."""
        first, end = (bisect_right(self._frames, at_s, key=lambda frame: frame.at_s) for at_s in (start_s, end_s))
        return map(_unpacked, self._frames[first:end])

    def _thin(self, now_s: float) -> None:
        """Let go of what is too old, and of what is too close together for its age; a step at a time."""
        while self._frames[0].at_s < now_s - self._kept_s:
            del self._frames[0]
            self._coarse = max(self._coarse - 1, 0)
        while self._coarse < len(self._frames) and self._frames[self._coarse].at_s < now_s - self._fine_s:
            previous_s = self._frames[self._coarse - 1].at_s if self._coarse else float("-inf")
            if self._frames[self._coarse].at_s < previous_s + COARSE_S:
                del self._frames[self._coarse]
            else:
                self._coarse += 1


def _packed(frame: Frame, *, is_loose: bool = False) -> _Packed:
    overview = frame.overview
    if overview is not None and overview.latest:
        frame = msgspec.structs.replace(frame, overview=msgspec.structs.replace(overview, latest=[]))
    body = _encode(frame)
    return _Packed(frame.at_s, body if is_loose else zlib.compress(body, 1), is_loose)


def _unpacked(packed: _Packed) -> Frame:
    return _decode(packed.body if packed.is_loose else zlib.decompress(packed.body))


def recorded_frame(recorded: HistoryFrame, view: View) -> Frame:
    """What a server recorded, at its place in the time of a view of now."""
    at_s = view.now_s - (view.now_ms - ms_of(recorded.at)) / 1000
    api = Link.UNKNOWN if recorded.health is None else Link.UP
    return Frame(
        at_s=at_s,
        overview=recorded.overview,
        overview_at_s=at_s,
        overview_from=SourceName.REDIS if recorded.health is None else SourceName.API,
        health=recorded.health,
        links=(LinkView(source=SourceName.API, link=api), LinkView(source=SourceName.REDIS, link=Link.UP)),
    )
