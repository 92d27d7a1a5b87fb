"""Which time is shown, without a screen."""

import pytest

from tests.tui.facts import health, overview, reading
from zypher_tui.core.readings import SourceName
from zypher_tui.core.store import Store
from zypher_tui.core.times import Span, Times

FIRST_S, NOW_S = 10, 100


@pytest.fixture
def times() -> Times:
    """Of a store that knows of each second since the tenth."""
    store = Store()
    for second in range(FIRST_S, NOW_S + 1):
        store.fold(reading(SourceName.API, second, overview=overview(), health=health()))
    return Times(store, lambda: float(NOW_S))


def test_it_is_now_until_somebody_stops_it(times: Times) -> None:
    """And then again."""
    assert (times.view.now_s, times.view.past_s) == (NOW_S, None)
    times.turn()
    assert (times.view.now_s, times.view.past_s) == (NOW_S, 0)
    times.turn()
    assert times.view.past_s is None


@pytest.mark.parametrize(
    ("steps", "shown_s"), [((-10,), 90), ((-10, -10, 5), 85), ((-300,), FIRST_S), ((-10, 300), NOW_S)], ids=str
)
def test_a_step_stops_it_and_leads_no_further_than_what_is_known(
    times: Times, steps: tuple[int, ...], shown_s: int
) -> None:
    """Neither before the first time nor behind now."""
    for step in steps:
        times.step(step)
    assert times.at_s == shown_s


def test_both_ends_are_a_step_away(times: Times) -> None:
    """The last one is now, which goes on."""
    times.show_bound(-1)
    assert times.at_s == FIRST_S
    times.show_bound(1)
    assert times.at_s is None


def test_nobody_goes_back_while_nothing_is_known() -> None:
    """There is no time to go to."""
    times = Times(Store(), lambda: 5.0)
    times.step(-10)
    times.show_bound(-1)
    assert times.at_s is None


def test_a_place_in_all_times_and_the_time_there_are_each_others_way_back() -> None:
    """For the bar that shows them; where there is one time only, that is the end."""
    span = Span(first_s=10, last_s=110)
    assert [span.share_of(at_s) for at_s in (10, 60, 110)] == [0, 0.5, 1]
    assert [span.at(share) for share in (0, 0.5, 1)] == [10, 60, 110]
    assert Span(first_s=10, last_s=10).share_of(10) == 1
