"""The order of a table's rows by a column."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from zypher_tui.widgets.columns import Column, Sorting, in_order, next_sorting
from zypher_tui.widgets.drawing import Part

Pair = tuple[int, int | None]


def nothing(_: Pair, __: int) -> list[Part]:
    """Draws it."""
    return []


COLUMNS: list[Column[Pair]] = [
    Column(title="plain", width=5, draw=nothing),
    Column(title="number", width=5, draw=nothing, order=lambda pair: pair[1], descends=True),
    Column(title="place", width=5, draw=nothing, order=lambda pair: pair[0]),
]


@given(st.lists(st.one_of(st.none(), st.integers(0, 5))), st.booleans())
def test_rows_stand_in_order_and_equal_ones_as_they_came(numbers: list[int | None], descends: bool) -> None:
    """Nothing is lost; what has no value stands last, whichever way round."""
    rows = list(enumerate(numbers))
    shown = list(in_order(rows, COLUMNS, Sorting("number", descends)))
    assert sorted(shown, key=lambda pair: pair[0]) == rows
    known = [pair for pair in shown if pair[1] is not None]
    assert shown == known + [pair for pair in shown if pair[1] is None]
    for (place, one), (next_place, other) in pairwise(known):
        assert one is not None
        assert other is not None
        assert (one > other if descends else one < other) or (one == other and place < next_place)


def test_without_an_order_rows_stay_as_they_came() -> None:
    """Also by a column that is not there."""
    rows: list[Pair] = [(2, 1), (1, 2)]
    for sorting in (None, Sorting("plain", descends=False), Sorting("elsewhere", descends=True)):
        assert in_order(rows, COLUMNS, sorting) == rows


def test_the_key_goes_through_the_columns_that_have_an_order() -> None:
    """Each in the direction that is its own; behind the last one there is none."""
    first = next_sorting(COLUMNS, None)
    assert first == Sorting("number", descends=True)
    second = next_sorting(COLUMNS, first)
    assert second == Sorting("place", descends=False)
    assert next_sorting(COLUMNS, second) is None
