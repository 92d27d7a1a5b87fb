"""What needs attention: each rule begins, ranks, and ends as it should, and none flickers."""
# pyright: reportPrivateUsage=false

import itertools
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tui.facts import NOW, health, histogram, overview, row, worker
from zypher_jobs.contracts.deployment import ShadowCounts
from zypher_jobs.contracts.prediction import Status
from zypher_jobs.contracts.stats import Overview, PartHealth, QueueStats
from zypher_tui.core.attention import MOST_NOTES, RULES, Attention
from zypher_tui.core.book import Book
from zypher_tui.core.concerns import Facts, Rule, Scene, Signal, term
from zypher_tui.core.filters import parse
from zypher_tui.core.items import Item, Screen, Severity, Target
from zypher_tui.core.looking_back import LookingBack
from zypher_tui.core.readings import SourceName
from zypher_tui.core.rows import Row, ms_of
from zypher_tui.core.timeline import Frame, Timeline
from zypher_tui.core.trends import KEPT_S, Trends
from zypher_tui.core.view import Link, LinkView


class Watched:
    """A system that is looked at every second."""

    def __init__(self) -> None:
        self.attention = Attention()
        self.at_s = 0.0

    def look(self, *, seconds: int = 1, **fields: Any) -> tuple[Item, ...]:
        """The same figures, each second, for so long; what is not a figure goes to the facts."""
        extra = {name: fields.pop(name) for name in ("links", "rows", "shadows", "health") if name in fields}
        facts = msgspec.structs.replace(overview(workers=[worker("w-1")]), **fields)
        for _ in range(seconds):
            self.at_s += 1
            taken_at = NOW + timedelta(seconds=self.at_s)
            workers = [msgspec.structs.replace(one, seen_at=taken_at - (NOW - one.seen_at)) for one in facts.workers]
            now = msgspec.structs.replace(facts, taken_at=taken_at, workers=workers)
            self.attention.look(Facts(at_s=self.at_s, overview=now, **extra))
        return self.attention.items

    def rules(self) -> list[str]:
        """Names of the rules that have an item now."""
        return [item.rule for item in self.attention.items]


def counts(succeeded: int, failed: int) -> Any:
    """Ended predictions of ``mock``."""
    return overview(counts={Status.SUCCEEDED: succeeded, Status.FAILED: failed}).counts


def queue(**fields: Any) -> QueueStats:
    """The queue ``normal``."""
    return msgspec.structs.replace(QueueStats(name="normal", depth=0, running=0), **fields)


def failed_rows(failed: int, succeeded: int = 0, *, finished_s: float = 0) -> list[Row]:
    """Rows that ended so many seconds after ``NOW``."""
    ended_ms = ms_of(NOW) + round(finished_s * 1000)
    return [
        row(
            f"p{number}",
            status=Status.FAILED if number < failed else Status.SUCCEEDED,
            started_ms=ended_ms - 5,
            finished_ms=ended_ms,
            error_code="model_error" if number < failed else "",
            error_message="ConnectionError: refused" if number < failed else "",
            fingerprint="9b1f" if number < failed else "",
        )
        for number in range(failed + succeeded)
    ]


def test_a_system_that_is_well_needs_nothing() -> None:
    """No item, for however long."""
    watched = Watched()
    assert watched.look(seconds=60, counts=counts(100, 1), health=health()) == ()


def test_no_worker_is_said_once_it_lasts_and_is_worse_when_somebody_waits() -> None:
    """A restart of a second is nobody's trouble."""
    watched = Watched()
    watched.look(workers=[], seconds=2)
    assert watched.rules() == []
    items = watched.look(workers=[], seconds=3)
    assert (items[0].rule, items[0].severity) == ("no worker", Severity.WARNING)
    items = watched.look(workers=[], queue=queue(depth=12), seconds=1)
    assert items[0].severity is Severity.CRITICAL
    assert items[0].sentence == "No worker is alive and 12 predictions wait."
    assert items[0].advice == "Start one: zypher worker"


def test_a_lost_worker_is_said_for_five_minutes() -> None:
    """With what it held; one that drained before is not lost."""
    watched = Watched()
    two = [worker("w-1"), worker("w-2", running=3, host="node-2"), worker("w-3", draining=True)]
    watched.look(workers=two, seconds=5)
    items = watched.look(seconds=5)
    assert [(item.rule, item.subject) for item in items] == [("worker lost", "w-2")]
    assert items[0].sentence == "Worker w-2 (node-2) was lost with 3 running."
    assert items[0].target == Target(screen=Screen.WORKERS, worker_id="w-2")
    watched.look(seconds=320)
    assert watched.rules() == []


