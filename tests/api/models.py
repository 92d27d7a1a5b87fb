"""Models for the tests of the API."""

import asyncio
import threading

import msgspec

from zypher_jobs.models import Model


class Anything(msgspec.Struct, frozen=True, kw_only=True):
    """One text."""

    text: str = ""


class Gate(Model[Anything, Anything]):
    """Answers once the test opens it."""

    opened: asyncio.Event
    entered: asyncio.Event

    async def predict(self, input: Anything) -> Anything:
        """Wait for the test."""
        Gate.entered.set()
        await Gate.opened.wait()
        return input


class Raises(Model[Anything, Anything]):
    """Fails each time."""

    def predict(self, input: Anything) -> Anything:
        """Raise what the caller sent."""
        raise ValueError(input.text)


class NotLoaded(Model[Anything, Anything]):
    """Cannot be loaded."""

    def load(self) -> None:
        """Fail."""
        raise OSError("no such file: weights.bin")

    def predict(self, input: Anything) -> Anything:
        """Never called."""
        return input


class LoadsLater(Model[Anything, Anything]):
    """Is loading until the test lets it end."""

    may_load = threading.Event()

    def load(self) -> None:
        """Wait for the test."""
        LoadsLater.may_load.wait(timeout=30)

    def predict(self, input: Anything) -> Anything:
        """Repeat it."""
        return input
