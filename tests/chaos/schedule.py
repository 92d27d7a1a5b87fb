"""Which fault comes when: drawn up front from the seed, each kind from a source of its own."""

import random
from typing import Literal

import msgspec

Target = Literal["worker", "worker's line", "any line", "api", "redis"]
"""What a fault is done to. Of a process and of its line to Redis each has one fault at a time."""


class Kind(msgspec.Struct, frozen=True):
    """One kind of fault."""

    name: str
    weight: int
    """How often, beside the others."""
    target: Target


KINDS = (
    Kind("worker SIGKILL", 4, "worker"),
    Kind("worker SIGSTOP, SIGCONT", 3, "worker"),
    Kind("lease keeper SIGKILL", 1, "worker"),
    Kind("worker SIGTERM", 1, "worker"),
    Kind("worker cut off from Redis for a while", 3, "worker's line"),
    Kind("connections cut", 4, "any line"),
    Kind("replies swallowed, connections cut", 3, "any line"),
    Kind("connections delayed", 3, "any line"),
    Kind("Redis SIGKILL", 2, "redis"),
    Kind("Redis SIGSTOP, SIGCONT", 1, "redis"),
    Kind("Redis CLIENT KILL of all", 2, "redis"),
    Kind("Redis SCRIPT FLUSH", 1, "redis"),
    Kind("API SIGKILL", 1, "api"),
    Kind("API SIGTERM", 1, "api"),
)


class Planned(msgspec.Struct, frozen=True):
    """One fault to come."""

    at_s: float
    """Since the beginning."""
    kind: Kind
    seed: str
    """Of all that is drawn while it is done: on what, and for how long."""


def period_s(kind: Kind, gap_s: float) -> float:
    """How long until a kind comes again, when faults are ``gap_s`` apart."""
    return gap_s * sum(each.weight for each in KINDS) / kind.weight


def draw(seed: int, *, seconds: float, gap_s: float) -> list[Planned]:
    """All faults of a run, in order: one of each kind in each of its periods, at an instant drawn in it."""
    planned: list[Planned] = []
    for kind in KINDS:
        instants = random.Random(f"{seed} {kind.name}")
        period, number, at_s = period_s(kind, gap_s), 0, 0.0
        while (start_s := number * period) < seconds:
            at_s = start_s + instants.random() * period
            if at_s < seconds:
                planned.append(Planned(at_s, kind, f"{seed} {kind.name} {number}"))
            number += 1
    return sorted(planned, key=lambda one: one.at_s)


def must_have_come(*, seconds: float, gap_s: float) -> list[str]:
    """The kinds that a run is long enough for."""
    return [kind.name for kind in KINDS if period_s(kind, gap_s) <= seconds - 5]
