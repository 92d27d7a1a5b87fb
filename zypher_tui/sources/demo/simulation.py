"""The simulated system as it lives, a tenth of a second after the other, and what can be done to it."""

import math
import random
from collections import deque
from collections.abc import Callable

from zypher_jobs.contracts.deployment import Traffic
from zypher_jobs.contracts.prediction import Mode, PredictionFailure, Priority, Status
from zypher_tui.sources.demo.cast import MODELS, UNREACHABLE, Failure, Version
from zypher_tui.sources.demo.chronicle import Chronicle
from zypher_tui.sources.demo.colleague import Colleague
from zypher_tui.sources.demo.deployments import Deployments
from zypher_tui.sources.demo.figures import Counters
from zypher_tui.sources.demo.fleet import Fleet, Worker
from zypher_tui.sources.demo.made import API_PROCESS, asked
from zypher_tui.sources.demo.records import Run, past_attempt

STEP_S = 0.1
TURNS = "hhnhhnhnhl"
"""Of ten places six prefer high, three normal, one low, as with the real queues."""
_QUEUES = {"h": Priority.HIGH, "n": Priority.NORMAL, "l": Priority.LOW}
ATTEMPTS = 3
RETRY_AFTER_S = 1.5
AGAIN = 0.6
"""How often an attempt fails like the one before it."""
HELD_UP_S = 26.0
"""How long a worker that drains still runs something."""
STOPS_S = 0.3
"""How long one goes on that runs when it is canceled."""
KEPT = 20_000
"""Predictions; then the oldest go."""