def test_a_worker_that_comes_back_is_not_lost() -> None:
    """A reading without it was late."""
    watched = Watched()
    for _ in range(10):
        watched.look(workers=[worker("w-1"), worker("w-2")])
        watched.look()
    assert watched.rules() == []


def test_a_silent_worker_and_one_that_drains_for_long_are_said() -> None:
    """And go when they are well."""
    watched = Watched()
    silent = worker("w-1", seen_at=NOW - timedelta(seconds=5))
    draining = worker("w-2", draining=True, running=2)
    watched.look(workers=[silent, draining], seconds=30)
    assert watched.rules() == ["worker silent"]
    watched.look(workers=[silent, draining], seconds=40)
    assert sorted(watched.rules()) == ["worker draining", "worker silent"]
    watched.look(seconds=10, workers=[worker("w-1"), worker("w-2")])
    assert watched.rules() == []


def test_a_model_that_is_not_ready_is_said_with_its_reason() -> None:
    """At once."""
    ill = msgspec.structs.replace(
        health(), models={"digits": PartHealth(ok=False, detail="Cannot be loaded: no file.")}
    )
    items = Watched().look(health=ill)
    assert items[0].sentence == "Model digits cannot be loaded: no file."
    assert items[0].target.model == "digits"


def test_a_failing_model_is_seen_by_its_rows_at_the_first_look() -> None:
    """Before any counter has moved, with the error and where to read more."""
    items = Watched().look(counts=counts(2, 38), rows=failed_rows(38, 2))
    assert [item.rule for item in items] == ["failing"]
    assert items[0].severity is Severity.CRITICAL
    assert items[0].sentence == "mock: 38 of the last 40 predictions failed: ConnectionError: refused"
    assert items[0].target.filter == "status:failed model:mock fingerprint:9b1f"
    assert [act.key for act in items[0].acts] == ["enter", "r"]


def test_rows_of_synchronous_predictions_alone_prove_nothing() -> None:
    """A server may be told to keep only those that failed."""
    rows = [msgspec.structs.replace(one, mode="sync") for one in failed_rows(38, 2)]
    assert Watched().look(counts=counts(1_000, 38), rows=rows) == ()


def test_old_failures_are_not_news() -> None:
    """Rows of an hour ago say nothing about now."""
    assert Watched().look(counts=counts(2, 38), rows=failed_rows(38, 2, finished_s=-3600)) == ()


def test_a_jump_of_the_failed_share_is_seen_by_the_counters() -> None:
    """Against its own earlier share; a model that always failed a little is let be."""
    watched = Watched()
    watched.look(counts=counts(1_000, 20), seconds=10)
    watched.look(counts=counts(1_038, 22), seconds=10)
    assert watched.rules() == []
    items = watched.look(counts=counts(1_070, 40), seconds=2)
    assert [item.rule for item in items] == ["failing"]
    assert items[0].severity is Severity.WARNING
    assert items[0].sentence.startswith("mock: 18 of the last 50 predictions failed (2.1 % before)")


def test_a_failing_model_does_not_become_the_usual() -> None:
    """What it is compared with stays as it was when the item began."""
    watched = Watched()
    watched.look(counts=counts(1_000, 0), seconds=10)
    for step in range(1, 900):
        watched.look(counts=counts(1_000 + 8 * step, 2 * step), seconds=2)
    assert watched.rules() == ["failing"]
    assert "(0 % before)" in watched.attention.items[0].sentence


def test_a_failing_model_that_recovers_leaves() -> None:
    """Once the last predictions went well for a while."""
    watched = Watched()
    watched.look(counts=counts(1_000, 0), seconds=10)
    watched.look(counts=counts(1_000, 30), seconds=10)
    assert watched.rules() == ["failing"]
    for step in range(60):
        watched.look(counts=counts(1_000 + 20 * step, 30))
    assert watched.rules() == []


def test_webhooks_that_are_suspended_are_a_warning_until_they_are_resumed() -> None:
    """With what to do; there is nothing to open."""
    watched = Watched()
    assert watched.look(webhooks_suspended=0) == ()
    (item,) = watched.look(webhooks_suspended=2)
    assert (item.rule, item.severity) == ("webhooks suspended", Severity.WARNING)
    assert item.sentence == "2 webhooks are suspended: their receivers have failed too long, and nothing is tried."
    assert "PATCH" in item.advice
    assert watched.look(webhooks_suspended=1)[0].sentence.startswith("1 webhook is suspended: its receiver has ")
    assert watched.look(webhooks_suspended=0, seconds=20) == ()


