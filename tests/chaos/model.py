"""The model that runs under chaos: what it does is written down outside of everything that may be killed."""

import asyncio
import hashlib
import os
import time

import msgspec

from zypher_jobs.models import Model

RUNS_FILE = "CHAOS_RUNS"
"""The environment variable that names the file of runs."""


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """What to do."""

    key: int
    """The caller's own name for it: the side effect's."""
    ms: float


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """What was done."""

    key: int
    answer: str
    """Follows from the work, and from nothing else."""


def done_of(work: Work) -> Done:
    """What the model must return."""
    return Done(key=work.key, answer=hashlib.sha256(f"{work.key}:{work.ms}".encode()).hexdigest())


class ChaosModel(Model[Work, Done]):
    """Appends a line when it begins and one when it ends or is stopped, each in one write. It never fails."""

    name = "chaos"

    def load(self) -> None:
        """Open the file of runs; a process that only takes requests has none."""
        self._file = os.open(os.environ[RUNS_FILE], os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    async def predict(self, input: Work) -> Done:
        """Take ``ms`` and leave two lines."""
        self._note("begin", input.key)
        try:
            await asyncio.sleep(input.ms / 1000)
        except asyncio.CancelledError:
            self._note("stop", input.key)
            raise
        self._note("end", input.key)
        return done_of(input)

    def _note(self, what: str, key: int) -> None:
        os.write(self._file, f"{what} {key} {os.getpid()} {time.monotonic():.6f}\n".encode())
