"""The worker's side of its leases: which it holds, in memory that its keeper process reads and renews from."""

import logging
import os
import platform
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime

import msgspec

from zypher_jobs import __version__
from zypher_jobs.contracts.stats import WorkerStats
from zypher_jobs.errors import StartError
from zypher_jobs.queue.connection import RedisClient, blocking_options
from zypher_jobs.queue.rows import Claim
from zypher_jobs.worker.keeper import Brief
from zypher_jobs.worker.slots import Lease, Slots

log = logging.getLogger("zypher.worker")

_START_S = 10.0
_PAUSE_S = 0.1
_GOODBYE_S = 3.0


class LeaseKeeper:
    """Holds leases by way of ``zypher_jobs.worker.keeper``; starts that process anew if it dies."""

    def __init__(
        self,
        client: RedisClient,
        *,
        worker_id: str,
        lease_ms: int,
        slots: int,
        spare: int,
        models: list[str],
        abort: Callable[[str], object],
    ) -> None:
        """``slots`` leases may be held, and ``spare`` more for what is taken only to be ended.

        ``abort`` is told, from a thread, which prediction is to be canceled."""
        kind, options = blocking_options(client)
        self._slots = Slots.create(slots + spare)
        self._free = list(range(slots + spare))
        self._held: dict[str, tuple[int, str]] = {}
        self._abort = abort
        now = datetime.now(UTC)
        stats = WorkerStats(
            worker_id=worker_id,
            host=platform.node(),
            pid=os.getpid(),
            version=__version__,
            models=models,
            slots=slots,
            running=0,
            succeeded=0,
            failed=0,
            rss_bytes=0,
            started_at=now,
            seen_at=now,
        )
        self._brief = msgspec.msgpack.encode(
            Brief(connection_kind=kind, connection_options=options, slots=slots + spare, lease_ms=lease_ms, stats=stats)
        )
        self._process: subprocess.Popen[bytes] | None = None
        self._stopping = False
        self._ready = threading.Event()
        self._listener = threading.Thread(target=self._listen, name="lease-keeper", daemon=True)

    def start(self) -> None:
        """Start the keeper's process; blocks until it renews, or the first leases could lapse before it does."""
        self._process = self._spawn()
        self._listener.start()
        if not self._ready.wait(_START_S):
            raise StartError(f"The worker's lease keeper was not ready within {_START_S:g} s.")

    def hold(self, claim: Claim, *, longest_s: float) -> None:
        """Renew this lease from now on, but for no longer than the attempt may run."""
        slot = self._free.pop()
        self._held[claim.prediction_id] = (slot, claim.token)
        until_s = time.monotonic() + longest_s
        try:
            self._slots.write(slot, Lease(claim.prediction_id, claim.queue, claim.token, claim.attempt, until_s))
        except ValueError as error:
            log.warning("a lease cannot be renewed: %s", error, extra={"prediction_id": claim.prediction_id})

    def release(self, claim: Claim) -> None:
        """Renew it no more."""
        slot, token = self._held.get(claim.prediction_id, (-1, ""))
        if token == claim.token:
            del self._held[claim.prediction_id]
            self._slots.clear(slot)
            self._free.append(slot)

    def set_counts(self, succeeded: int, failed: int, *, draining: bool) -> None:
        """What the next heartbeat says."""
        if not self._stopping:
            self._slots.set_counts(succeeded, failed, draining=draining)

    def stop(self) -> None:
        """End the keeper, which takes the worker off the list of those alive; blocks for a moment."""
        self._stopping = True
        if self._process is not None:
            _hang_up(self._process)
            try:
                self._process.wait(_GOODBYE_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
            self._listener.join(_GOODBYE_S)
        self._slots.close()

    def _spawn(self) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(  # noqa: S603  # our own module
            [sys.executable, "-m", "zypher_jobs.worker.keeper", str(self._slots.fd)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=(self._slots.fd,),
        )
        assert process.stdin is not None
        with suppress(BrokenPipeError):  # it died before it had read this: ``_listen`` sees its end
            process.stdin.write(len(self._brief).to_bytes(4, "big") + self._brief)
            process.stdin.flush()
        return process

    def _spawn_again(self) -> subprocess.Popen[bytes]:
        """Until it can be: a machine may have no memory or no process to spare for a while."""
        while True:
            time.sleep(_PAUSE_S)  # not in a tight loop, should it die at its start
            try:
                return self._spawn()
            except OSError:
                log.exception("the lease keeper cannot be started")

    def _listen(self) -> None:
        """In a thread: what the keeper says; a new keeper when it dies."""
        while self._process is not None and self._process.stdout is not None:
            for line in self._process.stdout:
                what, _, prediction_id = line.decode().strip().partition(" ")
                if what == "ready":
                    self._ready.set()
                elif what == "abort":
                    self._abort(prediction_id)
                elif prediction_id in self._held:
                    log.warning("lease lost", extra={"prediction_id": prediction_id})
            self._process.stdout.close()
            _hang_up(self._process)
            code = self._process.wait()
            if self._stopping:
                return
            log.error("the lease keeper died and is started again", extra={"exit_code": code})
            self._process = self._spawn_again()


def _hang_up(process: subprocess.Popen[bytes]) -> None:
    """Close its standard input."""
    with suppress(BrokenPipeError):  # of a brief that it never read
        if process.stdin is not None:
            process.stdin.close()