class Simulation:
    """Queues, workers and what they do with predictions. ``advance`` alone lets time pass."""

    def __init__(self, *, seed: int = 7, workers: int = 4, slots: int = 3, busy: bool = True) -> None:
        self.busy = busy
        self.now_s = 0.0
        self.paused: set[Priority] = set()
        self.fleet = Fleet(workers, slots)
        self.deployments = Deployments()
        self.colleague = Colleague(self.paused, self.switch)
        self.guests: list[Callable[[], None]] = []
        """Called at the end of each step."""
        self._random = random.Random(seed)  # noqa: S311  # a simulation
        self._waiting: dict[Priority, deque[Run]] = {priority: deque() for priority in Priority}
        self._running: list[Run] = []
        self._later: list[tuple[float, Run]] = []
        self._runs: dict[str, Run] = {}
        self._counters = Counters()
        self._chronicle = Chronicle()
        self._serial = 0
        self._turn = 0

    def advance(self, to_s: float) -> None:
        """Let the system live until ``to_s`` seconds after its start."""
        while self.now_s + STEP_S <= to_s + 1e-9:
            self.now_s = round(self.now_s + STEP_S, 1)
            if self.busy:
                self.colleague.act(self.now_s)
                self._arrivals()
            lost, draining = self.fleet.step(self.now_s, busy=self.busy)
            for worker in lost:
                self._recover(worker)
            for worker in draining:
                self._hold_up(worker)
            self._expire()
            self._claims()
            self._finishes()
            for guest in self.guests:
                guest()

    def take(self, run: Run) -> None:
        """Somebody asks for it: it waits, or runs at once where the answer is waited for."""
        self._enter(run)
        if run.mode is Mode.SYNC:
            self._start(run, None, at_s=run.created_s if run.is_exact else self.now_s)
        else:
            self._waiting[run.priority].append(run)
            self._tell(run)

    def stop(self, run: Run) -> None:
        """Cancel it: what waits never runs, what runs has a moment left, what ended stays as it is."""
        if run.status is Status.RUNNING:
            run.is_canceled = True
            run.ends_s = min(run.ends_s, self.now_s + STOPS_S)
        elif run.status is Status.QUEUED:
            if run in self._waiting[run.priority]:
                self._waiting[run.priority].remove(run)
            self._later = [each for each in self._later if each[1] is not run]
            self._end(run, Status.CANCELED, self.now_s)

    def waits_for_a_time(self, run: Run) -> bool:
        """Whether it is not due yet."""
        return any(later is run for _, later in self._later)

    def hurry(self, run: Run) -> None:
        """Have one that waits for a time be due."""
        self._later = [each for each in self._later if each[1] is not run]
        self._waiting[run.priority].append(run)
        run.due_s = None
        self._tell(run)

    def switch(self, model: str, traffic: Traffic) -> None:
        """Let the traffic of a model flow there."""
        self.deployments.of(model).send(traffic, ended=self.ended_of(model))

    def ended_of(self, model: str) -> int:
        """How many of a model have ended since the start."""
        return sum(count.count for count in self._counters.counts() if count.model == model)

    def depth_of(self, priority: Priority) -> int:
        """How many wait in a queue."""
        return len(self._waiting[priority])

    @property
    def running_at_once(self) -> int:
        """How many run in the API process, for callers who wait."""
        return sum(run.worker == API_PROCESS for run in self._running)

    def _arrivals(self) -> None:
        t = self.now_s
        rate = 15 + 6 * math.sin(t / 19) + 4 * math.sin(t / 5.3)
        if (t + 10) % 58 < 5:
            rate += 55  # someone sends a batch
        expected = max(rate, 1) * STEP_S
        for _ in range(int(expected) + (self._random.random() < expected % 1)):
            self._ask()

    def _ask(self) -> None:
        run = self._new(self.now_s - self._random.random() * STEP_S)
        if run.priority is Priority.LOW and run.mode is Mode.ASYNC and self._random.random() < 0.2:
            run.deadline_s = run.created_s + 30
        if self.deployments.of(run.model).is_loaded:  # else its caller got a 503
            self.take(run)

    def _enter(self, run: Run) -> Run:
        self._runs[run.prediction_id] = run
        if len(self._runs) > KEPT:
            del self._runs[next(iter(self._runs))]
        return run

    def _new(self, created_s: float) -> Run:
        self._serial += 1
        return asked(self._random, f"zypher{self._serial}", created_s, self.deployments.shares)

    def _claims(self) -> None:
        while (worker := self.fleet.free()) is not None and (run := self._next()) is not None:
            self._start(run, worker, at_s=self.now_s)

    def _next(self) -> Run | None:
        """Whose turn it is."""
        preferred = _QUEUES[TURNS[self._turn % len(TURNS)]]
        for priority in (preferred, *Priority):
            if self._waiting[priority] and priority not in self.paused:
                self._turn += 1
                return self._waiting[priority].popleft()
        return None

    def _start(self, run: Run, worker: Worker | None, *, at_s: float) -> None:
        rng = self._random
        version = MODELS[run.model].version(run.version)
        is_long = run.model == "mock" and not run.is_exact and rng.random() < 0.006
        duration_s = rng.uniform(8, 20) if is_long else rng.lognormvariate(math.log(version.median_s), version.spread)
        run.failure = self._failure(run, version)
        run.status, run.attempts, run.started_s = Status.RUNNING, run.attempts + 1, at_s
        run.ends_s = at_s + duration_s
        run.worker = API_PROCESS if worker is None else worker.worker_id
        if worker is not None:
            worker.running += 1
        self._running.append(run)
        self._tell(run)

    def _failure(self, run: Run, version: Version) -> Failure | None:
        possible = [(share, each) for share, each in version.failures if each.can_befall(run.given)]
        if run.is_fair:
            return next((each for _, each in possible if each.lacks), None)
        again = AGAIN if run.past and run.past[-1].error == UNREACHABLE.error else 0
        return next((each for share, each in possible if self._random.random() < max(share, again)), None)

    def _finishes(self) -> None:
        for run in [run for run in self._running if run.ends_s <= self.now_s]:
            worker = self.fleet.find(run.worker)
            if worker is not None and worker.killed_s is not None:
                continue  # nobody hears of it
            self._running.remove(run)
            if worker is not None:
                worker.running -= 1
            failure = run.failure
            if run.is_canceled:
                self._end(run, Status.CANCELED, run.ends_s)
                continue
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
        run.due_s = self.now_s + after_s if after_s else None
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
        """What a lost worker ran goes to others, unless nobody wants it any more."""
        for run in [run for run in self._running if run.worker == worker.worker_id]:
            self._running.remove(run)
            self._chronicle.note(run, "lost", worker.worker_id, self.now_s)
            if run.is_canceled:
                self._end(run, Status.CANCELED, self.now_s)
                continue
            error = PredictionFailure(code="worker_lost", message="The worker was lost during this attempt.")
            self._again(run, error, self.now_s, after_s=0)

    def _hold_up(self, worker: Worker) -> None:
        """It drains, and something keeps it from ending."""
        run = next((run for run in self._running if run.worker == worker.worker_id), None)
        if run is None:
            run = self._enter(self._new(self.now_s))
            self._start(run, worker, at_s=self.now_s)
        run.ends_s, run.failure = self.now_s + HELD_UP_S, None

    def _tell(self, run: Run) -> None:
        self._chronicle.note(run, run.status.value, run.worker, self.now_s)
