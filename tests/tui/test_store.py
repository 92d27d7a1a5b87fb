"""Which facts are shown, and what is said of those that are missing."""

import msgspec

from tests.tui.facts import health, histogram, overview, reading
from zypher_jobs import __version__
from zypher_jobs.contracts.prediction import Status
from zypher_jobs.contracts.stats import PartHealth
from zypher_tui.core.readings import SourceName
from zypher_tui.core.store import Store
from zypher_tui.core.view import Link

API, REDIS = SourceName.API, SourceName.REDIS


def test_before_anything_is_known_it_says_connecting() -> None:
    """Never blank, never wrong."""
    view = Store().view(0)
    assert [link.link for link in view.links] == [Link.CONNECTING, Link.CONNECTING]
    assert not view.has_figures
    assert view.notice is None


def test_the_api_is_preferred_while_it_brings_figures() -> None:
    """Redis is then only asked whether it answers."""
    store = Store()
    store.fold(reading(API, 1, overview=overview(depth=5), health=health()))
    store.fold(reading(REDIS, 1.1, overview=overview(depth=99)))
    view = store.view(1.2)
    assert (view.figures.depth, view.figures_from) == (5, API)
    assert not store.links.wants(REDIS, 1.2)
    assert store.links.wants(API, 1.2)


def test_with_the_api_away_figures_come_from_redis() -> None:
    """And it says so, for how long and why."""
    store = Store()
    store.fold(reading(API, 1, overview=overview(depth=5), health=health()))
    store.fold(reading(API, 2, error="connection refused", latency_ms=None))
    assert store.links.wants(REDIS, 2)
    store.fold(reading(REDIS, 3, overview=overview(depth=6)))
    store.fold(reading(API, 14, error="connection refused", latency_ms=None))
    store.fold(reading(REDIS, 14, overview=overview(depth=7)))
    view = store.view(14)
    assert view.figures.depth == 7
    assert view.stale_s is None
    assert view.notice == "API away for 12 s: connection refused. Figures come straight from Redis."
    assert view.uptime_s is None


def test_with_redis_away_the_last_figures_stay_with_their_age() -> None:
    """The API's health still shows."""
    store = Store()
    store.fold(reading(API, 1, overview=overview(depth=5), health=health()))
    store.fold(reading(REDIS, 1))
    store.fold(reading(API, 4, health=health(redis_ok=False), overview_error="Redis cannot be reached"))
    store.fold(reading(REDIS, 4, error="cannot be reached", latency_ms=None))
    view = store.view(9)
    assert view.figures.depth == 5
    assert view.stale_s == 8
    assert view.uptime_s == 60
    assert [link.link for link in view.links] == [Link.UP, Link.AWAY]
    assert view.notice == "Redis away for 5 s: cannot be reached. Figures are 8 s old."


def test_without_an_address_of_redis_the_api_tells_how_it_is() -> None:
    """And when the API is away nobody knows."""
    store = Store(expected=[API])
    store.fold(reading(API, 1, overview=overview(), health=health()))
    assert [(link.link, link.latency_ms) for link in store.view(1).links] == [(Link.UP, 1.0), (Link.UP, 0.3)]
    store.fold(reading(API, 2, health=health(redis_ok=False), overview_error="Redis cannot be reached"))
    assert store.view(5).notice == "Redis away for 3 s: cannot be reached. Figures are 4 s old."
    store.fold(reading(API, 6, error="connection refused"))
    assert [link.link for link in store.view(6).links] == [Link.AWAY, Link.UNKNOWN]


def test_everything_recovers_by_itself() -> None:
    """One good reading ends the notice."""
    store = Store()
    for source in (API, REDIS):
        store.fold(reading(source, 1, error="connection refused"))
    assert store.view(1).notice is not None
    store.fold(reading(API, 9, overview=overview(depth=1), health=health()))
    store.fold(reading(REDIS, 9))
    view = store.view(9)
    assert view.notice is None
    assert view.stale_s is None


def test_an_api_that_has_no_figures_says_why() -> None:
    """It answers, but not with what is asked for."""
    store = Store(expected=[API])
    store.fold(reading(API, 1, health=health(), overview_error="it asks for a key (401)"))
    notice = store.view(1).notice
    assert notice is not None
    assert "it asks for a key (401)" in notice


def test_an_api_of_another_version_is_named_with_both() -> None:
    """Where that may be why its answers are not understood."""
    store = Store(expected=[API])
    other = msgspec.structs.replace(health(), version="9.8.7")
    store.fold(reading(API, 1, health=other, overview_error="it answers, but not as this version of Zypher expects"))
    notice = store.view(1).notice
    assert notice is not None
    assert f"It is Zypher 9.8.7, this dashboard is of Zypher {__version__}." in notice


def test_a_model_that_is_not_ready_is_named_with_its_reason() -> None:
    """Where nothing worse is to be said; until it is ready again."""
    store = Store()
    away = PartHealth(ok=False, detail="Not ready: its server does not answer (no connection in time).")
    sick = msgspec.structs.replace(health(), models={"mock": PartHealth(ok=True), "far": away})
    store.fold(reading(REDIS, 1))
    store.fold(reading(API, 1, overview=overview(), health=sick))
    assert store.view(1).notice == "Model far not ready: its server does not answer (no connection in time)."
    sick = msgspec.structs.replace(sick, models=sick.models | {"near": PartHealth(ok=False)})
    store.fold(reading(API, 2, overview=overview(), health=sick))
    assert (store.view(2).notice or "").endswith("(no connection in time). 1 more not ready.")
    store.fold(reading(API, 3, overview=overview(), health=health()))
    assert store.view(3).notice is None


def test_a_source_that_fell_silent_is_not_relied_upon() -> None:
    """Even if it never said that it is away."""
    store = Store()
    store.fold(reading(API, 1, overview=overview(depth=5), health=health()))
    assert store.view(5).stale_s is None
    assert store.view(30).stale_s == 29
    assert store.links.wants(REDIS, 30)


def test_share_and_percentiles_look_back_one_minute() -> None:
    """What failed an hour ago does not color what is happening now."""
    store = Store(expected=[API])
    for at_s, done, failed, slow in ((0.0, 100, 100, 50), (100.0, 200, 100, 50), (130.0, 290, 110, 50)):
        counts = {Status.SUCCEEDED: done, Status.FAILED: failed}
        latencies = [histogram("run", [done, 0, slow, 0]), histogram("wait", [0, done, 0, 0])]
        store.fold(reading(API, at_s, overview=overview(counts=counts, latencies=latencies), health=health()))
    figures = store.view(130).figures
    assert figures.failed_share == 0.1
    assert figures.window_s == 30
    assert figures.run_p95 is not None
    assert figures.run_p95.ms <= 10
    assert figures.wait_p50 is not None
    assert 10 <= figures.wait_p50.ms <= 100


def test_with_nothing_ended_lately_all_there_is_counts() -> None:
    """A figure of an idle system is better than none, and says what it covers."""
    store = Store(expected=[API])
    for at_s in (0.0, 30.0):
        store.fold(reading(API, at_s, overview=overview(counts={Status.SUCCEEDED: 3, Status.FAILED: 1})))
    figures = store.view(30).figures
    assert figures.failed_share == 0.25
    assert figures.window_s is None
    assert figures.per_s == 0
