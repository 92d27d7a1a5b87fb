"""Models for the tests of the API."""

import asyncio
import threading
import time
from collections.abc import Iterator
from typing import ClassVar

import msgspec

from zypher_jobs.errors import PredictionCanceled
from zypher_jobs.models import Model, context


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


class Words(msgspec.Struct, frozen=True, kw_only=True):
    """A text to be said word by word."""

    text: str = ""


class Speaks(Model[Words, str]):
    """Says a text word by word, each when the test lets it."""

    may_go_on: threading.Semaphore
    was_told_to_stop = threading.Event()

    def predict(self, input: Words) -> Iterator[str]:
        """The words; ``!`` fails."""
        words = input.text.split()
        context.log(f"{len(words)} words")
        try:
            for number, word in enumerate(words):
                context.progress(number / len(words), f"word {number + 1}")
                if word == "!":
                    raise ValueError("cannot say that")
                yield f"{word} "
                while not Speaks.may_go_on.acquire(timeout=0.02):
                    context.check()
        except PredictionCanceled:
            Speaks.was_told_to_stop.set()
            raise


class Keeps(Model[Anything, Anything]):
    """Keeps its results for an hour."""

    cache_s = 3600
    runs: ClassVar[list[str]] = []

    def predict(self, inputs: list[Anything]) -> list[Anything]:
        """Count them."""
        Keeps.runs += [each.text for each in inputs]
        return inputs


class Meets(Model[Anything, Anything]):
    """Takes many; one batch at a time, each when the test lets it."""

    concurrency = 1
    may_go_on: ClassVar[threading.Semaphore]
    batches: ClassVar[list[list[str]]] = []

    def predict(self, inputs: list[Anything]) -> list[Anything]:
        """Repeat them; ``bad`` fails."""
        Meets.batches.append([each.text for each in inputs])
        Meets.may_go_on.acquire(timeout=30)
        if any(each.text == "bad" for each in inputs):
            raise ValueError("a bad one")
        return inputs


class Held(Model[Anything, Anything]):
    """One at a time, each as long as the test holds it."""

    concurrency = 1
    held: ClassVar[set[str]] = set()

    async def predict(self, input: Anything) -> Anything:
        """Repeat it."""
        while input.text in Held.held:  # noqa: ASYNC110  # shorter than an event for each text
            await asyncio.sleep(0.001)
        return input


class HeldOnce(Held):
    """Keeps its results for an hour."""

    cache_s = 3600


class Slow(Model[Anything, Anything]):
    """A hundred a second, two at once."""

    concurrency = 2

    async def predict(self, input: Anything) -> Anything:
        """Repeat it in a while."""
        await asyncio.sleep(0.02)
        return input


class Spins(Model[Anything, Anything]):
    """Some two hundred a second at most: it holds the event loop."""

    async def predict(self, input: Anything) -> Anything:
        """Repeat it."""
        until_s = time.monotonic() + 0.004
        while time.monotonic() < until_s:
            pass
        return input


class SpeaksApart(Model[Words, str]):
    """Says a text in a process of its own."""

    isolation = "process"

    def predict(self, input: Words) -> Iterator[str]:
        """Word by word."""
        for word in input.text.split():
            context.log(f"{context.prediction_id} says {word}")
            yield f"{word} "


class Next(Model[Anything, Anything]):
    """The version after ``Keeps``'s own; it does not load."""

    name = "keeps"
    version = "next"

    def load(self) -> None:
        """Never."""
        raise RuntimeError("not yet")

    def predict(self, input: Anything) -> Anything:
        """Is not reached."""
        return input


class Checks(Model[Anything, Anything]):
    """Runs in a thread until nobody wants it any more, or the test ends it."""

    begun = threading.Event()
    may_end = threading.Event()
    was_told_to_stop = threading.Event()

    def predict(self, input: Anything) -> Anything:
        """Look at the context all the time."""
        Checks.begun.set()
        try:
            while not Checks.may_end.wait(0.005):
                context.check()
        except PredictionCanceled:
            Checks.was_told_to_stop.set()
            raise
        return input


class SpinsApart(Model[Anything, Anything]):
    """Runs in a process of its own, and looks at nothing."""

    isolation = "process"
    concurrency = 1

    def predict(self, input: Anything) -> Anything:
        """Repeat it; ``spin`` never ends."""
        while input.text == "spin":
            pass
        return input
