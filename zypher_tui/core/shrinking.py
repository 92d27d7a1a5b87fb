"""Counters of a frame that did not change since the frame before are not written again: half of what is read later.

All counters are totals, so a reader puts the last ones of each in their places. Every ``WHOLE_EVERY`` frames all are
written, for what a damaged line took with it.
"""

from collections.abc import Sequence
from typing import TypeAlias, TypeVar

import msgspec

from zypher_jobs.contracts.stats import LatencyHistogram, PredictionCount
from zypher_tui.core.cleaning import cleaned
from zypher_tui.core.plausible import Implausible, check_counter
from zypher_tui.core.recording import MAX_CHARS, FrameLine, Glance

WHOLE_EVERY = 150

_Key: TypeAlias = tuple[str, str, str]
"""Model, mode, and the kind or the status."""

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
    """The other way round. What was only glanced at is made clean and checked when a frame that is shown needs it."""

    def __init__(self) -> None:
        self._counts: dict[_Key, PredictionCount] = {}
        self._latencies: dict[_Key, LatencyHistogram] = {}
        self._glanced: dict[_Key, PredictionCount | LatencyHistogram] = {}
        self.refused = 0
        """Counters that cannot be."""

    def take(self, frame: Glance | FrameLine) -> None:
        """Take in a frame that nobody wants to see whole."""
        if frame.overview is None:
            return
        if frame.is_whole:
            self._clear()
        for count in frame.overview.counts:
            self._glanced[count.model, count.mode, count.status] = count
        for latency in frame.overview.latencies:
            self._glanced[latency.model, latency.mode, latency.kind] = latency

    def restore(self, frame: FrameLine) -> FrameLine:
        """With all counters."""
        overview = frame.overview
        if overview is None:
            return frame
        if frame.is_whole:
            self._clear()
        counts = {_key(each): each for each in overview.counts}
        latencies = {_key(each): each for each in overview.latencies}
        for key, each in self._glanced.items():
            if key not in counts and key not in latencies:
                self._settle(key, each)
        self._glanced.clear()
        self._counts |= counts
        self._latencies |= latencies
        if frame.is_whole:
            return frame
        whole = msgspec.structs.replace(
            overview, counts=list(self._counts.values()), latencies=list(self._latencies.values())
        )
        return msgspec.structs.replace(frame, overview=whole, is_whole=True)

    def _clear(self) -> None:
        self._counts.clear()
        self._latencies.clear()
        self._glanced.clear()

    def _settle(self, key: _Key, counter: PredictionCount | LatencyHistogram) -> None:
        if _is_odd(key[0]) or _is_odd(key[2]):
            counter = cleaned(counter, max_chars=MAX_CHARS)
            key = _key(counter)
        try:
            check_counter(counter)
        except Implausible:
            self.refused += 1
        else:
            if isinstance(counter, PredictionCount):
                self._counts[key] = counter
            else:
                self._latencies[key] = counter


def _is_odd(text: str) -> bool:
    return not (text.isascii() and text.isprintable() and len(text) <= MAX_CHARS)


def _key(counter: PredictionCount | LatencyHistogram) -> _Key:
    third = counter.status if isinstance(counter, PredictionCount) else counter.kind
    return counter.model, counter.mode, third


def _has_same_keys(before: Sequence[Counter], now: Sequence[Counter]) -> bool:
    return len(before) == len(now) and all(_key(old) == _key(new) for old, new in zip(before, now, strict=True))


def _changed(before: Sequence[Counter], now: Sequence[Counter]) -> list[Counter]:
    return [new for old, new in zip(before, now, strict=True) if old != new]
