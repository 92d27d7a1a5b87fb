"""The columns of a table: what stands in each, how wide it is, and the order of rows by one of them."""

from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

import msgspec

from zypher_tui.widgets.drawing import Part

Row = TypeVar("Row")


class Column(msgspec.Struct, Generic[Row], frozen=True, kw_only=True):
    """One column. ``draw`` gets a row and the column's width, and returns parts that are cut to it."""

    title: str
    draw: Callable[[Row, int], list[Part]]
    width: int
    """In cells; for a column that grows, the least."""
    grow: int = 0
    """Its share of the room that is left; 0 does not grow."""
    most: int = 1000
    """The widest it grows."""
    right: bool = False
    leave: int = 0
    """Where room is short, the column with the highest number goes first; 0 stays."""
    order: Callable[[Row], Any] | None = None
    """What a person can sort by: for tables of a few hundred rows. A row of which it is ``None`` stands last."""
    descends: bool = False
    """Whether the most comes first then."""


class Sorting(msgspec.Struct, frozen=True):
    """By which column rows are sorted, and which way round."""

    title: str
    descends: bool


def next_sorting(columns: Sequence[Column[Row]], sorting: Sorting | None) -> Sorting | None:
    """By the next column that has an order; ``None`` behind the last."""
    able = [column for column in columns if column.order is not None]
    titles = [column.title for column in able]
    following = titles.index(sorting.title) + 1 if sorting and sorting.title in titles else 0
    return Sorting(able[following].title, able[following].descends) if following < len(able) else None


def in_order(rows: Sequence[Row], columns: Sequence[Column[Row]], sorting: Sorting | None) -> Sequence[Row]:
    """The rows as a person sorts them; equal ones as they came."""
    order = next((column.order for column in columns if sorting and column.title == sorting.title), None)
    if sorting is None or order is None:
        return rows
    keyed = [(order(row), row) for row in rows]
    known = sorted((each for each in keyed if each[0] is not None), key=lambda each: each[0], reverse=sorting.descends)
    return [row for _, row in known] + [row for key, row in keyed if key is None]


def arrange(columns: Sequence[Column[Row]], width: int) -> list[tuple[Column[Row], int]]:
    """Which columns fit into ``width`` cells, with ``gap(width)`` after each, and how wide each is."""
    kept = list(columns)
    while sum(column.width + gap(width) for column in kept) > width:
        leaving = max(kept, key=lambda column: column.leave)
        if leaving.leave == 0:
            break
        kept.remove(leaving)
    widths = [column.width for column in kept]
    left = width - sum(widths) - gap(width) * len(kept)
    while left > 0 and (growing := [i for i, column in enumerate(kept) if column.grow and widths[i] < column.most]):
        total, before = sum(kept[i].grow for i in growing), left
        for i in growing:
            more = min(max(before * kept[i].grow // total, 1), kept[i].most - widths[i], left)
            widths[i] += more
            left -= more
    return list(zip(kept, widths, strict=True))


def gap(width: int) -> int:
    """Cells between two columns."""
    return 2 if width >= 90 else 1
