"""The queue against a model of it: in whatever order things happen, each prediction is in one place and ends once."""

import asyncio
from collections.abc import Coroutine, Iterator, Sequence
from itertools import count
from typing import Any, TypeVar, cast

import msgspec
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from tests.properties.facts import Facts, read_facts
from tests.queue import steps
from zypher_jobs.contracts.prediction import Prediction, Priority, Status
from zypher_jobs.errors import Conflict, UnknownPrediction
from zypher_jobs.queue import PredictionQueue, keys, scripts
from zypher_jobs.queue.connection import RedisClient, connection_pool
from zypher_jobs.queue.embedded import EmbeddedServer
from zypher_jobs.queue.rows import Claim, Claimed, handed_of

T = TypeVar("T")

FOREVER_MS = 3_600_000
NOTHING = multiple(*list[Any]())
VERDICTS = tuple(status for status in Status if status.is_terminal)


SOME = st.lists(st.integers(0, 50), max_size=4)
"""Which of those that there are, however many: what is drawn must not hang on what happened."""


def some_of(ids: Sequence[str], which: Sequence[int]) -> list[str]:
    """Those of them."""
    return [ids[number % len(ids)] for number in which] if ids else []


class Known(msgspec.Struct):
    """What the model knows of one prediction."""

    priority: Priority
    has_deadline: bool
    status: Status = Status.QUEUED
    counted: int = 0
    """Attempts that count: the next one's number is one more."""
    attempt: int = 0
    """Number of the last attempt that began."""
    lost: set[str] = msgspec.field(default_factory=set[str])
    """Tokens of attempts that count as lost with their worker: those whose worker never said otherwise."""
    holder: str = ""
    """The token of its live lease."""
    lapsed: str = ""
    """The token of a lease that ended by itself, until somebody claims again."""
    is_to_abort: bool = False
    is_dead: bool = False
    is_deferred: bool = False
    ended_by: tuple[str, str] = ("", "")
    """The token that it ended under, and how."""

    @property
    def is_held(self) -> bool:
        """By a live lease."""
        return bool(self.holder)

    @property
    def is_due(self) -> bool:
        """Whether a claim may take it, if its queue is not paused."""
        return not self.status.is_terminal and not self.is_held and not self.is_deferred

    def may_end(self, token: str) -> bool:
        """Whether the holder of that token may report its end."""
        return not self.status.is_terminal and token in (self.holder, self.lapsed)

    def end(self, status: Status) -> None:
        """Its one terminal write."""
        self.status, self.holder, self.lapsed = status, "", ""
        self.is_to_abort = self.is_deferred = False
        self.is_dead = status is Status.FAILED


