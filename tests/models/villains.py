"""Models that a process should not have to share with others; imported by children, so by nothing heavy."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, ClassVar

import msgspec

from zypher_jobs.models import Model, context
from zypher_jobs.models.retries import RetryPolicy

MIB = 1024 * 1024


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What to do, and what with."""

    do: str = "echo"
    text: str = ""
    count: int = 0


class Pid(msgspec.Struct, frozen=True, kw_only=True):
    """What was done, and by whom."""

    pid: int
    text: str = ""


def _crash(_: Order) -> None:
    ctypes.string_at(0)


def _exit(_: Order) -> None:
    os._exit(3)


def _spin(_: Order) -> None:
    until_s = time.monotonic() + 60
    while time.monotonic() < until_s:
        pass


def _spin_in_c(_: Order) -> None:
    sum(range(10**12))  # holds the GIL: no thread of this process does anything any more


def _spin_politely(_: Order) -> None:
    while True:
        context.check()


def _stop(_: Order) -> None:
    os.kill(os.getpid(), signal.SIGSTOP)


def _raise(order: Order) -> None:
    raise ValueError(order.text)


def _may_pass(order: Order) -> None:
    raise ConnectionResetError(order.text)


def _eat(order: Order) -> None:
    eaten = bytearray()
    while len(eaten) < order.count * MIB:
        eaten += b"x" * (8 * MIB)


def _keep(order: Order) -> None:
    _kept.append(bytearray(b"x") * (order.count * MIB))


def _print(_: Order) -> None:
    os.write(1, b"\x00" * 1000)
    sys.stdout.write("printed\n")
    sys.stderr.write("complained\n")


def _spawn(_: Order) -> None:
    child = subprocess.Popen(["sleep", "60"])
    context.log(str(child.pid))
    time.sleep(60)


_kept: list[bytearray] = []
_deeds = {
    "segfault": _crash,
    "exit": _exit,
    "spin": _spin,
    "spin in C": _spin_in_c,
    "spin politely": _spin_politely,
    "stop": _stop,
    "raise": _raise,
    "may pass": _may_pass,
    "eat": _eat,
    "keep": _keep,
    "print": _print,
    "spawn": _spawn,
}


def obey(order: Order) -> Pid:
    """Say that it begins, then do as told: most of it no good."""
    context.log("begun")
    if order.do in _deeds:
        _deeds[order.do](order)
    return Pid(pid=os.getpid(), text=order.text)


class Villain(Model[Order, Pid]):
    """Takes one."""

    isolation = "process"
    retries = RetryPolicy(backoff_s=0.05)

    def predict(self, input: Order) -> Pid:
        return obey(input)


class Crasher(Villain):
    """Another one of the kind."""


class LimitedVillain(Villain):
    """May have so much memory."""

    memory_limit_mb = 150


class AsyncVillain(Model[Order, Pid]):
    """Takes one, on its loop."""

    isolation = "process"

    async def predict(self, input: Order) -> Pid:
        return obey(input)


class Gang(Model[Order, Pid]):
    """Takes many."""

    isolation = "process"
    max_batch_size = 8

    def predict(self, inputs: list[Order]) -> list[Pid]:
        return [obey(order) for order in inputs]


class Pair(Villain):
    """Two children."""

    concurrency = 2

    def predict(self, input: Order) -> Pid:
        time.sleep(0.2)
        return obey(input)


class Teller(Model[Order, dict[str, Any]]):
    """Says what it knows."""

    isolation = "process"
    output_example: ClassVar[Any] = {}

    def predict(self, input: Order) -> dict[str, Any]:
        context.progress(0.5, "half")
        context.log("a line")
        return {"id": context.prediction_id, "attempt": context.attempt, "remaining_s": context.remaining_s}


class Stream(Model[Order, str]):
    """Yields."""

    isolation = "process"

    def predict(self, input: Order) -> Iterator[str]:
        for number in range(input.count):
            yield f"{input.text}{number} "


class AsyncStream(Model[Order, Pid]):
    """Yields Structs, on its loop."""

    isolation = "process"

    async def predict(self, input: Order) -> AsyncIterator[Pid]:
        for number in range(input.count):
            yield Pid(pid=os.getpid(), text=str(number))


class Liar(Model[Order, Pid]):
    """Returns what its type does not allow, deep inside."""

    isolation = "process"

    def predict(self, input: Order) -> Pid:
        return Pid(pid="me")  # pyright: ignore[reportArgumentType] the mistake under test


class NotThere(Villain):
    """Does not load."""

    def load(self) -> None:
        raise FileNotFoundError("weights.bin")


class Sleeper(Villain):
    """Does not end loading."""

    load_timeout_s = 0.5

    def load(self) -> None:
        time.sleep(60)


class DiesLoading(Villain):
    """Crashes at its load."""

    def load(self) -> None:
        ctypes.string_at(0)


class Fat(LimitedVillain):
    """Needs more than it may have, for nothing."""

    def load(self) -> None:
        self.fat = bytearray(b"x") * (300 * MIB)


class WarmUp(Villain):
    """Fails at its own example."""

    input_example = Order(do="raise", text="cold")


STATE = "VILLAINS_STATE"
"""The environment variable that names a file; while it is there, some do not load."""


class Moody(Villain):
    """Loads or not, as it is told."""

    retries = RetryPolicy(max_attempts=50, backoff_s=0.1, max_backoff_s=0.2)

    def load(self) -> None:
        if Path(os.environ.get(STATE, os.devnull)).is_file():
            raise RuntimeError("not in the mood")


class Slow(Villain):
    """Does not end loading while the file is there."""

    def load(self) -> None:
        while Path(os.environ.get(STATE, os.devnull)).is_file():
            time.sleep(0.01)


class Tidy(Villain):
    """Leaves word when it is unloaded."""

    def unload(self) -> None:
        Path(os.environ[STATE]).write_text("unloaded")
