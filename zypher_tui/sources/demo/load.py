"""A load on the simulated system: what is sent when, and what comes of it, all in simulated time."""

import random
from collections.abc import Mapping, Sequence
from heapq import heappop, heappush

import msgspec

from zypher_jobs.contracts.prediction import Mode, Priority, Status
from zypher_jobs.errors import InvalidInput, ModelNotReady, Overloaded, QueueFull, ZypherError
from zypher_tui.core.fitting import misfit
from zypher_tui.load.ledger import Ledger
from zypher_tui.load.meter import Meter, Outcome, outcome_of
from zypher_tui.load.pacing import CATCH_UP, Pacer
from zypher_tui.load.plan import How, Plan
from zypher_tui.load.report import Report, State, report_of
from zypher_tui.sources.demo.cast import chosen
from zypher_tui.sources.demo.made import id_of
from zypher_tui.sources.demo.records import Run
from zypher_tui.sources.demo.simulation import STEP_S
from zypher_tui.sources.demo.system import DemoSystem

ACCEPTED_S, REFUSED_S, ANSWERED_S = 0.0021, 0.0009, 0.0012
"""What the API takes on average to queue one, to refuse one, and for an answer beside the model's run."""
AT_ONCE = 64
"""Predictions that the API process runs at once for callers who wait."""
QUEUE_LIMIT = 2_000
RETRY_AFTER_S = 1.0
GRACE_S, PATIENCE_S = 0.6, 30.0
"""For what is under way when it is stopped, and for the last answers."""
LOOKED_AT = 1_000
_STATUS: Mapping[str, int] = {"queue_full": 429, "overloaded": 503, "model_not_ready": 503, "invalid_input": 422}


class _Call(msgspec.Struct, eq=False):
    """A request whose answer is waited for; it began, since the load did, when it was due."""

    run: Run
    begin_s: float