def test_dead_letters_are_a_warning_while_they_grow_and_a_notice_after() -> None:
    """With the key that retries them."""
    watched = Watched()
    watched.look(dead_letters=5, seconds=5)
    assert watched.attention.items[0].severity is Severity.NOTICE
    assert watched.attention.items[0].sentence == "5 dead letters wait for somebody to decide."
    items = watched.look(dead_letters=17, seconds=20)
    assert [item.rule for item in items] == ["dead letters grew"]
    assert items[0].sentence.startswith("12 more dead letters in ")
    assert items[0].sentence.endswith(", 17 in all.")
    assert [(act.key, act.does) for act in items[0].acts] == [("enter", "open"), ("r", "retry all")]
    watched.look(dead_letters=17, seconds=620)
    assert watched.rules() == ["dead letters"]
    watched.look(dead_letters=0, seconds=11)
    assert watched.rules() == []


def test_a_paused_queue_says_how_many_wait_and_how_to_resume_it() -> None:
    """And goes with the next reading after it was resumed."""
    watched = Watched()
    items = watched.look(queues=[queue(name="high", paused=True, depth=3)])
    assert items[0].sentence == "Queue high is paused: 3 predictions wait."
    assert items[0].target.queue == "high"
    assert items[0].target.filter == "status:queued priority:high"
    assert items[0].acts[1].key == "R"
    assert watched.look(queues=[queue(name="high", depth=3)]) == ()


def test_a_queue_that_grows_faster_than_it_drains_is_said_with_an_estimate() -> None:
    """How many more each second, and how much work it is."""
    watched = Watched()
    for second in range(61):
        watched.look(queues=[queue(depth=100 + 10 * second, oldest_age_ms=4_200.0)], ended_per_s=5.0)
    assert watched.rules() == ["backlog"]
    assert watched.attention.items[0].sentence == (
        "Queue normal: 700 wait, 10.0 more each second; the oldest for 4.2 s; 2m20s of work at the present rate."
    )
    watched.look(queues=[queue(depth=3)], ended_per_s=5.0, seconds=12)
    assert watched.rules() == []


def test_a_queue_where_nothing_ends_or_somebody_waits_for_long_is_said() -> None:
    """Few may wait: it is the time that hurts."""
    watched = Watched()
    watched.look(queues=[queue(depth=2, oldest_age_ms=90_000.0)], seconds=7)
    assert watched.attention.items[0].sentence == "Queue normal: 2 wait; the oldest for 1m30s; nothing ends."


def test_a_model_that_became_slower_is_said_with_both_times() -> None:
    """Out of the histograms, the last two minutes against all before."""
    watched = Watched()
    watched.look(latencies=[histogram("run", [0, 1_000, 0, 0])], seconds=130)
    items = watched.look(latencies=[histogram("run", [0, 1_000, 500, 0])], seconds=20)
    assert [item.rule for item in items] == ["slower"]
    assert items[0].sentence == "mock runs for 955 ms (p95), 96 ms before."
    assert items[0].target.filter == "model:mock run>96ms"
    watched.look(latencies=[histogram("run", [0, 1_000, 500, 0])], seconds=200)
    assert watched.rules() == []


def test_what_is_slower_for_half_an_hour_is_the_usual() -> None:
    """A new version may well be slower, and that is nobody's trouble any more."""
    watched = Watched()
    watched.look(latencies=[histogram("run", [0, 1_000, 0, 0])], seconds=130)
    for step in range(1, 400):
        watched.look(latencies=[histogram("run", [0, 1_000, 50 * step, 0])], seconds=5)
    assert watched.rules() == []


@pytest.mark.parametrize(
    ("fields", "rule", "sentence"),
    [
        ({"refused_finishes": 4}, "late ends", "4 ends came too late in 9 s and were refused"),
        ({"counts": overview(counts={Status.EXPIRED: 6}).counts}, "expired", "6 predictions expired in 9 s"),
    ],
)
def test_counters_that_should_not_move_are_said(fields: dict[str, Any], rule: str, sentence: str) -> None:
    """Once they moved by enough."""
    watched = Watched()
    watched.look(seconds=1)
    watched.look(seconds=9, **fields)
    assert watched.rules() == [rule]
    assert watched.attention.items[0].sentence.startswith(sentence)


