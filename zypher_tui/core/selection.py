"""The predictions that a filter keeps, out of very many, kept up to date; found in steps that a screen can wait for."""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from itertools import islice

from zypher_tui.core.book import Book, Newest, insert, place
from zypher_tui.core.filters import EVERYTHING, Filter
from zypher_tui.core.rows import Row

_AT_ONCE = 500
"""Rows that are looked at between two looks at the clock."""


class Selection:
    """Follows a book; ``look`` goes on with the search, from the newest back. Call ``close`` at the end."""

    def __init__(self, book: Book, kept: Filter = EVERYTHING, *, now_ms: int, as_of_ms: int | None = None) -> None:
        """``as_of_ms``: as it was at that time. Ages count from ``now_ms``, the same where it is given."""
        self.filter = kept
        self.as_of_ms = as_of_ms
        self._book = book
        self._now_ms = now_ms
        self._found: list[Row] = []
        self._edge: tuple[int, str] | None = None
        """Where the search stands: from there on to the newest, all is found."""
        self._is_whole = not kept.tests
        if not self._is_whole:
            self._edge = _behind(book, as_of_ms)
            book.follow(self)

    def close(self) -> None:
        """Follow the book no more."""
        if not self._is_whole:
            self._book.unfollow(self)

    @property
    def rows(self) -> Newest:
        """What is found so far, newest first; it stays as it is while a search goes on."""
        if self._is_whole:
            return Newest(self._book.rows, self._book.until(self.as_of_ms))
        return Newest(self._found if self.is_complete else self._found.copy())

    @property
    def is_complete(self) -> bool:
        """Whether every row was looked at."""
        return self._edge is None

    def age(self, now_ms: int) -> None:
        """Ages count from then on: search anew, and show what was found until then."""
        self._now_ms = now_ms
        if self.filter.has_ages and self.as_of_ms is None:
            self._edge = _behind(self._book, None)

    def look(self, seconds: float, clock: Callable[[], float]) -> bool:
        """Go on for about so long; whether there are others than before."""
        until_s, before = clock() + seconds, len(self._found)
        while self._edge is not None and clock() < until_s:
            rows = self._book.rows
            end = _place(rows, self._edge)
            start = max(end - _AT_ONCE, 0)
            first = rows[start].order if start < len(rows) else self._edge
            kept = self._kept(islice(rows, start, end))
            self._found[_place(self._found, first) : _place(self._found, self._edge)] = kept
            self._edge = first if start else None
        return len(self._found) != before

    def changed(self, row: Row) -> None:
        """See ``Follower``."""
        if self._edge is not None and row.order < self._edge:
            return  # its turn comes
        if self.as_of_ms is not None and row.created_ms > self.as_of_ms:
            return
        index = place(self._found, row)
        stands = index < len(self._found) and self._found[index].prediction_id == row.prediction_id
        if self._keeps(row):
            if stands:
                self._found[index] = row
            else:
                insert(self._found, row)
        elif stands:
            del self._found[index]

    def left(self, rows: Sequence[Row]) -> None:
        """See ``Follower``."""
        for row in rows:
            index = place(self._found, row)
            if index < len(self._found) and self._found[index].prediction_id == row.prediction_id:
                del self._found[index]

    def _kept(self, rows: Iterable[Row]) -> list[Row]:
        if self.as_of_ms is None:
            return self.filter.kept(rows, self._now_ms)
        return [row for row in rows if self._keeps(row)]

    def _keeps(self, row: Row) -> bool:
        seen = row if self.as_of_ms is None else row.as_of(self.as_of_ms)
        return self.filter.keeps(seen, self._now_ms)


def _behind(book: Book, as_of_ms: int | None) -> tuple[int, str] | None:
    """The order behind the newest row that there was."""
    count = book.until(as_of_ms)
    if count == 0:
        return None
    newest = book.rows[count - 1]
    return newest.created_ms, newest.prediction_id + "\0"


def _place(rows: Sequence[Row], order: tuple[int, str]) -> int:
    return bisect_left(rows, order, key=lambda row: row.order)
