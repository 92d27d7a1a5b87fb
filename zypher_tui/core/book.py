"""All predictions that the dashboard knows, in order of creation: what summaries and events said, folded together."""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Protocol, overload

from zypher_jobs.contracts.event import Event
from zypher_jobs.contracts.prediction import PredictionSummary
from zypher_tui.core.rows import Row, heard

CAPACITY = 200_000
"""Predictions kept; then the oldest go."""
OUTPUTS = 20_000
"""So many of the newest keep their outputs; of older ones they are read again when somebody looks at them."""
_LEAVE_AT_ONCE = 1_000
_MOST_BURIED = 20_000
_LEAVES_UNTIL_ANEW = 50
"""A dict from which as much goes as comes grows all the same; so it is made anew after so many times."""


class Follower(Protocol):
    """Is told of what changes in a ``Book``."""

    def changed(self, row: Row) -> None:
        """It is new, or says something else than before; it stands where it stood."""
        ...

    def left(self, rows: Sequence[Row]) -> None:
        """They are not in the book any more."""
        ...


class Book:
    """Rows by id and in order of creation, the oldest first. A row keeps its place; nothing terminal goes back."""

    def __init__(self, capacity: int = CAPACITY, *, outputs: int = OUTPUTS) -> None:
        self._capacity = capacity
        self._outputs = outputs
        self._rows: list[Row] = []
        self._by_id: dict[str, Row] = {}
        self._leaves = 0
        self._entered = 0
        self._followers: list[Follower] = []
        self._undetailed: dict[str, None] = {}
        self._buried: dict[str, None] = {}
        self._open: dict[str, None] = {}
        """Ids of those that have not ended, in the order in which they are to be read again."""
        self.revision = 0
        """One more with each change."""

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[Row]:
        return iter(self._rows)

    @property
    def rows(self) -> Sequence[Row]:
        """Oldest first; it goes on changing."""
        return self._rows

    def get(self, prediction_id: str) -> Row | None:
        """The row of that id."""
        return self._by_id.get(prediction_id)

    def fold(self, summaries: Iterable[PredictionSummary]) -> None:
        """Take in what a source read."""
        for summary in summaries:
            self.put(Row.of(summary))

    def put(self, new: Row) -> None:
        """Take in one row, unless it is older than what is known."""
        if new.prediction_id in self._buried:
            return
        row = self._by_id.get(new.prediction_id)
        if row is not None and row.status.is_terminal and not new.status.is_terminal:
            return
        self._undetailed.pop(new.prediction_id, None)
        if row is None:
            most = self._outputs
            if len(self._rows) > most and new.order < self._rows[-most].order and new.output_preview:
                new.output_preview, new.is_detailed = "", False
            self._enter(new)
        elif row.created_ms != new.created_ms:
            self._leave(row)
            self._enter(new)
        elif row != new:
            for name in Row.__struct_fields__:
                setattr(row, name, getattr(new, name))
            self._changed(row)

    def hear(self, events: Iterable[Event]) -> None:
        """Take in what happened."""
        for event in events:
            known = self._by_id.get(event.prediction_id)
            row = heard(known, event)
            if row.status.is_terminal and not row.is_detailed:
                self._undetailed[row.prediction_id] = None
            if known is None:
                self._enter(row)
            else:
                self._changed(row)

    def take_undetailed(self, most: int) -> list[str]:
        """Ids of some that have ended since their summary was read, the newest first; each is given out once."""
        taken: list[str] = []
        while self._undetailed and len(taken) < most:
            taken.append(self._undetailed.popitem()[0])
        return taken

    def ask_again(self, prediction_ids: Iterable[str]) -> None:
        """Nobody could be asked for them."""
        self._undetailed.update((each, None) for each in prediction_ids if each in self._by_id)

    def take_open(self, most: int) -> list[str]:
        """Ids of some that have not ended, all in turn: what an event that was missed would have said of them."""
        taken = list(islice(self._open, most))
        for each in taken:
            del self._open[each]
            self._open[each] = None
        return taken

    def bury(self, prediction_ids: Iterable[str]) -> None:
        """They were dropped, for good: answers that were on their way then may still tell of them."""
        buried = tuple(prediction_ids)
        self.forget(buried)
        self._buried |= dict.fromkeys(buried)
        while len(self._buried) > _MOST_BURIED:
            del self._buried[next(iter(self._buried))]

    def forget(self, prediction_ids: Iterable[str]) -> None:
        """They are not there any more."""
        for prediction_id in prediction_ids:
            row = self._by_id.get(prediction_id)
            if row is not None:
                self._leave(row)

    def until(self, now_ms: int | None) -> int:
        """How many rows, from the oldest on, there were at that time; ``None`` is now."""
        if now_ms is None:
            return len(self._rows)
        return bisect_right(self._rows, now_ms, key=lambda row: row.created_ms)

    def follow(self, follower: Follower) -> None:
        """Tell it of every change from now on."""
        self._followers.append(follower)

    def unfollow(self, follower: Follower) -> None:
        """Tell it no more."""
        self._followers.remove(follower)

    def _enter(self, row: Row) -> None:
        self._by_id[row.prediction_id] = row
        insert(self._rows, row)
        self._entered += 1
        if self._entered % _LEAVE_AT_ONCE == 0:
            self._slim()
        self._changed(row)
        if len(self._rows) > self._capacity:
            gone = self._rows[:_LEAVE_AT_ONCE]
            del self._rows[:_LEAVE_AT_ONCE]
            for each in gone:
                del self._by_id[each.prediction_id]
            self._leaves += 1
            if self._leaves % _LEAVES_UNTIL_ANEW == 0:
                self._by_id = dict(self._by_id)
            self._tell_left(gone)

    def _slim(self) -> None:
        """Take the outputs of those that came behind the newest since the last time."""
        older = len(self._rows) - self._outputs
        for row in islice(self._rows, max(older - 2 * _LEAVE_AT_ONCE, 0), max(older, 0)):
            if row.output_preview:
                row.output_preview, row.is_detailed = "", False

    def _leave(self, row: Row) -> None:
        del self._by_id[row.prediction_id]
        del self._rows[place(self._rows, row)]
        self._tell_left([row])

    def _changed(self, row: Row) -> None:
        self.revision += 1
        if row.status.is_terminal:
            self._open.pop(row.prediction_id, None)
        else:
            self._open.setdefault(row.prediction_id, None)
        for follower in self._followers:
            follower.changed(row)

    def _tell_left(self, rows: Sequence[Row]) -> None:
        self.revision += 1
        for row in rows:
            self._open.pop(row.prediction_id, None)
            self._undetailed.pop(row.prediction_id, None)
        for follower in self._followers:
            follower.left(rows)


