"""Counters of a frame that did not change since the frame before are not written again: half of what is read later.

All counters are totals, so a reader puts the last ones of each in their places. Every ``WHOLE_EVERY`` frames all are
written, for what a damaged line took with it.
"""

from collections.abc import Hashable, Sequence
from typing import TypeVar

import msgspec

from zypher_jobs.contracts.stats import LatencyHistogram, PredictionCount
from zypher_tui.core.recording import FrameLine

WHOLE_EVERY = 150

Counter = TypeVar("Counter", LatencyHistogram, PredictionCount)


class Shrinker:
    """Takes the frames of a recording in their order."""

    def __init__(self) -> None:
        self._counts: Sequence[PredictionCount] = ()
        self._latencies: Sequence[LatencyHistogram] = ()
        self._since_whole = WHOLE_EVERY

    def shrink(self, frame: FrameLine) -> FrameLine:
        """Without the counters that are as they were."""
        overview = frame.overview
        if overview is None:
            return frame
        counts, latencies = self._counts, self._latencies
        self._counts, self._latencies = overview.counts, overview.latencies
        self._since_whole += 1
        if self._since_whole >= WHOLE_EVERY or not (
            _has_same_keys(counts, overview.counts) and _has_same_keys(latencies, overview.latencies)
        ):
            self._since_whole = 0
            return frame
        changed = msgspec.structs.replace(
            overview, counts=_changed(counts, overview.counts), latencies=_changed(latencies, overview.latencies)
        )
        return msgspec.structs.replace(frame, overview=changed, is_whole=False)


class Restorer:
    """The other way round."""

    def __init__(self) -> None:
        self._counts: dict[Hashable, PredictionCount] = {}
        self._latencies: dict[Hashable, LatencyHistogram] = {}

    def take(self, frame: FrameLine) -> None:
        """Take in a frame that nobody wants to see whole."""
        if frame.overview is None:
            return
        if frame.is_whole:
            self._counts.clear()
            self._latencies.clear()
        self._counts |= {_key(each): each for each in frame.overview.counts}
        self._latencies |= {_key(each): each for each in frame.overview.latencies}

    def restore(self, frame: FrameLine) -> FrameLine:
        """With all counters."""
        self.take(frame)
        if frame.is_whole or frame.overview is None:
            return frame
        whole = msgspec.structs.replace(
            frame.overview, counts=list(self._counts.values()), latencies=list(self._latencies.values())
        )
        return msgspec.structs.replace(frame, overview=whole, is_whole=True)


def _key(counter: PredictionCount | LatencyHistogram) -> Hashable:
    third = counter.status if isinstance(counter, PredictionCount) else counter.kind
    return counter.model, counter.mode, third


def _has_same_keys(before: Sequence[Counter], now: Sequence[Counter]) -> bool:
    return len(before) == len(now) and all(_key(old) == _key(new) for old, new in zip(before, now, strict=True))


def _changed(before: Sequence[Counter], now: Sequence[Counter]) -> list[Counter]:
    return [new for old, new in zip(before, now, strict=True) if old != new]
