"""When a queue is an overload, on a clock of its own."""

import heapq
import random
from collections import deque
from collections.abc import Iterator

import msgspec
import pytest

from zypher_jobs.models.doorkeeper import Doorkeeper

RUN_S = 0.0125
PLACES = 4
PER_S = PLACES / RUN_S
LONGEST_WAIT_S = 30


class Told(msgspec.Struct):
    """What became of one call."""

    at_s: float
    wait_s: float | None = None
    """``None``: it was refused."""


class Simulation:
    """A model of four places behind a queue, and a doorkeeper before it."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.door = Doorkeeper(lambda: self.now_s)
        self.waiting: deque[Told] = deque()
        self.ends_s: list[float] = []
        self.begun = 0

    def pass_until(self, time_s: float) -> list[float]:
        """Run what can be run until then; when each run ended."""
        ended: list[float] = []
        while self.ends_s and self.ends_s[0] <= time_s:
            self.now_s = heapq.heappop(self.ends_s)
            ended.append(self.now_s)
            self._begin()
        self.now_s = time_s
        return ended

    def ask(self) -> Told:
        """One more call now."""
        told = Told(self.now_s)
        if len(self.waiting) < PLACES or self.door.lets_in(
            waiting=len(self.waiting), begun=self.begun, per_s=PER_S, longest_wait_s=LONGEST_WAIT_S
        ):
            told.wait_s = float("inf")
            self.waiting.append(told)
            self._begin()
        return told

    def ask_at(self, times_s: Iterator[float]) -> list[Told]:
        """One call at each of these times."""
        calls: list[Told] = []
        for time_s in times_s:
            self.pass_until(time_s)
            calls.append(self.ask())
        self.pass_until(self.now_s + 60)
        return calls

    def _begin(self) -> None:
        while self.waiting and len(self.ends_s) < PLACES:
            told = self.waiting.popleft()
            told.wait_s = self.now_s - told.at_s
            self.begun += 1
            heapq.heappush(self.ends_s, self.now_s + RUN_S)


def by_chance(per_s: float, *, start_s: float = 0, end_s: float, seed: int = 1) -> Iterator[float]:
    """Times of callers who know nothing of each other."""
    chance = random.Random(seed)
    time_s = start_s + chance.expovariate(per_s)
    while time_s < end_s:
        yield time_s
        time_s += chance.expovariate(per_s)


def refused(calls: list[Told]) -> int:
    """How many were."""
    return sum(call.wait_s is None for call in calls)


def p99_s(calls: list[Told]) -> float:
    """Of those that were let in."""
    waits = sorted(call.wait_s for call in calls if call.wait_s is not None)
    return waits[len(waits) * 99 // 100]


@pytest.mark.parametrize("seed", range(5))
def test_at_four_fifths_of_what_can_be_done_nobody_is_refused(seed: int) -> None:
    """Callers come by chance, so that many wait at times."""
    calls = Simulation().ask_at(by_chance(0.8 * PER_S, end_s=60, seed=seed))
    assert refused(calls) < len(calls) / 1000


@pytest.mark.parametrize("times", [1.5, 3, 5])
def test_who_is_let_in_under_an_overload_waits_about_as_long_as_always(times: float) -> None:
    """Within twice the p99 of four fifths of the load, and the model is never idle for it."""
    usual = Simulation().ask_at(by_chance(0.8 * PER_S, end_s=60))
    calls = Simulation().ask_at(by_chance(times * PER_S, end_s=60))
    assert p99_s(calls) + RUN_S < 2 * (p99_s(usual) + RUN_S)
    assert len(calls) - refused(calls) > 0.97 * 60 * PER_S


def test_a_little_more_than_can_be_done_is_an_overload_as_well() -> None:
    """It takes longer to tell from chance; the queue stays short all the same."""
    calls = Simulation().ask_at(by_chance(1.15 * PER_S, end_s=60))
    assert p99_s(calls) < 2
    assert 0.05 < refused(calls) / len(calls) < 0.25


def test_an_overload_is_over_within_two_seconds() -> None:
    """What comes then is let in, though many have been refused."""
    simulation = Simulation()
    flood = by_chance(3 * PER_S, end_s=5)
    after = by_chance(0.8 * PER_S, start_s=5, end_s=20)
    calls = simulation.ask_at(time_s for times in (flood, after) for time_s in times)
    assert refused([call for call in calls if call.at_s < 5])
    assert not refused([call for call in calls if call.at_s > 7])


@pytest.mark.parametrize("callers", [5, 64, 1000])
def test_callers_who_wait_for_their_answer_are_never_refused(callers: int) -> None:
    """However many: all come at once, and each comes again when it was answered."""
    simulation = Simulation()
    calls = [simulation.ask() for _ in range(callers)]
    while simulation.now_s < 20:
        calls += [simulation.ask() for _ in simulation.pass_until(simulation.ends_s[0])]
    assert not refused(calls)


def test_a_burst_on_top_of_the_usual_is_no_overload() -> None:
    """Four hundred at once, in the midst of others."""
    simulation = Simulation()
    usual = by_chance(0.5 * PER_S, end_s=20)
    calls = simulation.ask_at(iter(sorted([*usual, *([10.0] * 400)])))
    assert not refused(calls)


def test_nobody_is_let_in_who_would_wait_for_longer_than_may_be() -> None:
    """Though the queue does not grow."""
    simulation = Simulation()
    most = int(LONGEST_WAIT_S * PER_S)
    calls = [simulation.ask() for _ in range(most + 100)]
    assert 90 < refused(calls) <= 100
    assert simulation.door.refused == {"overload": 0, "wait": refused(calls)}
