"""The models of ``bench.overload``: one that waits, one that computes."""

import hashlib
import random
import time

import msgspec

from zypher_jobs.models import Model


class Question(msgspec.Struct, frozen=True):
    """Any text."""

    text: str


class Reply(msgspec.Struct, frozen=True):
    """Its hash."""

    hash: str


class Waits(Model[Question, Reply]):
    """5 to 20 ms on something else than this processor, as a model on a GPU or another server does; four at once."""

    name = "waits"
    concurrency = 4

    def predict(self, input: Question) -> Reply:
        """The hash, in a while."""
        time.sleep(random.uniform(0.005, 0.020))
        return Reply(hashlib.sha256(input.text.encode()).hexdigest())


class Computes(Model[Question, Reply]):
    """Some 5 ms of this processor, without the GIL, as what is written in C has it; one at once."""

    name = "computes"
    concurrency = 1

    def predict(self, input: Question) -> Reply:
        """A hash that takes its time."""
        return Reply(hashlib.pbkdf2_hmac("sha256", input.text.encode(), b"salt", 26_000).hex())


class Spins(Model[Question, Reply]):
    """Some 0.3 ms of the event loop itself, so that it is the process that has too much to do."""

    name = "spins"

    async def predict(self, input: Question) -> Reply:
        """A hash that takes a little."""
        return Reply(hashlib.pbkdf2_hmac("sha256", input.text.encode(), b"salt", 1_600).hex())
