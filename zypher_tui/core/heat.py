"""Latency over time as counts: columns of 5 s, buckets on a log scale; each count knows some of its predictions."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from typing import Literal

import msgspec

from zypher_tui.core import formats
from zypher_tui.core.rows import Row, at_of

Kind = Literal["total", "run", "wait"]
KINDS: tuple[Kind, ...] = ("total", "run", "wait")
"""Created to finished, the last attempt, and created to the start of that attempt."""
COLUMN_MS = 5_000
KEPT_MS = 3_600_000
"""How far back columns reach from the newest."""
IDS = 4
"""Predictions that a count names: the last ones. A filter finds them all."""
REMEMBERED = 20_000
"""Predictions that are known to be counted, at most: one is told of again when its texts come."""
BOUNDS_MS: tuple[float, ...] = tuple(
    step * 10**power for power in range(6) for step in (1, 1.5, 2, 3, 5, 7) if step * 10**power <= 600_000
)
"""Bucket ``i`` holds times above ``BOUNDS_MS[i - 1]`` up to ``BOUNDS_MS[i]``; there is one more for longer ones."""
BUCKETS = len(BOUNDS_MS) + 1


class _Count:
    """Predictions in one column and one bucket."""

    __slots__ = ("count", "ids")

    def __init__(self) -> None:
        self.count = 0
        self.ids: list[str] = []

    def add(self, prediction_id: str) -> None:
        if len(self.ids) < IDS:
            self.ids.append(prediction_id)
        else:
            self.ids[self.count % IDS] = prediction_id
        self.count += 1


class Band(msgspec.Struct, frozen=True):
    """Some buckets, as one line of a map."""

    first: int
    last: int

    @property
    def low_ms(self) -> float:
        """Times in it are longer."""
        return BOUNDS_MS[self.first - 1] if self.first else 0.0

    @property
    def high_ms(self) -> float | None:
        """And at most this; ``None``: it has no end."""
        return BOUNDS_MS[self.last] if self.last < len(BOUNDS_MS) else None


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """What one place of a map stands for."""

    kind: Kind
    from_ms: int
    until_ms: int
    band: Band
    count: int
    ids: tuple[str, ...]
    """Some of them, ``IDS`` for each 5 s and bucket at most."""

    @property
    def filter(self) -> str:
        """Keeps exactly these, in a list of predictions."""
        terms = [f"{self.kind}>{milliseconds(self.band.low_ms)}"] if self.band.first else [f"{self.kind}>=0ms"]
        if self.band.high_ms is not None:
            terms.append(f"{self.kind}<={milliseconds(self.band.high_ms)}")
        return " ".join([*terms, f"finished>={_utc(self.from_ms)}", f"finished<{_utc(self.until_ms)}"])

    @property
    def sentence(self) -> str:
        """What it is, with figures."""
        times = f"{formats.clock(at_of(self.from_ms))} to {formats.clock(at_of(self.until_ms))}"
        counted = f"{self.count:,} prediction{'' if self.count == 1 else 's'}" if self.count else "none"
        return f"{times} · {self.kind} {self._range} · {counted}"

    @property
    def brief(self) -> str:
        """The same where there is little room."""
        return f"{formats.clock(at_of(self.from_ms))} · {self._range} · {self.count:,}"

    @property
    def _range(self) -> str:
        low, high = formats.duration_ms(self.band.low_ms), self.band.high_ms
        if high is None:
            return f"above {low}"
        return f"{low} to {formats.duration_ms(high)}" if self.band.first else f"up to {formats.duration_ms(high)}"


class Grid(msgspec.Struct, frozen=True, kw_only=True):
    """A map of a size: ``counts[column][band]``, bands from the fastest up."""

    kind: Kind
    first_ms: int
    """Where the first column begins."""
    step_ms: int
    bands: tuple[Band, ...]
    halves: int
    """Half lines that a band is high."""
    counts: tuple[tuple[int, ...], ...]

    @property
    def peak(self) -> int:
        """The highest count."""
        return max((max(column, default=0) for column in self.counts), default=0)

    def column_of(self, at_ms: int) -> int:
        """Which column a time is in; it may lie outside."""
        return (at_ms - self.first_ms) // self.step_ms


class Heat:
    """Counts of an hour. It follows a book: ``changed`` takes what ended, each prediction once."""

    def __init__(self) -> None:
        self._columns: dict[int, tuple[dict[int, _Count], ...]] = {}
        self._totals = {kind: [0] * BUCKETS for kind in KINDS}
        self._counted: dict[str, None] = {}
        self._counted_before: dict[str, None] = {}
        self._newest = 0
        self.revision = 0
        """One more with each prediction that is counted."""

    def changed(self, row: Row) -> None:
        """Count it, if it has ended and its times are known."""
        if row.finished_ms is None or not row.status.is_terminal:
            return
        if row.prediction_id in self._counted or row.prediction_id in self._counted_before:
            return
        if not row.is_detailed and (row.started_ms is None or row.started_ms <= row.created_ms):
            return  # events alone may not have said when it was created: its summary will
        number = row.finished_ms // COLUMN_MS
        if number <= self._newest - KEPT_MS // COLUMN_MS:
            return
        if len(self._counted) >= REMEMBERED // 2:
            self._counted_before, self._counted = self._counted, {}
        self._counted[row.prediction_id] = None
        column = self._columns.get(number)
        if column is None:
            column = self._columns[number] = tuple({} for _ in KINDS)
            self._newest = max(self._newest, number)
            self._forget()
        for kind, place, took_ms in zip(KINDS, column, (row.total_ms, row.run_ms, row.wait_ms), strict=True):
            if took_ms is not None:
                bucket = bucket_of(took_ms)
                place.setdefault(bucket, _Count()).add(row.prediction_id)
                self._totals[kind][bucket] += 1
        self.revision += 1

    def left(self, rows: Sequence[Row]) -> None:
        """What a book forgets was there all the same."""

    def fold(self, rows: Iterable[Row]) -> None:
        """Count many."""
        for row in rows:
            self.changed(row)

    def grid(self, kind: Kind, *, end_ms: int, columns: int, halves: int, step_ms: int = COLUMN_MS) -> Grid:
        """The last ``columns`` until ``end_ms``, ``halves`` half lines high.

        Columns stand on whole multiples of ``step_ms``. Bands are those of all that is kept, not of what is seen, so
        that they stay where they are while the map moves on.
        """
        step_ms = max(step_ms // COLUMN_MS, 1) * COLUMN_MS
        first_ms = (end_ms // step_ms - columns + 1) * step_ms
        bands, high = self._bands(kind, max(halves, 1))
        place, wide = KINDS.index(kind), step_ms // COLUMN_MS
        band_of = {bucket: y for y, band in enumerate(bands) for bucket in range(band.first, band.last + 1)}
        counts: list[tuple[int, ...]] = []
        for x in range(columns):
            number = first_ms // COLUMN_MS + x * wide
            line = [0] * len(bands)
            for each in range(number, number + wide):
                if each in self._columns and each * COLUMN_MS <= end_ms:
                    for bucket, found in self._columns[each][place].items():
                        line[band_of[bucket]] += found.count
            counts.append(tuple(line))
        return Grid(kind=kind, first_ms=first_ms, step_ms=step_ms, bands=bands, halves=high, counts=tuple(counts))

    def cell(self, grid: Grid, column: int, band: int) -> Cell:
        """What is at that place of a grid."""
        from_ms = grid.first_ms + column * grid.step_ms
        kept, count = list[str](), 0
        for number in range(from_ms // COLUMN_MS, (from_ms + grid.step_ms) // COLUMN_MS):
            found = self._columns[number][KINDS.index(grid.kind)] if number in self._columns else {}
            for bucket in range(grid.bands[band].first, grid.bands[band].last + 1):
                if bucket in found:
                    kept += found[bucket].ids
                    count += found[bucket].count
        return Cell(
            kind=grid.kind,
            from_ms=from_ms,
            until_ms=from_ms + grid.step_ms,
            band=grid.bands[band],
            count=count,
            ids=tuple(kept),
        )

    def _bands(self, kind: Kind, halves: int) -> tuple[tuple[Band, ...], int]:
        """Bands that hold all that is kept and fill the height, and how many half lines each is high."""
        used = [bucket for bucket, count in enumerate(self._totals[kind]) if count] or [bucket_of(10), bucket_of(1_000)]
        low, high = used[0], used[-1]
        each = -(-(high - low + 1) // halves)
        height = max(halves // -(-(high - low + 1) // each), 1)
        wanted = min(halves // height, -(-BUCKETS // each))
        first = max(min(low - (wanted * each - (high - low + 1)) // 2, BUCKETS - wanted * each), 0)
        bands = [Band(at, min(at + each, BUCKETS) - 1) for at in range(first, BUCKETS, each)][:wanted]
        return tuple(bands), height

    def _forget(self) -> None:
        oldest = self._newest - KEPT_MS // COLUMN_MS
        for number in [number for number in self._columns if number <= oldest]:
            for kind, place in zip(KINDS, self._columns.pop(number), strict=True):
                for bucket, found in place.items():
                    self._totals[kind][bucket] -= found.count


def bucket_of(took_ms: float) -> int:
    """Which bucket a time is in."""
    return bisect_left(BOUNDS_MS, took_ms)


def milliseconds(ms: float) -> str:
    """As a filter reads it: ``1.5ms``, ``300ms``, ``2s``."""
    return f"{ms / 1000:g}s" if ms >= 1000 else f"{ms:g}ms"


def _utc(ms: int) -> str:
    return f"{at_of(ms):%Y-%m-%dT%H:%M:%SZ}"
