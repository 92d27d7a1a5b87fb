"""A worker's lease keeper: a small process beside it that renews its leases and says that it lives.

A process, not a thread: a model that holds the GIL in C (``sum(range(10**9))``) stops every thread of the worker, and
must not lose its lease for that. The keeper renews as long as the worker is there to finish what it holds: not when the
worker is gone (its end of the pipe closes), not when it is stopped (SIGSTOP, a frozen container), and no lease for
longer than its attempt may run.

It is started by ``zypher_jobs.worker.lease`` with a ``Brief`` on its standard input, which stays open as long as the
worker lives. On its standard output it writes lines: ``ready``, then ``abort ID`` or ``lost ID`` for what the worker
should know.
"""

import os
import select
import signal
import sys
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
from redis.exceptions import RedisError

from zypher_jobs.contracts.stats import WorkerStats
from zypher_jobs.processes import ask_ps, resident_bytes
from zypher_jobs.queue import keys
from zypher_jobs.queue.connection import blocking_client_with
from zypher_jobs.queue.scripts import source
from zypher_jobs.worker.slots import Slots

LONGEST_INTERVAL_S = 1.0


class Brief(msgspec.Struct, frozen=True, kw_only=True):
    """What a keeper is told at its start; by pipe, as it may hold a password."""

    connection_kind: str
    connection_options: dict[str, Any]
    slots: int
    lease_ms: int
    stats: WorkerStats
    """The heartbeat, but for its counts and times."""


class Keeper:
    """Renews and beats until the worker is gone."""

    def __init__(self, brief: Brief, slots: Slots, worker_pid: int) -> None:
        redis = blocking_client_with(brief.connection_kind, brief.connection_options)
        self._redis = redis
        self._renew: Any = redis.register_script(source("renew"))
        self._beat: Any = redis.register_script(source("heartbeat"))
        self._brief = brief
        self._slots = slots
        self._worker_pid = worker_pid
        self._told_lost: set[bytes] = set()

    def run(self) -> None:
        """Until standard input ends: then the leases lapse by themselves, or were all released."""
        os.write(1, b"ready\n")
        interval_s = min(self._brief.lease_ms / 3000, LONGEST_INTERVAL_S)
        while True:
            if not is_stopped(self._worker_pid):
                with suppress(RedisError, OSError):  # the worker meets the same trouble and says so
                    self._renew_and_beat()
            if select.select([0], [], [], interval_s)[0]:
                break
        self._say_goodbye()

    def _renew_and_beat(self) -> None:
        now_s = time.monotonic()
        leases = [lease for lease in self._slots.leases() if lease.until_s > now_s]
        if leases:
            rows = [part for one in leases for part in (one.prediction_id, one.queue, one.token, one.attempt)]
            lost, aborted = self._renew(args=[self._brief.lease_ms, *rows])
            self._tell("lost", [prediction_id for prediction_id in lost if prediction_id not in self._told_lost])
            self._told_lost = set(lost)
            self._tell("abort", aborted)
        succeeded, failed, draining = self._slots.counts()
        stats = msgspec.structs.replace(
            self._brief.stats,
            running=len(leases),
            succeeded=succeeded,
            failed=failed,
            draining=draining,
            rss_bytes=resident_bytes(self._worker_pid),
            seen_at=datetime.now(UTC),
        )
        self._beat(
            keys=[keys.WORKERS, keys.worker(stats.worker_id)],
            args=[stats.worker_id, msgspec.msgpack.encode(stats), int(keys.HEARTBEAT_TTL_S * 1000)],
        )

    def _tell(self, what: str, prediction_ids: list[bytes]) -> None:
        for prediction_id in prediction_ids:
            os.write(1, f"{what} {prediction_id.decode()}\n".encode())

    def _say_goodbye(self) -> None:
        with suppress(RedisError, OSError), self._redis.pipeline(transaction=False) as pipe:  # else it lapses
            pipe.zrem(keys.WORKERS, self._brief.stats.worker_id)
            pipe.delete(keys.worker(self._brief.stats.worker_id))
            pipe.execute()


def is_stopped(pid: int) -> bool:
    """Whether a process is stopped or traced, and so cannot finish anything."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="latin-1")
        return stat.rpartition(")")[2].split()[0] in "Tt"
    except OSError:
        pass  # no such process (standard input says so in a moment), or no /proc on this system
    return ask_ps("state", pid).startswith("T")


def main(fd: int) -> None:
    """The process: a brief on standard input, the table of leases at ``fd``."""
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, signal.SIG_IGN)  # a drain needs its leases until the last report
    worker_pid = os.getppid()
    length = int.from_bytes(os.read(0, 4), "big")
    packed = b""
    while len(packed) < length and (part := os.read(0, length - len(packed))):
        packed += part
    if len(packed) < length or not packed:
        return  # the worker died while it started this
    brief = msgspec.msgpack.decode(packed, type=Brief)
    with suppress(BrokenPipeError):  # the worker died: nobody is left to be told
        Keeper(brief, Slots(fd, brief.slots), worker_pid).run()


if __name__ == "__main__":
    main(int(sys.argv[1]))
