"""Models that do what a key wants to see."""

import asyncio

import msgspec

from zypher_jobs.models import Model


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


class Waits(Model[Asked, Asked]):
    """Runs until it is canceled."""

    async def predict(self, input: Asked) -> Asked:
        """Wait."""
        await asyncio.sleep(600)
        return input
