"""A simulated system: the same facts at the same time for the same seed, with no server. For tests and pictures."""

import math
import random
from collections import deque
from collections.abc import Sequence
from datetime import timedelta
from functools import cached_property
from itertools import chain, islice

import msgspec

from zypher_jobs.contracts.event import Event
from zypher_jobs.contracts.prediction import (
    DeadLetter,
    DeadLetterGroup,
    Mode,
    Prediction,
    PredictionFailure,
    PredictionSummary,
    Priority,
    Status,
)
from zypher_jobs.contracts.stats import Health, Overview, PartHealth
from zypher_jobs.contracts.webhook import Delivery
from zypher_jobs.errors import UnknownPrediction
from zypher_tui.core.letters import grouped
from zypher_tui.core.readings import SourceName
from zypher_tui.core.story import Told
from zypher_tui.sources.demo.cast import MODELS, UNREACHABLE
from zypher_tui.sources.demo.deliveries import deliveries_of
from zypher_tui.sources.demo.figures import Counters, queue_stats
from zypher_tui.sources.demo.fleet import CYCLE_S, Fleet, Worker
from zypher_tui.sources.demo.made import API_PROCESS, asked, earlier
from zypher_tui.sources.demo.records import START, Run, at, past_attempt

STEP_S = 0.1
TURNS = "hhnhhnhnhl"
"""Of ten places six prefer high, three normal, one low, as with the real queues."""
_QUEUES = {"h": Priority.HIGH, "n": Priority.NORMAL, "l": Priority.LOW}
LOW_PAUSED_S, LOW_RESUMED_S = 95.0, 200.0
"""When in each cycle somebody pauses the lowest queue, and resumes it."""
ATTEMPTS = 3
RETRY_AFTER_S = 1.5
AGAIN = 0.6
"""How often an attempt fails like the one before it."""
HELD_UP_S = 26.0
"""How long a worker that drains still runs something."""
KEPT = 20_000
"""Predictions; then the oldest go."""
KEPT_EVENTS = 5_000


