"""What became of every 202: from the events, the records, the file of runs and the logs."""

import asyncio
import json
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

import msgspec
from redis.exceptions import RedisError

from tests.chaos.faults import Faults
from tests.chaos.load import Load
from tests.chaos.stack import Stack
from zypher_jobs.contracts.prediction import Status
from zypher_jobs.queue import keys

AT_ONCE = 5_000
TERMINAL = {status for status in Status if status.is_terminal}


class Run(msgspec.Struct):
    """One time that the model ran."""

    pid: int
    began_s: float
    ended_s: float | None = None


class Recovery(msgspec.Struct, frozen=True):
    """What one SIGKILL of a worker did."""

    victims: int
    """Predictions that it was running."""
    longest_s: float
    """Until the last of them began again."""


class Ledger(msgspec.Struct, kw_only=True):
    """The result; ``lines`` prints it."""

    seed: int
    seconds: float
    submitted: int
    refused: dict[str, int]
    accepted: int
    ended: dict[str, int]
    """Accepted ones by how they ended."""
    lost: list[str]
    """Accepted ones that are unknown or not terminal."""
    lost_before_redis_kill: int
    """Those of them that were accepted within the second before a SIGKILL of Redis."""
    ended_twice: list[str]
    """Accepted ones with more than one terminal event."""
    without_answer: int
    """Runs of work whose caller was told nothing or no: at most once each."""
    run_more_than_once: int
    run_twice_at_once: int
    late_finishes_refused: int
    long_polls: dict[str, int]
    faults: dict[str, int]
    recoveries: list[Recovery]
    redis_recovery_s: list[float]
    """From a Redis that answers again to the first 202."""
    left_behind: dict[str, int]
    """Keys that say that something waits or runs, when nothing should."""
    tracebacks: list[str]

    def lines(self) -> Iterator[str]:
        """The ledger for people."""
        yield f"seed {self.seed}, {self.seconds:.0f} s"
        yield f"submitted             {self.submitted:8,}"
        for why, number in sorted(self.refused.items()):
            yield f"  refused             {number:8,}  {why}"
        yield f"accepted (202)        {self.accepted:8,}"
        for how, number in sorted(self.ended.items()):
            yield f"  {how:20}{number:8,}"
        yield f"  lost                {len(self.lost):8,}  {' '.join(self.lost[:5])}"
        yield f"    of the last second before a Redis kill {self.lost_before_redis_kill:,}"
        yield f"  ended twice         {len(self.ended_twice):8,}  {' '.join(self.ended_twice[:5])}"
        yield f"run more than once    {self.run_more_than_once:8,}  (at the same time: {self.run_twice_at_once:,})"
        yield f"run without a 202     {self.without_answer:8,}"
        yield f"late finishes refused {self.late_finishes_refused:8,}"
        yield f"long polls            {_counts(self.long_polls)}"
        yield f"left behind           {_counts(self.left_behind) or 'nothing'}"
        for name, number in sorted(self.faults.items()):
            yield f"  {number:6,} times {name}"
        victims = [recovery.longest_s for recovery in self.recoveries if recovery.victims]
        yield f"worker SIGKILL → its last prediction begins again: {_distribution(victims)}"
        yield f"Redis answers again → first 202: {_distribution(self.redis_recovery_s)}"
        for traceback in self.tracebacks[:5]:
            yield f"traceback in a log: {traceback}"

    def problems(self, *, every_write_is_synced: bool) -> list[str]:
        """What must not be; empty if all is well."""
        found: list[str] = []
        if every_write_is_synced and (self.lost or self.ended_twice):
            found.append(f"lost {self.lost}, ended twice {self.ended_twice}")
        if len(self.lost) > self.lost_before_redis_kill:
            found.append(f"lost earlier than a second before a Redis kill: {self.lost}")
        if self.left_behind:
            found.append(f"left behind: {self.left_behind}")
        if self.tracebacks:
            found.append(f"tracebacks in logs: {self.tracebacks}")
        if not self.accepted:
            found.append("nothing was accepted")
        return found


class Follower:
    """Reads the stream of events while it is written: it is bounded, and the run is long."""

    def __init__(self, stack: Stack) -> None:
        self.terminal: Counter[str] = Counter()
        self._client = stack.client
        self._last = b"0"

    async def run(self) -> None:
        """Until canceled."""
        while True:
            try:
                while await self.read() == AT_ONCE:
                    pass
            except (RedisError, OSError):
                pass
            await asyncio.sleep(0.2)

    async def read(self) -> int:
        """What came since the last time; how many."""
        events = await self._client.xrange(keys.EVENTS, min=b"(" + self._last, count=AT_ONCE)
        for event_id, fields in events:
            self._last = event_id
            for prediction_id, status, *_ in msgspec.msgpack.decode(fields[b"events"]):
                self.terminal[prediction_id] += status in TERMINAL
        return len(events)


async def settle(stack: Stack, *, timeout_s: float) -> dict[str, int]:
    """Wait until nothing waits or runs; what says otherwise after ``timeout_s``."""
    deadline = asyncio.get_running_loop().time() + timeout_s
    while True:
        left = await _left_behind(stack.client)
        if not left or asyncio.get_running_loop().time() > deadline:
            return left
        await asyncio.sleep(0.2)