def test_redis_that_is_slow_or_away_is_said() -> None:
    """Away even when no figures come."""
    watched = Watched()
    watched.look(redis_ms=80.0, seconds=7)
    assert watched.attention.items[0].sentence == "Redis takes 80 ms to answer a PING."
    away = LinkView(source=SourceName.REDIS, link=Link.AWAY, since_s=5.0, reason="connection refused")
    for second in range(4):
        watched.attention.look(Facts(at_s=watched.at_s + second, links=(away,)))
    items = watched.attention.items
    assert items[0].sentence == "Redis has been away for 5 s: connection refused."
    assert items[0].severity is Severity.CRITICAL


def test_a_worker_whose_memory_grows_is_said() -> None:
    """Not while it loads its models."""
    watched = Watched()
    young, old = NOW, NOW - timedelta(hours=1)
    for step in range(200):
        size = 400_000_000 + 2_000_000 * step
        watched.look(
            workers=[worker("w-1", rss_bytes=size, started_at=old), worker("w-2", started_at=young, rss_bytes=size)]
        )
    assert [(item.rule, item.subject) for item in watched.attention.items] == [("memory", "w-1")]
    assert watched.attention.items[0].sentence.startswith("Worker w-1 grew from 400 MB to 798 MB in 3m")


def test_a_shadow_that_answers_otherwise_is_a_notice() -> None:
    """Only once enough were compared."""
    few, many = (
        ShadowCounts(live="1", shadow="2", same=5, different=5),
        ShadowCounts(live="1", shadow="2", same=180, different=20),
    )
    assert Watched().look(shadows={"mock": [few]}) == ()
    items = Watched().look(shadows={"mock": [many]})
    assert items[0].sentence == "mock: its shadow 2 answered unlike 1 in 10 % of 200."
    assert items[0].severity is Severity.NOTICE


def test_the_worst_is_first() -> None:
    """By severity, then by rule."""
    watched = Watched()
    ill = msgspec.structs.replace(health(), models={"digits": PartHealth(ok=False)})
    items = watched.look(
        dead_letters=5, queues=[queue(paused=True, depth=2)], health=ill, counts=counts(2, 38), rows=failed_rows(38, 2)
    )
    assert [item.rule for item in items] == ["not ready", "failing", "paused", "dead letters"]
    assert [item.severity for item in items] == sorted((item.severity for item in items), reverse=True)


def test_items_stay_while_no_newer_figures_come() -> None:
    """Nothing is known to be well again."""
    watched = Watched()
    watched.look(dead_letters=5)
    for second in range(60):
        watched.attention.look(Facts(at_s=watched.at_s + second))
    assert watched.rules() == ["dead letters"]


def test_counters_that_begin_anew_raise_nothing() -> None:
    """Redis was emptied."""
    watched = Watched()
    watched.look(counts=counts(1_000, 500), refused_finishes=50, seconds=10)
    assert watched.look(counts=counts(5, 0), refused_finishes=0, seconds=10) == ()


def level(threshold: float, nearly: float) -> Rule:
    """A rule of one figure: the depth."""

    def check(scene: Scene) -> list[Signal]:
        depth = scene.overview.queue.depth
        if depth < nearly:
            return []
        return [
            Signal(
                subject="depth",
                over=depth >= threshold,
                severity=Severity.WARNING,
                sentence=f"{depth}",
                advice="",
                target=Target(screen=Screen.OVERVIEW),
            )
        ]

    return Rule(name="level", check=check, appears_s=3.0, lingers_s=10.0)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.integers(0, 30), min_size=30, max_size=120))
def test_no_item_flickers(depths: list[int]) -> None:
    """Whatever the figure does: an item comes once it lasted, and goes once all was well for its time."""
    attention = Attention(rules=[level(20, 10)], link_rules=())
    changes: list[tuple[float, bool]] = [(0.0, False)]
    for second, depth in enumerate(depths):
        now = msgspec.structs.replace(overview(depth=depth), taken_at=NOW + timedelta(seconds=second))
        is_there = bool(attention.look(Facts(at_s=float(second), overview=now)))
        if is_there != changes[-1][1]:
            changes.append((float(second), is_there))
            if is_there:
                assert min(depths[second - 3 : second + 1]) >= 20
            else:
                assert max(depths[max(second - 9, 0) : second + 1]) < 10
    shown_for = [after - before for (before, is_there), (after, _) in itertools.pairwise(changes) if is_there]
    assert all(seconds >= 10 for seconds in shown_for)