class SimulatedLoad:
    """One load. ``step`` sends what is due by the system's present time, and takes in what was answered until then."""

    def __init__(self, plan: Plan, inputs: Sequence[bytes], system: DemoSystem, *, number: int) -> None:
        self._plan, self._system, self._name = plan, system, f"load {number}"
        self._model, _, self._version = plan.model.partition("@")
        schema = system.deployments.of(self._model).model.schema
        self._inputs = [(msgspec.json.decode(each), misfit(each.decode(), schema)) for each in inputs]
        self._random = random.Random(self._name)  # noqa: S311  # a simulation
        self._began_s = system.now_s
        self._schedule = plan.schedule
        self._meter, self._ledger = Meter(), Ledger()
        self._pacer = Pacer(plan.limit_per_s * (CATCH_UP if self._schedule else 1))
        self._calls: list[_Call] = []
        self._left: dict[str, Run] = {}
        self._number = 0
        """Of the next request of the schedule."""
        self._free_at_s = [0.0] * (0 if self._schedule else min(plan.callers, plan.in_flight, plan.total))
        """When each caller who has an answer asks again; a heap."""
        self._state = State.RUNNING
        self._sending_for_s: float | None = None
        self._elapsed_s: float | None = None
        self._held_until_s = 0.0

    def step(self) -> None:
        """A tenth of a second has passed."""
        if self._state is not State.ENDED:
            self._take_in()
            if self._sending_for_s is None:
                self._send()
            self._end()
        asked = self._ledger.next(LOOKED_AT)
        self._ledger.found(asked, {each: self._left[each].status for each in asked})

    def stop(self) -> None:
        """Send nothing more; what waits in the queue stays there."""
        if self._state is State.RUNNING:
            self._state, self._sending_for_s = State.STOPPING, self._sending_for_s or self._now_s

    def cancel_open(self) -> None:
        """Cancel what it left there."""
        for prediction_id in self._ledger.next(self._ledger.open):
            self._system.stop(self._left[prediction_id])

    def report(self) -> Report:
        """How it stands now."""
        now_s = self._now_s if self._elapsed_s is None else self._elapsed_s
        return report_of(
            self._plan, self._meter, self._ledger, state=self._state, now_s=now_s, sent_for_s=self._sending_for_s
        )

    @property
    def _now_s(self) -> float:
        return round(self._system.now_s - self._began_s, 1)

    def _send(self) -> None:
        until_s = min(self._now_s, self._plan.duration_s)
        is_all = self._send_on_time(until_s) if self._schedule else self._send_by_callers(until_s)
        if is_all or self._now_s >= self._plan.duration_s:
            self._sending_for_s = until_s

    def _send_on_time(self, until_s: float) -> bool:
        """Whether all of it is sent."""
        assert self._schedule is not None
        while self._number < self._schedule.count and len(self._calls) < self._plan.in_flight:
            due_s = self._schedule.at_s(self._number)
            ready_s = max(due_s, until_s - STEP_S)
            leaves_s = ready_s + self._pacer.wait_s(ready_s)
            if leaves_s > until_s:
                break
            self._number += 1
            if leaves_s < self._held_until_s:
                self._meter.held_back += 1
            else:
                self._ask(leaves_s, due_s)
        return self._number == self._schedule.count

    def _send_by_callers(self, until_s: float) -> bool:
        while self._free_at_s and self._meter.sent < self._plan.total:
            ready_s = max(self._free_at_s[0], self._held_until_s)
            leaves_s = ready_s + self._pacer.wait_s(ready_s)
            if leaves_s > until_s:
                break
            heappop(self._free_at_s)
            self._ask(leaves_s, leaves_s)
        return self._meter.sent == self._plan.total

    def _ask(self, at_s: float, begin_s: float) -> None:
        number = self._meter.sent
        self._pacer.leave(at_s)
        self._meter.leaves(at_s, late_s=at_s - begin_s)
        try:
            run = self._run(number, at_s)
        except ZypherError as error:
            self._refuse(error, at_s, begin_s)
            return
        self._system.take(run)
        if self._plan.how is not How.SYNC:
            self._ledger.accepted(run.prediction_id)
            self._left[run.prediction_id] = run
        if self._plan.how is How.ASYNC:
            self._note(Outcome.OK, at_s + self._random.uniform(0.6, 1.4) * ACCEPTED_S, begin_s)
        else:
            self._calls.append(_Call(run, begin_s))

    def _run(self, number: int, at_s: float) -> Run:
        """Raises what the API answers instead."""
        given, wrong = self._inputs[number % len(self._inputs)]
        deployed, is_sync = self._system.deployments.of(self._model), self._plan.how is How.SYNC
        depth = self._system.depth_of(Priority.NORMAL)
        if not deployed.is_loaded:
            raise ModelNotReady(f"Model {self._model!r} is not ready: it is not loaded.")
        if wrong is not None:
            raise InvalidInput(wrong.sentence, field=wrong.path)
        if is_sync and self._system.running_at_once >= AT_ONCE:
            raise Overloaded(f"Model {self._model!r}", retry_after_s=RETRY_AFTER_S)
        if not is_sync and depth >= QUEUE_LIMIT:
            raise QueueFull(Priority.NORMAL, depth=depth, limit=QUEUE_LIMIT, retry_after_s=RETRY_AFTER_S)
        return Run(
            prediction_id=id_of(f"{self._name} {number}"),
            model=self._model,
            version=self._version or chosen(self._random, deployed.live.shares),
            mode=Mode.SYNC if is_sync else Mode.ASYNC,
            priority=Priority.NORMAL,
            caller="",
            given=given,
            created_s=self._began_s + at_s,
            is_exact=True,
        )

    def _refuse(self, error: ZypherError, at_s: float, begin_s: float) -> None:
        status = _STATUS[error.code]
        if status in (429, 503) and self._plan.honors_retry_after:
            self._held_until_s = at_s + RETRY_AFTER_S
        self._note(outcome_of(status), at_s + REFUSED_S, begin_s, f"{status} {error.code}", error.message)

    def _take_in(self) -> None:
        """What was answered."""
        calls, self._calls = self._calls, []
        for call in calls:
            run = call.run
            if run.finished_s is None:
                self._calls.append(call)
                continue
            is_sync, error = run.mode is Mode.SYNC, run.error
            outcome = Outcome.OK
            if run.status is not Status.SUCCEEDED:
                outcome = Outcome.SERVER_ERROR if is_sync else Outcome.FAILED
            label = f"{'500' if is_sync else run.status} {error.code}" if error else ""
            at_s = run.finished_s - self._began_s + ANSWERED_S
            self._note(outcome, at_s, call.begin_s, label, error.message if error else "")

    def _note(self, outcome: Outcome, at_s: float, begin_s: float, label: str = "", said: str = "") -> None:
        self._meter.ends(outcome, at_s, took_s=at_s - begin_s, label=label, said=said)
        if self._schedule is None:
            heappush(self._free_at_s, at_s)

    def _end(self) -> None:
        """Once nothing is sent any more and everything is answered, or was waited for long enough."""
        if self._sending_for_s is None:
            return
        patience_s = GRACE_S if self._state is State.STOPPING else PATIENCE_S
        if not self._calls or self._now_s >= self._sending_for_s + patience_s:
            self._calls.clear()
            self._meter.abandon(self._now_s)
            self._elapsed_s, self._state = self._now_s, State.ENDED
