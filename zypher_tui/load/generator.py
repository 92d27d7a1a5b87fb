"""Sends a load: within its bounds, to the end or until it is told to stop."""

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress

from zypher_jobs.contracts.prediction import Status
from zypher_tui.load.ledger import Ledger
from zypher_tui.load.meter import Meter, Outcome, outcome_of
from zypher_tui.load.pacing import CATCH_UP, Pacer
from zypher_tui.load.plan import How, Plan
from zypher_tui.load.report import Report, State, report_of
from zypher_tui.load.target import PATIENCE_S, Reply, Target, TargetAway
from zypher_tui.sources.source import MOST_IDS

GRACE_S = 0.6
"""For what is under way when it is told to stop."""
LOOK_EVERY_S = 0.5
LOOKS = 5
"""Of ``MOST_IDS`` each, at most, one after the other."""
LONGEST_HOLD_S = 60.0
"""However long a refusal says."""


class Generator:
    """One load. What it sent is its own; it touches nothing else."""

    def __init__(self, plan: Plan, inputs: Sequence[bytes], target: Target) -> None:
        self.plan = plan
        self._inputs = inputs
        self._target = target
        self._schedule = plan.schedule
        self._meter = Meter()
        self._ledger = Ledger()
        self._pacer = Pacer(plan.limit_per_s * (CATCH_UP if self._schedule else 1))
        self._room = asyncio.Semaphore(plan.in_flight)
        self._gate = asyncio.Lock()
        self._stop = asyncio.Event()
        self._calls = set[asyncio.Task[None]]()
        self._state = State.READY
        self._began_s = 0.0
        self._sending_for_s: float | None = None
        """How long it sent, once it sends no more."""
        self._elapsed_s = 0.0
        self._held_until_s = 0.0

    async def run(self) -> None:
        """Send all of it and wait for the answers, half a minute for the last; or until ``stop``."""
        self._state = State.RUNNING
        self._began_s = time.perf_counter()
        looking = asyncio.create_task(self._look_now_and_then())
        sending = asyncio.create_task(self._send_on_time() if self._schedule else self._send_by_callers())
        stopping = asyncio.create_task(self._stop.wait())
        try:
            await asyncio.wait((sending, stopping), timeout=self.plan.duration_s, return_when=asyncio.FIRST_COMPLETED)
            if sending.done():
                sending.result()
            await _cancel(sending)
            self._sending_for_s = self._now_s()
            if self._calls and not self._stop.is_set():
                answered = asyncio.create_task(asyncio.wait(self._calls))
                await asyncio.wait((answered, stopping), timeout=PATIENCE_S, return_when=asyncio.FIRST_COMPLETED)
                await _cancel(answered)
            if self._calls and self._stop.is_set():
                self._state = State.STOPPING
                await asyncio.wait(self._calls, timeout=GRACE_S)
        finally:
            await _cancel(sending, stopping, looking, *self._calls)
            self._elapsed_s = self._now_s()
            self._meter.abandon(self._elapsed_s)
            self._state = State.ENDED

    def stop(self) -> None:
        """Send nothing more; what is under way has a moment left, what waits in the queue stays there."""
        if self._state is State.RUNNING:
            self._state = State.STOPPING
        self._stop.set()

    async def look(self) -> None:
        """Ask how it stands with the predictions that nobody waited for. Raises ``TargetAway``."""
        for _ in range(LOOKS):
            asked = self._ledger.next(MOST_IDS)
            if not asked:
                return
            ended = self._ledger.found(asked, await self._target.statuses(asked))
            if ended < len(asked) // 2:
                return

    async def cancel_open(self) -> int:
        """Cancel what is left of it in the queue; returns how many were asked for. Raises ``TargetAway``."""
        ids = self._ledger.next(self._ledger.open)
        await self._target.cancel(ids)
        return len(ids)

    def report(self) -> Report:
        """How it stands now."""
        now_s = 0.0 if self._state is State.READY else self._elapsed_s or self._now_s()
        return report_of(
            self.plan, self._meter, self._ledger, state=self._state, now_s=now_s, sent_for_s=self._sending_for_s
        )

    async def _send_on_time(self) -> None:
        assert self._schedule is not None
        for number in range(self._schedule.count):
            due_s = self._schedule.at_s(number)
            await asyncio.sleep(max(due_s - self._now_s(), 0.0))
            await self._room.acquire()
            await self._pace()
            if self._now_s() < self._held_until_s:
                self._meter.held_back += 1
                self._room.release()
            else:
                self._start(due_s).add_done_callback(lambda _: self._room.release())

    async def _send_by_callers(self) -> None:
        callers = min(self.plan.callers, self.plan.in_flight, self.plan.total)
        async with asyncio.TaskGroup() as group:
            for _ in range(callers):
                group.create_task(self._be_a_caller())

    async def _be_a_caller(self) -> None:
        while True:
            async with self._gate:  # one waits for the instant, the others for the one
                while (hold_s := self._held_until_s - self._now_s()) > 0:  # noqa: ASYNC110  # it may grow meanwhile
                    await asyncio.sleep(hold_s)
                await self._pace()
                if self._meter.sent >= self.plan.total:
                    return
                call = self._start(None)
            await asyncio.shield(call)  # who stops sending still takes the answer

    async def _pace(self) -> None:
        await asyncio.sleep(self._pacer.wait_s(self._now_s()))
        self._pacer.leave(self._now_s())

    def _start(self, due_s: float | None) -> asyncio.Task[None]:
        now_s = self._now_s()
        body = self._inputs[self._meter.sent % len(self._inputs)]
        self._meter.leaves(now_s, late_s=0.0 if due_s is None else now_s - due_s)
        call = asyncio.create_task(self._call(body, now_s if due_s is None else due_s))
        self._calls.add(call)
        call.add_done_callback(self._calls.discard)
        return call

    async def _call(self, body: bytes, begin_s: float) -> None:
        """One request, from when it was due to its outcome."""
        reply = await self._target.send(self.plan.path, body, is_async=self.plan.how is not How.SYNC)
        if reply.status == 202 and reply.prediction_id:
            self._ledger.accepted(reply.prediction_id)
            if self.plan.how is How.WAIT:
                reply = await self._wait_for(reply.prediction_id)
        now_s = self._now_s()
        outcome = self._outcome(reply, now_s)
        self._meter.ends(outcome, now_s, took_s=now_s - begin_s, label=reply.label, said=reply.said)

    async def _wait_for(self, prediction_id: str) -> Reply:
        while True:
            reply = await self._target.wait_for(prediction_id)
            if reply.ended is not None:
                self._ledger.found((prediction_id,), {prediction_id: reply.ended})
            if reply.ended is not None or reply.status != 200:
                return reply

    def _outcome(self, reply: Reply, now_s: float) -> Outcome:
        if reply.retry_after_s is not None and self.plan.honors_retry_after:
            self._held_until_s = max(self._held_until_s, now_s + min(reply.retry_after_s, LONGEST_HOLD_S))
        if reply.status == 0:
            return Outcome.NO_ANSWER
        if reply.ended not in (None, Status.SUCCEEDED):
            return Outcome.FAILED
        return outcome_of(reply.status)

    async def _look_now_and_then(self) -> None:
        while self.plan.how is How.ASYNC:
            await asyncio.sleep(LOOK_EVERY_S)
            with suppress(TargetAway):
                await self.look()

    def _now_s(self) -> float:
        return time.perf_counter() - self._began_s


async def _cancel(*tasks: asyncio.Task[object]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