@settings(deadline=None, max_examples=25)
@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 12), st.floats(0, 120)), min_size=20, max_size=60))
def test_no_rule_flickers_on_a_system_that_sways(steps: list[tuple[int, int, float]]) -> None:
    """All rules over figures that go up and down by chance: what goes has been there for as long as it lingers."""
    attention = Attention()
    lingers = {rule.name: rule.lingers_s for rule in RULES}
    ended = failed = 0
    began: dict[str, float] = {}
    for second, (depth, failures, redis_ms) in enumerate(steps):
        ended, failed = ended + 10, failed + failures
        now = msgspec.structs.replace(
            overview(
                depth=depth,
                counts={Status.SUCCEEDED: ended, Status.FAILED: failed},
                workers=[worker("w-1", seen_at=NOW)],
            ),
            taken_at=NOW + timedelta(seconds=second),
            redis_ms=redis_ms,
            dead_letters=failed,
            refused_finishes=failed // 5,
            ended_per_s=10.0,
        )
        items = {item.key: item for item in attention.look(Facts(at_s=float(second), overview=now))}
        for key in set(began) - set(items):
            assert second - began.pop(key) >= lingers[key.split(":")[0]]
        for key in set(items) - set(began):
            began[key] = float(second)


def test_a_day_takes_no_more_memory_than_twenty_minutes() -> None:
    """Moments are thinned, and workers that went are forgotten."""
    trends, sizes = Trends(), set[int]()
    for step in range(0, 24 * 3600, 7):
        now = overview(counts={Status.SUCCEEDED: step}, workers=[worker(f"w-{step // 600}")])
        trends.add(now, at_s=float(step))
        if step > 2 * KEPT_S:
            sizes.add(len(trends.moments))
    assert max(sizes) <= 2 + 120 / 5 + KEPT_S / 30
    assert len(trends.gone()) <= 2


def test_every_item_names_what_to_do_and_its_filter_can_be_typed() -> None:
    """Sentences end, advice is there, filters parse."""
    watched = Watched()
    name = 'odd "name" here'
    watched.look(counts=counts(0, 0), seconds=2)
    rows = [msgspec.structs.replace(one, model=name, fingerprint="") for one in failed_rows(30)]
    items = watched.look(
        counts=counts(0, 40),
        rows=rows,
        dead_letters=40,
        refused_finishes=9,
        queue=queue(name="default", paused=True),
        seconds=20,
    )
    assert len(items) >= 4
    for item in items:
        assert item.advice
        assert item.sentence
        parse(item.target.filter)
    kept = parse(term("model", name))
    assert kept.tests


def test_what_was_watched_is_known_of_the_past() -> None:
    """Nothing of before, and memory for so many notes only."""
    watched = Watched()
    watched.look(seconds=5)
    watched.look(seconds=300, dead_letters=5)
    watched.look(seconds=100)
    past = watched.attention.at
    assert past(0.5) is None
    assert past(3.0) == ()
    assert [item.rule for item in past(200.0) or ()] == ["dead letters grew"]
    assert past(400.0) == ()
    for step in range(3 * MOST_NOTES):
        watched.look(dead_letters=step % 2, seconds=12)
    assert len(watched.attention._notes) == MOST_NOTES
    assert past(3.0) is None


def recorded(*overviews: Overview) -> LookingBack:
    """Frames of every ten seconds."""
    timeline, book = Timeline(), Book()
    for row_ in failed_rows(38, 2, finished_s=-60):
        book.put(row_)
    for number, one in enumerate(overviews):
        at_s = 10.0 * number
        now = msgspec.structs.replace(one, taken_at=NOW + timedelta(seconds=at_s))
        timeline.add(Frame(at_s=at_s, overview=now, overview_at_s=at_s))
    return LookingBack(timeline, book)


def test_a_time_that_nobody_watched_is_looked_at_again() -> None:
    """Wherever somebody goes, the same is seen there."""
    well, ill = overview(), msgspec.structs.replace(overview(), dead_letters=9)
    back = recorded(*[well] * 30, *[ill] * 30, *[well] * 60)
    found = {at_s: [item.rule for item in back.items(at_s)] for at_s in (250.0, 320.0, 330.0, 560.0, 1_100.0, 320.0)}
    assert found[320.0] == found[330.0] == ["failing", "no worker", "dead letters grew"]
    assert "dead letters grew" not in found[250.0] + found[1_100.0]
    anew = recorded(*[well] * 30, *[ill] * 30, *[well] * 60)
    assert [item.rule for item in anew.items(330.0)] == found[330.0]
    assert anew.items(5_000.0) == anew.items(5_000.0)
    assert recorded().items(100.0) == ()
