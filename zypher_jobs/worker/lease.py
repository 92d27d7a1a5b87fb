"""Keeps a worker's leases and publishes its heartbeat, from a thread of its own: a blocked event loop loses neither."""

import logging
import os
import platform
import resource
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
from redis.exceptions import RedisError

from zypher_jobs import __version__
from zypher_jobs.contracts.stats import WorkerStats
from zypher_jobs.queue import keys
from zypher_jobs.queue.connection import RedisClient, blocking_client
from zypher_jobs.queue.scripts import Claim, source

log = logging.getLogger("zypher.worker")

_ANSWER_TIMEOUT_S = 1.0
_LONGEST_INTERVAL_S = 1.0
_encode = msgspec.msgpack.Encoder().encode


class LeaseKeeper(threading.Thread):
    """Renews every held lease each third of its length, at least once a second, and says that the worker lives.

    While Redis is away it goes on trying; a lease that lapsed meanwhile is taken up again if nobody else took it.
    """

    def __init__(
        self,
        client: RedisClient,
        *,
        worker_id: str,
        lease_ms: int,
        slots: int,
        models: list[str],
        counts: Callable[[], tuple[int, int, bool]],
        abort: Callable[[str], object],
    ) -> None:
        """``counts`` tells succeeded, failed and whether the worker drains; ``abort`` is told what to cancel.

        Both are called from this thread.
        """
        super().__init__(name="lease-keeper", daemon=True)
        self._redis = blocking_client(client)
        self._renew: Any = self._redis.register_script(source("renew"))
        self._beat: Any = self._redis.register_script(source("heartbeat"))
        self._worker_id = worker_id
        self._lease_ms = lease_ms
        self._slots = slots
        self._models = models
        self._counts = counts
        self._abort = abort
        self._held: dict[str, tuple[str, str, int]] = {}
        self._started_at = datetime.now(UTC)
        self._stop_requested = threading.Event()

    def hold(self, claim: Claim) -> None:
        """Renew this lease from now on."""
        self._held[claim.prediction_id] = (claim.queue, claim.token, claim.attempt)

    def release(self, claim: Claim) -> None:
        """Renew it no more. A later lease of the same worker on the same prediction stays."""
        if self._held.get(claim.prediction_id, ("", "", 0))[1] == claim.token:
            del self._held[claim.prediction_id]

    def run(self) -> None:
        """The thread: until ``stop``."""
        interval_s = min(self._lease_ms / 3000, _LONGEST_INTERVAL_S)
        away = False
        while True:
            try:
                self._renew_and_beat()
                away = False
            except (RedisError, OSError) as error:
                if not away:
                    log.warning("heartbeat not written", extra={"error": type(error).__name__})
                away = True
            if self._stop_requested.wait(interval_s):
                break
        self._say_goodbye()

    def stop(self) -> None:
        """End the thread and take the worker off the list of those alive."""
        self._stop_requested.set()
        self.join(timeout=3 * _ANSWER_TIMEOUT_S)

    def _renew_and_beat(self) -> None:
        held = dict(self._held)
        if held:
            leases = [part for prediction_id, lease in held.items() for part in (prediction_id, *lease)]
            lost, aborted = self._renew(args=[self._lease_ms, *leases])
            for prediction_id in map(bytes.decode, lost):
                # one that finished while the script was under way is no loss
                if self._held.get(prediction_id) == held[prediction_id]:
                    self._held.pop(prediction_id, None)
                    log.warning("lease lost", extra={"prediction_id": prediction_id})
            for prediction_id in map(bytes.decode, aborted):
                self._abort(prediction_id)
        self._beat(
            keys=[keys.WORKERS, keys.worker(self._worker_id)],
            args=[self._worker_id, _encode(self._stats(len(held))), int(keys.HEARTBEAT_TTL_S * 1000)],
        )

    def _stats(self, running: int) -> WorkerStats:
        succeeded, failed, draining = self._counts()
        return WorkerStats(
            worker_id=self._worker_id,
            host=platform.node(),
            pid=os.getpid(),
            version=__version__,
            models=self._models,
            slots=self._slots,
            running=running,
            succeeded=succeeded,
            failed=failed,
            rss_bytes=resident_bytes(),
            started_at=self._started_at,
            seen_at=datetime.now(UTC),
            draining=draining,
        )

    def _say_goodbye(self) -> None:
        try:
            with self._redis.pipeline(transaction=False) as pipe:
                pipe.zrem(keys.WORKERS, self._worker_id)
                pipe.delete(keys.worker(self._worker_id))
                pipe.execute()
        except (RedisError, OSError):
            log.debug("the heartbeat was left to lapse")
        self._redis.close()


def resident_bytes() -> int:
    """Memory of this process now (Linux), or at its peak (elsewhere)."""
    try:
        return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * resource.getpagesize()
    except OSError:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024
