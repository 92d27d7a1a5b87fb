"""What was shown at each time, and how little of it is kept."""

import pytest

from tests.tui.facts import health, overview, reading, summary
from zypher_tui.core.readings import SourceName
from zypher_tui.core.store import Store
from zypher_tui.core.timeline import COARSE_S, FINE_S, KEPT_S, Frame, Timeline

API = SourceName.API


def test_a_frame_is_the_newest_that_is_not_later() -> None:
    """Before the first there is none; what comes too soon after another is left out."""
    timeline = Timeline()
    for at_s, depth in ((1.0, 1), (1.2, 99), (2.0, 2), (9.0, 3)):
        timeline.add(Frame(at_s=at_s, overview=overview(depth=depth, latest=[summary("a")])))
    assert timeline.at(0.9) is None
    depths = [
        frame.overview.queue.depth
        for at_s in (1.0, 1.9, 2.0, 8.9, 100.0)
        if (frame := timeline.at(at_s)) and frame.overview
    ]
    assert depths == [1, 1, 2, 2, 3]
    kept = timeline.at(9.0)
    assert kept is not None
    assert kept.overview is not None
    assert kept.overview.latest == []


def test_days_of_watching_take_no_more_than_hours() -> None:
    """Each second of late, each ten before that, nothing before twelve hours."""
    timeline = Timeline()
    for second in range(0, 2 * int(KEPT_S), 1):
        timeline.add(Frame(at_s=float(second)))
    assert len(timeline) == pytest.approx(FINE_S + (KEPT_S - FINE_S) / COARSE_S, abs=20)
    assert timeline.last_s is not None
    assert timeline.first_s == pytest.approx(timeline.last_s - KEPT_S, abs=2 * COARSE_S)


def test_what_a_server_recorded_comes_before_it() -> None:
    """Only what is earlier; figures and charts of that time are there at once."""
    store = Store(expected=[API])
    store.fold(reading(API, 100.0, overview=overview(depth=5), health=health()))
    store.add_earlier(
        [
            Frame(at_s=at_s, overview=overview(depth=round(at_s)), overview_at_s=at_s)
            for at_s in (70.0, 80.0, 90.0, 120.0)
        ]
    )
    assert store.timeline.first_s == 70.0
    view = store.view(101.0, at_s=84.0)
    assert view.figures.depth == 80
    assert view.past_s == 17.0
    assert [sample.depth for sample in view.samples(last_s=60)] == [70, 80]
    assert [sample.depth for sample in store.view(101.0).samples(last_s=60)] == [70, 80, 90, 5]


def test_an_outage_is_seen_in_the_past_too() -> None:
    """Who was away, and what was said of it."""
    store = Store(expected=[API])
    store.fold(reading(API, 1.0, overview=overview(depth=5), health=health()))
    for at_s in (2.0, 3.0, 4.0):
        store.fold(reading(API, at_s, error="connection refused", latency_ms=None))
    store.fold(reading(API, 5.0, overview=overview(depth=6), health=health()))
    assert store.view(9.0, at_s=1.5).notice is None
    assert store.view(9.0, at_s=4.5).notice == "API away for 2 s: connection refused. Figures are 3 s old."
    assert store.view(9.0, at_s=5.0).notice is None
