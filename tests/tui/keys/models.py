"""Models that do what a key wants to see."""

import asyncio

import msgspec

from zypher_jobs.models import Model, RetryPolicy


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """A text."""

    text: str = ""


class Picky(Model[Asked, Asked]):
    """Fails for ``no``, and takes its time for ``slow``."""

    async def predict(self, input: Asked) -> Asked:
        """Repeat it."""
        if input.text == "slow":
            await asyncio.sleep(0.1)
        if input.text == "no":
            _refuse(20)
        return input


def _refuse(depth: int) -> None:
    """With a traceback that is long."""
    if depth:
        _refuse_too(depth - 1)
    raise ValueError("it says no")


def _refuse_too(depth: int) -> None:
    _refuse(depth)


class Falters(Model[Asked, Asked]):
    """Fails twice, the second time for good; between them is more time than any test has."""

    retries = RetryPolicy(max_attempts=2, backoff_s=1e7, max_backoff_s=1e7)

    async def predict(self, input: Asked) -> Asked:
        """Fail as if something were away."""
        raise ConnectionError(input.text)


class Waits(Model[Asked, Asked]):
    """Runs until it is canceled."""

    async def predict(self, input: Asked) -> Asked:
        """Wait."""
        await asyncio.sleep(600)
        return input