class QueueMachine(RuleBasedStateMachine):
    """Runs the scripts on a real server, and the same steps on ``Known``."""

    predictions = Bundle[str]("predictions")
    claims = Bundle[Claim]("claims")

    def __init__(self, queue: PredictionQueue, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self.queue = queue
        self.redis: RedisClient = queue
        self.loop = loop
        self.known: dict[str, Known] = {}
        self.paused: set[Priority] = set()
        self.submitted = self.ended = self.dropped = self.retried = 0
        self.numbers = count()
        self.news: Any = self.redis.pubsub(ignore_subscribe_messages=True)
        self.idle: dict[str, int] = {}
        """Workers that stand idle, and their places."""
        self.handed: list[Claim] = []
        scripts.__dict__["_places"] = count()  # whose turn it is among the queues: the same in each run
        self.do(self.redis.flushdb())

    def do(self, what: Coroutine[Any, Any, T]) -> T:
        """Run one step to its end."""
        return self.loop.run_until_complete(what)

    # callers

    @rule(
        target=predictions,
        priority=st.sampled_from(Priority),
        caller=st.sampled_from(["", "anna", "bert"]),
        expires_in_s=st.sampled_from([None, 3600.0]),
    )
    def submits(self, priority: Priority, caller: str, expires_in_s: float | None) -> str:
        """A new prediction, queued."""
        prediction_id = f"p{next(self.numbers)}"
        self.submits_anew(prediction_id, priority, caller, expires_in_s)
        return prediction_id

    @rule(
        prediction_id=predictions,
        priority=st.sampled_from(Priority),
        caller=st.sampled_from(["", "anna"]),
        expires_in_s=st.sampled_from([None, 3600.0]),
    )
    def submits_anew(self, prediction_id: str, priority: Priority, caller: str, expires_in_s: float | None) -> None:
        """An id that is known changes nothing; one that was dropped is new."""
        options: dict[str, Any] = {"priority": priority, "caller": caller, "expires_in_s": expires_in_s}
        told = self.do(steps.submit(self.queue, prediction_id, **options))
        if prediction_id not in self.known:
            assert told.status is Status.QUEUED
            self.is_new(prediction_id, Known(priority, expires_in_s is not None))
        else:
            assert told.status is self.known[prediction_id].status

    def is_new(self, prediction_id: str, known: Known) -> None:
        """It waits, or an idle worker has it already."""
        self.known[prediction_id] = known
        self.submitted += 1
        if self.idle and known.priority not in self.paused:
            worker, message = self.hears()
            claimed = handed_of(message)
            assert steps.ids(claimed) == [prediction_id]
            assert claimed.claims[0].token == f"{worker}/1"
            del self.idle[worker]
            self.taken(claimed)
            self.handed += claimed.claims

    def hears(self) -> tuple[str, bytes]:
        """The next message to an idle worker: to whom, and what."""

        async def message() -> Any:
            while (found := await self.news.get_message(timeout=5)) is None:
                pass
            return found

        found = self.do(message())
        return found["channel"].decode().removeprefix(keys.WORK), found["data"]

    def all_are_woken(self) -> None:
        """Whoever stands idle is told to look."""
        for _ in range(len(self.idle)):
            worker, message = self.hears()
            assert message == b""
            del self.idle[worker]

    @rule(prediction_id=predictions)
    def cancels(self, prediction_id: str) -> None:
        """At once if nobody holds it; else its worker is asked to."""
        if (known := self.known.get(prediction_id)) is None:
            with pytest.raises(UnknownPrediction):
                self.do(self.queue.cancel(prediction_id))
            return
        told = self.do(self.queue.cancel(prediction_id))
        if known.is_held:
            known.is_to_abort = True
        elif not known.status.is_terminal:
            known.end(Status.CANCELED)
            self.ended += 1
        assert told.status is known.status

    @rule(prediction_id=predictions, is_look=st.booleans(), which=SOME)
    def retries(self, prediction_id: str, is_look: bool, which: list[int]) -> None:
        """What waits for a later time is due; each of the others is named with the reason."""
        later = [i for i, known in self.known.items() if known.is_deferred]
        prediction_ids = [prediction_id, *some_of(later, which)]
        told = self.do(self.queue.bulk.retry(prediction_ids, is_look=is_look))
        due = {i for i in prediction_ids if (known := self.known.get(i)) is not None and known.is_deferred}
        assert [i for i, why in zip(prediction_ids, told, strict=True) if why is None] == [
            i for i in dict.fromkeys(prediction_ids) if i in due
        ]
        for each, why in zip(prediction_ids, told, strict=True):
            assert isinstance(why, UnknownPrediction) == (each not in self.known)
        if due and not is_look:
            self.retried += len(due)
            for each in due:
                self.known[each].is_deferred = False
            self.all_are_woken()

    @rule(target=predictions, prediction_id=predictions)
    def replays(self, prediction_id: str) -> Any:
        """What ended is queued anew under another id, and is no dead letter any more."""
        known = self.known.get(prediction_id)
        if known is None or not known.status.is_terminal:
            with pytest.raises(UnknownPrediction if known is None else Conflict):
                self.do(self.queue.replay(prediction_id))
            return NOTHING
        (new,) = self.do(self.queue.bulk.replay([prediction_id], new_ids=[f"p{next(self.numbers)}"]))
        assert isinstance(new, Prediction)
        assert (new.replay_of, new.priority) == (prediction_id, known.priority)
        self.is_new(new.prediction_id, Known(known.priority, has_deadline=False))
        known.is_dead = False
        return new.prediction_id

    @rule(prediction_id=predictions)
    def drops(self, prediction_id: str) -> None:
        """A dead letter is forgotten; nothing else is."""
        known = self.known.get(prediction_id)
        is_dead = known is not None and known.is_dead
        assert self.do(self.queue.drop([prediction_id])) == is_dead
        if is_dead:
            del self.known[prediction_id]
            self.dropped += 1

    @rule(priority=st.sampled_from(Priority))
    def pauses(self, priority: Priority) -> None:
        """Nothing of that queue is claimed."""
        self.do(self.queue.pause(priority))
        self.paused.add(priority)

    @rule(priority=st.sampled_from(Priority))
    def resumes(self, priority: Priority) -> None:
        """It is claimed of again."""
        self.do(self.queue.resume(priority))
        self.paused.discard(priority)
        self.all_are_woken()

    # workers

    @rule(target=claims, places=st.integers(1, 3))
    def stands_idle(self, places: int) -> Any:
        """Claims all there is, and waits for more."""
        worker = f"w{next(self.numbers)}"
        self.do(self.news.subscribe(keys.work(worker)))
        room = len(self.known) + 1
        claimed = self.do(
            self.queue.scripts.claim(
                queues=tuple(keys.QUEUES.values()),
                worker_id=worker,
                room=room,
                lease_ms=FOREVER_MS,
                idle_places=room + places,
            )
        )
        assert claimed.is_idle
        self.idle[worker] = places
        return self.taken(claimed)

    @rule(target=claims)
    def begins_what_it_was_handed(self) -> Any:
        """As if it had claimed it."""
        handed, self.handed = self.handed, []
        return multiple(*handed)

    @rule(target=claims, room=st.integers(1, 4))
    def claims_some(self, room: int) -> Any:
        """As many as there is room for, of what is due and held by nobody."""
        return multiple(*self.claimed(room).claims)

    def claimed(self, room: int) -> Claimed:
        """One claim, as the model expects it."""
        claimed = self.do(steps.claim(self.queue, f"w{next(self.numbers)}", room=room, lease_ms=FOREVER_MS))
        due = {i for i, known in self.known.items() if known.is_due and known.priority not in self.paused}
        assert len(claimed.claims) == min(room, len(due))
        if len(claimed.claims) == room:
            self.all_are_woken()
        assert set(steps.ids(claimed)) <= due
        assert not any(claim.expired for claim in claimed.claims)
        self.taken(claimed)
        return claimed

    @rule(target=claims, room=st.integers(1, 4), which=SOME)
    def expires(self, room: int, which: list[int]) -> Any:
        """What waits past its deadline, wherever it stands and even in a paused queue."""
        waiting = [i for i, k in self.known.items() if k.status is Status.QUEUED and k.has_deadline]
        late = list(dict.fromkeys(some_of(waiting, which)))[:room]
        if late:
            self.do(self.redis.zadd(keys.DEADLINES, dict.fromkeys(late, 1), xx=True))
        claimed = self.do(steps.expire(self.queue, f"w{next(self.numbers)}", room=room))
        assert set(steps.ids(claimed)) == set(late)
        assert all(claim.expired for claim in claimed.claims)
        return self.taken(claimed)

    def taken(self, claimed: Claimed) -> Any:
        """What the model makes of a claim."""
        assert len(set(steps.ids(claimed))) == len(claimed.claims)
        for claim in claimed.claims:
            known = self.known[claim.prediction_id]
            if known.status is Status.RUNNING:
                known.lost.add(known.holder or known.lapsed)
            known.counted += 1
            assert (claim.attempt, claim.lost) == (known.counted, len(known.lost))
            assert (claim.aborted_at_ms > 0) == known.is_to_abort
            assert claim.job is not None
            known.attempt, known.status = claim.attempt, Status.RUNNING
            known.holder, known.lapsed = claim.token, ""
            known.is_to_abort = known.is_deferred = False
        return multiple(*claimed.claims)

    @rule(claim=claims)
    def renews(self, claim: Claim) -> None:
        """Kept while nobody else has it, lost otherwise. What is to be canceled is told."""
        lost, aborted = self.do(steps.renew(self.queue, Claimed(0, None, [claim]), lease_ms=FOREVER_MS))
        known = self.known.get(claim.prediction_id)
        if known is not None and known.may_end(claim.token):
            known.holder, known.lapsed = claim.token, ""
            assert (lost, aborted) == (set(), {claim.prediction_id} if known.is_to_abort else set())
        else:
            assert (lost, aborted) == ({claim.prediction_id}, set())

    @rule(claim=claims)
    def lapses(self, claim: Claim) -> None:
        """Its worker died: the lease ends by itself."""
        known = self.known.get(claim.prediction_id)
        if known is not None and known.holder == claim.token:
            self.do(steps.lapse(self.queue, Claimed(0, None, [claim])))
            known.holder, known.lapsed = "", claim.token

    @rule(claim=claims, verdict=st.sampled_from(VERDICTS))
    def finishes(self, claim: Claim, verdict: Status) -> None:
        """With a verdict, in time or late; accepted if nobody claimed it since."""
        failure = {"error_code": "model_error", "is_dead": True} if verdict is Status.FAILED else {}
        if (known := self.reports(claim, verdict, **failure)) is not None:
            known.end(verdict)
            known.ended_by = (claim.token, verdict)
            self.ended += 1

    @rule(claim=claims, counts=st.booleans(), is_deferred=st.booleans())
    def hands_back(self, claim: Claim, counts: bool, is_deferred: bool) -> None:
        """Queued again, now or later; the attempt counts or does not."""
        # each to a time of its own, however long the steps take
        defer_ms = FOREVER_MS + 10_000 * next(self.numbers) if is_deferred else 0
        if (known := self.reports(claim, Status.QUEUED, counts_as_attempt=counts, defer_ms=defer_ms)) is not None:
            known.status, known.holder, known.lapsed = Status.QUEUED, "", ""
            known.is_deferred = defer_ms > 0
            known.counted -= not counts
            self.all_are_woken()

    @rule(room=st.integers(1, 3), counts=st.booleans())
    def fails_some(self, room: int, counts: bool) -> None:
        """What is taken fails at once, and waits for a later time."""
        for claim in self.claimed(room).claims:
            self.hands_back(claim, counts=counts, is_deferred=True)

    def reports(self, claim: Claim, status: Status, **how: Any) -> Known | None:
        """Sent twice, as when the first answer was lost; what it was of if it was accepted, once."""
        known = self.known.get(claim.prediction_id)
        accepted = known is not None and known.may_end(claim.token)
        written = known is not None and known.ended_by == (claim.token, status)
        finish = steps.finish_of(claim, status, **how)
        told = self.do(self.queue.scripts.finish([finish, finish], retention_ms=steps.KEPT_MS)).accepted
        assert told == ([True, True] if written else [accepted, False])
        if known is not None and not accepted and not written:
            known.lost.discard(claim.token)  # late, not lost: its worker lives
        again = self.do(self.queue.scripts.finish([finish], retention_ms=steps.KEPT_MS)).accepted
        assert again == [written or (accepted and status.is_terminal)]
        return known if accepted else None

    @rule()
    def time_passes(self) -> None:
        """What was deferred falls due."""
        for prediction_id, known in self.known.items():
            if known.is_deferred:
                known.is_deferred = False
                self.do(self.redis.zadd(keys.QUEUES[known.priority], {prediction_id: keys.TURNS_END}))

    # what must hold

    @invariant()
    def each_is_in_one_place(self) -> None:
        """One list for each, its record says the same, and the queues hold what has not ended."""
        facts = self.do(read_facts(self.redis, list(self.known)))
        assert sorted(i for ids in facts.lists.values() for i in ids) == sorted(self.known)
        assert sorted(i for ids in facts.queues.values() for i in ids) == sorted(self.alive())
        for prediction_id, known in self.known.items():
            assert prediction_id in facts.lists[known.status]
            assert facts.records[prediction_id] == (known.status, known.attempt)
            assert known.status.is_terminal or prediction_id in facts.queues[known.priority]
        assert facts.leases == {i: k.holder for i, k in self.known.items() if k.is_held}
        assert facts.attempts == {i: k.counted for i, k in self.alive().items() if k.attempt}
        assert facts.jobs == set(self.alive())
        assert facts.results == set(self.known) - set(self.alive())
        assert facts.later - set(facts.leases) == {i for i, k in self.known.items() if k.is_deferred}
        assert facts.dead == {i for i, k in self.known.items() if k.is_dead}
        assert facts.aborts == {i for i, k in self.known.items() if k.is_to_abort}
        assert facts.deadlines == {i for i, k in self.known.items() if k.status is Status.QUEUED and k.has_deadline}
        self.nothing_is_lost(facts)

    def nothing_is_lost(self, facts: Facts) -> None:
        """Submitted = waiting + running + terminal, and each end was counted once."""
        waiting, running = len(facts.lists[Status.QUEUED]), len(facts.lists[Status.RUNNING])
        assert self.submitted == waiting + running + self.ended
        assert sum(len(facts.lists[status]) for status in VERDICTS) == self.ended - self.dropped
        assert facts.counted == self.ended

    def alive(self) -> dict[str, Known]:
        """What has not ended."""
        return {i: known for i, known in self.known.items() if not known.status.is_terminal}

    def teardown(self) -> None:
        """The events tell the same story: each life begins once and ends at most once."""
        self.do(self.news.aclose())
        told = self.do(all_events(self.queue))
        follows = {"": {"queued"}, "queued": {"queued", "running", "canceled"}, "lost": {"running"}}
        follows["running"] = {"queued", "lost", *VERDICTS}
        last: dict[str, str] = {}
        retried = 0
        for prediction_id, status in told:
            before = last.get(prediction_id, "")
            retried += before == status == "queued"
            begins_anew = status == "queued" and before in {"", Status.FAILED}  # dropped and submitted again
            assert begins_anew or status in follows[before]
            last[prediction_id] = status
        assert retried == self.retried
        assert {i: last[i] for i in self.known} == {i: k.status for i, k in self.known.items()}
        assert sum(status in VERDICTS for _, status in told) == self.ended


async def all_events(queue: PredictionQueue) -> list[tuple[str, str]]:
    """Prediction and status of every event there is."""
    redis: RedisClient = queue
    entries: list[tuple[bytes, dict[bytes, bytes]]] = await redis.xrange(keys.EVENTS)
    return [(e[0], e[1]) for _, fields in entries for e in msgspec.msgpack.decode(fields[b"events"])]


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """One event loop for all runs of the machine."""
    with asyncio.Runner() as runner:
        yield runner.get_loop()


def test_the_queue_does_what_its_model_does(shared_server: EmbeddedServer, loop: asyncio.AbstractEventLoop) -> None:
    """Submit, claim, renew, lapse, finish, late finish, cancel, retry now, pause, expire, replay, drop in any order."""
    queue = PredictionQueue(connection_pool(shared_server.url, timeout_s=5), retention_s=60)
    machine = cast("type[QueueMachine]", lambda: QueueMachine(queue, loop))
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=120,
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
        ),
    )
    loop.run_until_complete(queue.aclose())
