"""When something was wrong with what: so that the ledger can tell what a fault explains from what nothing explains."""

import math
import time
from collections.abc import Generator
from contextlib import contextmanager

import msgspec

REDIS = "redis"


class Trouble(msgspec.Struct):
    """One fault, on the monotonic clock."""

    what: str
    part: str
    """The name of a part, or ``REDIS``, which is everyone's."""
    from_s: float
    to_s: float = math.inf

    def touches(self, from_s: float, to_s: float, *, after_s: float) -> bool:
        """Whether it, or the ``after_s`` in which connections are made anew, reaches into a time."""
        return self.from_s <= to_s and from_s <= self.to_s + after_s


class Troubles:
    """All of them."""

    def __init__(self) -> None:
        self.all: list[Trouble] = []

    @contextmanager
    def during(self, what: str, part: str) -> Generator[Trouble]:
        """Note that something is wrong for as long as the block takes."""
        trouble = Trouble(what, part, time.monotonic())
        self.all.append(trouble)
        try:
            yield trouble
        finally:
            trouble.to_s = time.monotonic()

    def of(self, *parts: str, from_s: float, to_s: float, after_s: float = 1.0) -> list[Trouble]:
        """Those of any of these parts that reach into a time."""
        return [one for one in self.all if one.part in parts and one.touches(from_s, to_s, after_s=after_s)]