class DemoSystem:
    """An API, its queues and its workers. Set ``away`` and ``busy`` at any time; facts change with ``advance``."""

    def __init__(self, *, seed: int = 7, workers: int = 4, slots: int = 3, busy: bool = True) -> None:
        self.away: set[SourceName] = set()
        self.busy = busy
        self.now_s = 0.0
        self.paused: set[Priority] = set()
        self.fleet = Fleet(workers, slots)
        self._seed = seed
        self._random = random.Random(seed)  # noqa: S311  # a simulation
        self._waiting: dict[Priority, deque[Run]] = {priority: deque() for priority in Priority}
        self._running: list[Run] = []
        self._later: list[tuple[float, Run]] = []
        self._runs: dict[str, Run] = {}
        self._counters = Counters()
        self._events: deque[Event] = deque(maxlen=KEPT_EVENTS)
        self._happened = 0
        self._serial = 0
        self._turn = 0

    def advance(self, to_s: float) -> None:
        """Let the system live until ``to_s`` seconds after its start."""
        while self.now_s + STEP_S <= to_s + 1e-9:
            self.now_s = round(self.now_s + STEP_S, 1)
            if self.busy:
                self._operate()
                self._arrivals()
            lost, draining = self.fleet.step(self.now_s, busy=self.busy)
            for worker in lost:
                self._recover(worker)
            for worker in draining:
                self._hold_up(worker)
            self._expire()
            self._claims()
            self._finishes()

    def health(self) -> Health:
        """``GET /health``."""
        redis_up = SourceName.REDIS not in self.away
        redis = PartHealth(ok=True, latency_ms=0.3) if redis_up else PartHealth(ok=False, detail="connection refused")
        return Health(
            status="ok" if redis_up else "degraded",
            version="0.1.0",
            uptime_s=11_000 + self.now_s,
            redis=redis,
            workers=PartHealth(ok=True),
            workers_alive=len(self.fleet.alive),
            models={name: PartHealth(ok=True) for name in MODELS},
        )

    def overview(self, *, latest: int = 100) -> Overview:
        """``GET /stats``."""
        waiting = {priority: list(runs) for priority, runs in self._waiting.items()}
        for _, run in self._later:
            waiting[run.priority].append(run)
        running = [run for run in self._running if run.mode is Mode.ASYNC]
        return Overview(
            taken_at=at(self.now_s),
            redis_ms=0.3,
            queue=queue_stats("default", list(chain(*waiting.values())), len(running), self.now_s),
            queues=[
                queue_stats(
                    priority.value,
                    waiting[priority],
                    sum(run.priority is priority for run in running),
                    self.now_s,
                    paused=priority in self.paused,
                )
                for priority in Priority
            ],
            ended_per_s=self._counters.ended_per_s(self.now_s),
            dead_letters=sum(run.is_dead for run in self._runs.values()),
            counts=self._counters.counts(),
            latencies=self._counters.latencies(),
            workers=sorted(
                (worker.stats(self.now_s, self.fleet.slots) for worker in self.fleet.alive),
                key=lambda worker: worker.worker_id,
            ),
            latest=self._newest(latest),
        )

    def prediction(self, prediction_id: str) -> Prediction:
        """``GET /predict/{id}``."""
        run = self._find(prediction_id)
        waiting = self._waiting[run.priority]
        return run.whole(self.now_s, waiting.index(run) if run in waiting else None)

    def given(self, prediction_id: str) -> object:
        """Its whole input."""
        return self._find(prediction_id).given

    def summaries(self, prediction_ids: Sequence[str]) -> list[PredictionSummary]:
        """Lines of those that are known."""
        found = (self._runs.get(each) or self._earlier.get(each) for each in prediction_ids)
        return [run.summary(self.now_s) for run in found if run is not None]

    def page(self, before: str | None, limit: int) -> tuple[list[PredictionSummary], str | None]:
        """Newest first, those from before the start too; the cursor is the last one's id."""
        every = chain(reversed(self._runs.values()), self._earlier.values())
        if before is not None:
            for run in every:
                if run.prediction_id == before:
                    break
        runs = list(islice(every, limit))
        return [run.summary(self.now_s) for run in runs], runs[-1].prediction_id if len(runs) == limit else None

    def story(self, prediction_id: str) -> list[Told]:
        """``GET /predict/{id}/events`` as far as it goes."""
        run = self._find(prediction_id)
        return [*run.said(self.now_s), *([Told(kind="end")] if run.status.is_terminal else [])]

    def deliveries(self, prediction_id: str) -> list[Delivery]:
        """Who was told of its end."""
        return deliveries_of(self._find(prediction_id))

    def ended_of(self, model: str) -> int:
        """How many of a model have ended since the start."""
        return sum(count.count for count in self._counters.counts() if count.model == model)

    def dead_letters(self) -> list[DeadLetter]:
        """Newest first."""
        dead = [run for run in self._runs.values() if run.is_dead]
        return [run.letter() for run in sorted(dead, key=lambda run: -(run.finished_s or 0))]

    def dead_letter_groups(self) -> list[DeadLetterGroup]:
        """By the kind of their error, with what went well last."""
        good: dict[str, Run] = {}
        for run in self._runs.values():
            if run.status is Status.SUCCEEDED and (run.finished_s or 0) >= (good.get(run.model, run).finished_s or 0):
                good[run.model] = run
        return [
            msgspec.structs.replace(group, last_good_id=run.prediction_id, last_good_at=at(run.finished_s or 0))
            if (run := good.get(group.model))
            else group
            for group in grouped(self.dead_letters())
        ]

    def running_on(self, worker_id: str) -> list[PredictionSummary]:
        """What a worker runs, newest first."""
        found = [run for run in self._running if run.worker == worker_id]
        return [run.summary(self.now_s) for run in sorted(found, key=lambda run: -run.created_s)]

    @property
    def last_event_id(self) -> str | None:
        """Of what happened last."""
        return self._events[-1].event_id if self._events else None

    def events(self, after_id: str | None) -> list[Event]:
        """What happened behind that one, as far as it is kept."""
        number = 0 if after_id is None else int(after_id.rpartition(".")[2])
        missed = self._happened - number
        return list(self._events)[-missed:] if missed > 0 else []

    def _operate(self) -> None:
        """Somebody pauses the lowest queue for a while."""
        phase_s = round(self.now_s % CYCLE_S, 1)
        if phase_s == LOW_PAUSED_S:
            self.paused.add(Priority.LOW)
        elif phase_s == LOW_RESUMED_S:
            self.paused.discard(Priority.LOW)

    def _arrivals(self) -> None:
        t = self.now_s
        rate = 15 + 6 * math.sin(t / 19) + 4 * math.sin(t / 5.3)
        if (t + 10) % 58 < 5:
            rate += 55  # someone sends a batch
        expected = max(rate, 1) * STEP_S
        for _ in range(int(expected) + (self._random.random() < expected % 1)):
            self._submit()

    def _submit(self) -> None:
        run = self._new(self.now_s - self._random.random() * STEP_S)
        if run.priority is Priority.LOW and run.mode is Mode.ASYNC and self._random.random() < 0.2:
            run.deadline_s = run.created_s + 30
        self._enter(run)
        if run.mode is Mode.SYNC:
            self._start(run, None)
        else:
            self._waiting[run.priority].append(run)
            self._tell(run)

    def _enter(self, run: Run) -> Run:
        self._runs[run.prediction_id] = run
        if len(self._runs) > KEPT:
            del self._runs[next(iter(self._runs))]
        return run

    def _new(self, created_s: float) -> Run:
        self._serial += 1
        return asked(self._random, f"zypher{self._serial}", created_s)

    def _claims(self) -> None:
        while (worker := self.fleet.free()) is not None and (run := self._next()) is not None:
            self._start(run, worker)

    def _next(self) -> Run | None:
        """Whose turn it is."""
        preferred = _QUEUES[TURNS[self._turn % len(TURNS)]]
        for priority in (preferred, *Priority):
            if self._waiting[priority] and priority not in self.paused:
                self._turn += 1
                return self._waiting[priority].popleft()
        return None

    def _start(self, run: Run, worker: Worker | None) -> None:
        rng = self._random
        version = MODELS[run.model].version(run.version)
        is_long = run.model == "mock" and rng.random() < 0.006
        duration_s = rng.uniform(8, 20) if is_long else rng.lognormvariate(math.log(version.median_s), version.spread)
        again = AGAIN if run.past and run.past[-1].error == UNREACHABLE.error else 0
        run.failure = next((each for share, each in version.failures if rng.random() < max(share, again)), None)
        run.status, run.attempts, run.started_s = Status.RUNNING, run.attempts + 1, self.now_s
        run.ends_s = self.now_s + duration_s
        run.worker = API_PROCESS if worker is None else worker.worker_id
        if worker is not None:
            worker.running += 1
        self._running.append(run)
        self._tell(run)

    def _finishes(self) -> None:
        for run in [run for run in self._running if run.ends_s <= self.now_s]:
            worker = self.fleet.find(run.worker)
            if worker is not None and worker.killed_s is not None:
                continue  # nobody hears of it
            self._running.remove(run)
            failure = run.failure
            if worker is not None:
                worker.running -= 1
            if failure is not None and failure.is_retried and run.attempts < ATTEMPTS and run.mode is Mode.ASYNC:
                self._again(run, failure.error, run.ends_s, after_s=RETRY_AFTER_S * run.attempts)
                continue
            if worker is not None:
                worker.succeeded += failure is None
                worker.failed += failure is not None
            self._end(run, Status.SUCCEEDED if failure is None else Status.FAILED, run.ends_s)

    def _end(self, run: Run, status: Status, at_s: float) -> None:
        run.status, run.finished_s = status, at_s
        self._counters.count(run, self.now_s)
        self._tell(run)

    def _again(self, run: Run, error: PredictionFailure, ended_s: float, *, after_s: float) -> None:
        """The attempt is over, and another will follow."""
        run.past = [*run.past, past_attempt(run, error, ended_s)]
        run.status, run.started_s, run.worker, run.failure = Status.QUEUED, None, "", None
        if after_s:
            self._later.append((self.now_s + after_s, run))
        else:
            self._waiting[run.priority].appendleft(run)
        self._tell(run)

    def _expire(self) -> None:
        """Those that are due come back, and those that waited beyond their deadline end."""
        for due in [each for each in self._later if each[0] <= self.now_s]:
            self._later.remove(due)
            self._waiting[due[1].priority].append(due[1])
        for run in [run for run in self._waiting[Priority.LOW] if run.deadline_s and run.deadline_s < self.now_s]:
            self._waiting[Priority.LOW].remove(run)
            self._end(run, Status.EXPIRED, run.deadline_s or self.now_s)

    def _recover(self, worker: Worker) -> None:
        """What a lost worker ran goes to others."""
        for run in [run for run in self._running if run.worker == worker.worker_id]:
            self._running.remove(run)
            self._happen(run, "lost", worker.worker_id)
            error = PredictionFailure(code="worker_lost", message="The worker was lost during this attempt.")
            self._again(run, error, self.now_s, after_s=0)

    def _hold_up(self, worker: Worker) -> None:
        """It drains, and something keeps it from ending."""
        run = next((run for run in self._running if run.worker == worker.worker_id), None)
        if run is None:
            run = self._enter(self._new(self.now_s))
            self._start(run, worker)
        run.ends_s, run.failure = self.now_s + HELD_UP_S, None

    def _tell(self, run: Run) -> None:
        self._happen(run, run.status.value, run.worker)

    def _happen(self, run: Run, status: str, worker: str) -> None:
        self._happened += 1
        self._events.append(
            Event(
                event_id=f"{round((START + timedelta(seconds=self.now_s)).timestamp() * 1000)}-0.{self._happened}",
                at=at(self.now_s if run.finished_s is None else run.finished_s),
                prediction_id=run.prediction_id,
                status=status,
                model="" if status in ("running", "lost") else run.model,
                attempt=run.attempts,
                worker=worker,
            )
        )

    @cached_property
    def _earlier(self) -> dict[str, Run]:
        return earlier(self._seed) if self.busy else {}

    def _find(self, prediction_id: str) -> Run:
        run = self._runs.get(prediction_id) or self._earlier.get(prediction_id)
        if run is None:
            raise UnknownPrediction(prediction_id)
        return run

    def _newest(self, limit: int) -> list[PredictionSummary]:
        return [run.summary(self.now_s) for run in islice(reversed(self._runs.values()), limit)]
