"""A model that ends its process, for the tests of poison."""

import asyncio
import os

import msgspec

from zypher_jobs.models import Model

RUNS_FILE = "DEADLY_RUNS"
"""The environment variable that names the file in which each run leaves a line."""


class Dose(msgspec.Struct, frozen=True, kw_only=True):
    """What to do."""

    key: str
    kills: bool = False
    ms: float = 0


class Deadly(Model[Dose, Dose]):
    """Notes that it begins; then ends the whole process, or takes its time."""

    async def predict(self, input: Dose) -> Dose:
        """No exception, no signal handler, no goodbye: as a crash in C."""
        file = os.open(os.environ[RUNS_FILE], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(file, f"{input.key} {os.getpid()}\n".encode())
        os.close(file)
        if input.kills:
            os._exit(9)
        await asyncio.sleep(input.ms / 1000)
        return input