async def take_stock(
    stack: Stack, load: Load, faults: Faults, follower: Follower, *, seed: int, seconds: float, left: dict[str, int]
) -> Ledger:
    """The ledger, once the stack has settled."""
    await follower.read()
    statuses = await _statuses(stack.client, list(load.accepted))
    lost = [prediction_id for prediction_id, status in statuses.items() if status is None]
    runs = read_runs(stack)
    accepted_keys = {accepted.key for accepted in load.accepted.values()}
    logged = list(_logged(stack))
    return Ledger(
        seed=seed,
        seconds=seconds,
        submitted=load.submitted,
        refused=dict(load.refused),
        accepted=len(load.accepted),
        ended=dict(Counter(status for status in statuses.values() if status is not None)),
        lost=lost,
        lost_before_redis_kill=sum(
            any(killed - 1 <= load.accepted[one].at_s <= killed + 0.1 for killed in faults.redis_kills) for one in lost
        ),
        ended_twice=[one for one in load.accepted if follower.terminal[one] > 1],
        without_answer=len(runs.keys() - accepted_keys),
        run_more_than_once=sum(len(of_one) > 1 for of_one in runs.values()),
        run_twice_at_once=sum(map(overlaps, runs.values())),
        late_finishes_refused=sum("refused: the lease was lost" in str(line["message"]) for line in logged),
        long_polls=dict(load.waited),
        faults=dict(faults.done),
        recoveries=[recovery_of(runs, pid, at_s) for pid, at_s in faults.worker_kills],
        redis_recovery_s=[
            min(after) - back
            for back in faults.redis_back
            if (after := [accepted.at_s for accepted in load.accepted.values() if accepted.at_s > back])
        ],
        left_behind=left,
        tracebacks=[
            f"{line['part']}: {line['message']}: {line['traceback'][-300:]}" for line in logged if "traceback" in line
        ],
    )


async def _statuses(client: Any, prediction_ids: list[str]) -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    for start in range(0, len(prediction_ids), AT_ONCE):
        chunk = prediction_ids[start : start + AT_ONCE]
        async with client.pipeline(transaction=False) as pipe:
            for prediction_id in chunk:
                pipe.hmget(keys.record(prediction_id), "status", "error_code")
            for prediction_id, (status, code) in zip(chunk, await pipe.execute(), strict=True):
                if status is None or not Status(status.decode()).is_terminal:
                    found[prediction_id] = None
                else:
                    found[prediction_id] = status.decode() + (f": {code.decode()}" if code else "")
    return found


async def _left_behind(client: Any) -> dict[str, int]:
    counts: dict[str, int] = {}
    for queue in keys.QUEUES.values():
        counts[queue] = await client.zcard(queue)
    for status in (Status.QUEUED, Status.RUNNING):
        counts[keys.listed(status)] = await client.zcard(keys.listed(status))
    if not any(counts.values()):  # only then: it looks at every key
        for prefix in (keys.ARQ_JOB, keys.ARQ_IN_PROGRESS, keys.ARQ_RETRY):
            counts[prefix] = len([key async for key in client.scan_iter(match=prefix + "*", count=1000)])
    return {key: count for key, count in counts.items() if count}


def read_runs(stack: Stack) -> dict[int, list[Run]]:
    runs: dict[int, list[Run]] = defaultdict(list)
    for line in stack.runs_file.read_text(encoding="ascii").splitlines():
        what, key, pid, at_s = line.split()
        if what == "begin":
            runs[int(key)].append(Run(int(pid), float(at_s)))
        else:
            for run in reversed(runs[int(key)]):
                if run.pid == int(pid) and run.ended_s is None:
                    run.ended_s = float(at_s)
                    break
    return runs


def overlaps(runs: list[Run]) -> bool:
    """Whether one began while another went on that also came to its end."""
    ordered = sorted(runs, key=lambda run: run.began_s)
    return any(
        one.ended_s is not None and later.began_s < one.ended_s
        for at, one in enumerate(ordered)
        for later in ordered[at + 1 :]
    )


def recovery_of(runs: dict[int, list[Run]], pid: int, killed_s: float) -> Recovery:
    again: list[float] = []
    for of_one in runs.values():
        if any(run.pid == pid and run.ended_s is None and run.began_s <= killed_s for run in of_one):
            later = [run.began_s for run in of_one if run.began_s > killed_s]
            again.append(min(later) - killed_s if later else 0.0)
    return Recovery(len(again), max(again, default=0.0))


def _logged(stack: Stack) -> Iterator[dict[str, Any]]:
    for part in stack.parts:
        for line in part.log.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                yield json.loads(line)
            except ValueError:
                yield {"part": part.name, "message": "not a log line", "traceback": line}


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {number:,}" for name, number in sorted(counts.items()))


def _distribution(seconds: list[float]) -> str:
    if not seconds:
        return "none"
    ordered = sorted(seconds)
    p90 = ordered[min(len(ordered) - 1, round(0.9 * len(ordered)))]
    return (
        f"{len(ordered)} times, shortest {ordered[0]:.2f} s, p50 {statistics.median(ordered):.2f} s, "
        f"p90 {p90:.2f} s, longest {ordered[-1]:.2f} s"
    )