def insert(rows: list[Row], row: Row) -> None:
    """Put it where it belongs, which is mostly at the end."""
    if not rows or rows[-1].order < row.order:
        rows.append(row)
    else:
        insort(rows, row, key=lambda each: each.order)


def place(rows: Sequence[Row], row: Row) -> int:
    """Where it stands, or would stand."""
    return bisect_left(rows, row.order, key=lambda each: each.order)


class Newest(Sequence[Row]):
    """The first ``count`` of some rows, backwards; fewer when rows have left since, as may be before the next frame."""

    def __init__(self, rows: Sequence[Row] = (), count: int | None = None) -> None:
        self._rows = rows
        self._count = len(rows) if count is None else count

    def __len__(self) -> int:
        return min(self._count, len(self._rows))

    @overload
    def __getitem__(self, index: int) -> Row: ...
    @overload
    def __getitem__(self, index: slice) -> list[Row]: ...
    def __getitem__(self, index: int | slice) -> Row | list[Row]:
        if isinstance(index, slice):
            return [self[each] for each in range(*index.indices(len(self)))]
        count = len(self)
        if not -count <= index < count:
            raise IndexError(index)
        return self._rows[count - 1 - index if index >= 0 else -1 - index]

    def __iter__(self) -> Iterator[Row]:
        return islice(reversed(self._rows), len(self._rows) - len(self), None)

    def find(self, row: Row) -> int | None:
        """Where it stands."""
        index = place(self._rows, row)
        count = len(self)
        if index < count and self._rows[index].prediction_id == row.prediction_id:
            return count - 1 - index
        return None
