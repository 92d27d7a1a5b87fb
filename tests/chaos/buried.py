"""Predictions that failed although the model never does: with each attempt, and whether the faults explain it."""

from collections.abc import Iterator

import msgspec

from tests.chaos.follower import Seen
from tests.chaos.part import Life
from tests.chaos.records import Known
from tests.chaos.runs import Run
from tests.chaos.stack import pid_of
from tests.chaos.troubles import REDIS, Troubles

POISON, EXHAUSTED = "poison", "attempts_exhausted"
DEATHS_OF_POISON, ATTEMPTS = 2, 5
"""The product's own limits: deaths of a worker, and attempts that a prediction gets."""
SILENCED = {"frozen", "cut off", "without its keeper"}
"""What keeps a worker from renewing its leases: to the queue the same as its death."""


class Attempt(msgspec.Struct, frozen=True):
    """One claim, and what came of it."""

    text: str
    died: bool
    """The test killed, froze or cut off its worker while it ran."""
    hindered: bool
    """Something of the test was in its way."""


class Buried(msgspec.Struct, frozen=True):
    """One failed prediction."""

    known: Known
    attempts: list[Attempt]

    @property
    def is_explained(self) -> bool:
        """Whether the faults account for every attempt that was counted against it."""
        if self.known.code == POISON:
            return sum(attempt.died for attempt in self.attempts) >= DEATHS_OF_POISON
        if self.known.code == EXHAUSTED:
            return sum(attempt.hindered for attempt in self.attempts) >= ATTEMPTS
        return False

    def __str__(self) -> str:
        texts = "; ".join(f"{number} {attempt.text}" for number, attempt in enumerate(self.attempts, start=1))
        word = "explained" if self.is_explained else "not explained"
        return f"{self.known.prediction_id} {self.known.code}, {word}, attempts: {texts}"


class Burials(msgspec.Struct):
    """The section of the ledger."""

    all: list[Buried]

    def lines(self) -> Iterator[str]:
        """For people."""
        yield f"failed although the model never fails {len(self.all):,}"
        yield from (f"  {buried}" for buried in self.all[:20])

    def complaints(self) -> Iterator[str]:
        """What must not be."""
        yield from (f"failed: {buried}" for buried in self.all if not buried.is_explained)


def exhume(
    known: Known, seen: list[Seen], runs: list[Run], lives: list[Life], troubles: Troubles, *, to_mono_s: float
) -> Buried:
    """``to_mono_s`` leads from the server's clock to the monotonic one."""
    claims = [one for one in seen if one.status == "running"]
    attempts: list[Attempt] = []
    for number, claim in enumerate(claims):
        at_s = claim.unix_s + to_mono_s
        next_s = claims[number + 1].unix_s + to_mono_s if number + 1 < len(claims) else at_s
        if number + 1 == len(claims) and known.code in (POISON, EXHAUSTED):
            break  # the claim that only ended it
        attempts.append(_attempt(claim, at_s, next_s, runs, lives, troubles))
    return Buried(known, attempts)


def _attempt(
    claim: Seen, at_s: float, next_s: float, runs: list[Run], lives: list[Life], troubles: Troubles
) -> Attempt:
    pid = pid_of(claim.worker)
    # the server's clock is read to the millisecond
    run = next((run for run in runs if run.pid == pid and at_s - 0.01 <= run.began_s <= next_s + 0.01), None)
    life = next((life for life in lives if life.pid == pid and life.lasted(at_s)), None)
    if life is None:
        return Attempt(f"on pid {pid}, which is none of the test's", died=False, hindered=False)
    wrong = [each.what for each in troubles.of(life.part, from_s=at_s, to_s=next_s)]
    redis = [f"Redis {each.what}" for each in troubles.of(REDIS, from_s=at_s, to_s=next_s)]
    words = ["never began" if run is None else "began"]
    killed = life.ended_s is not None and at_s <= life.ended_s <= next_s and life.told is not None
    if killed and life.ended_s is not None and life.told is not None:
        words.append(f"{life.told.name} {life.ended_s - at_s:.2f} s later")
    if run is not None and run.ended_s is not None:
        words.append(f"{'ended' if run.came_to_its_end else 'stopped'} {run.ended_s - at_s:.2f} s later")
    died = killed or bool(SILENCED & set(wrong))
    words += wrong + redis
    return Attempt(f"{life.log.stem}: {', '.join(words)}", died=died, hindered=bool(killed or wrong or redis))
