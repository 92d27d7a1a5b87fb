"""How large a batch may be: what a model gains by decides, against noise and against what held once."""

import random
from collections.abc import Callable
from itertools import pairwise

import pytest

from zypher_jobs.models.batch_size import FIRST_LIMIT, LARGEST_LIMIT, BatchSize


def learned(took_ms: Callable[[int], float], *, batches: int = 400, waiting: int = 1000) -> BatchSize:
    """After so many batches of a model that takes ``took_ms`` for a size, with so many waiting at each start."""
    size = BatchSize(None)
    _learn(size, took_ms, batches=batches, waiting=waiting)
    return size


def _learn(size: BatchSize, took_ms: Callable[[int], float], *, batches: int = 400, waiting: int = 1000) -> list[int]:
    limits: list[int] = []
    for _ in range(batches):
        taken = min(size.limit, waiting)
        size.learn(taken, took_ms(taken) / 1000, more_waited=waiting > taken)
        limits.append(size.limit)
    return limits


def test_what_was_set_stays() -> None:
    """Whatever is measured."""
    size = BatchSize(12)
    _learn(size, lambda taken: taken)
    assert size.limit == 12


def test_a_model_that_gains_gets_the_largest_batches() -> None:
    """A fixed cost for each call, and little for each input."""
    assert learned(lambda taken: 10 + 0.1 * taken).limit == LARGEST_LIMIT


def test_it_stops_where_the_gain_ends() -> None:
    """Each input costs 1 ms from 32 on: larger batches answer later, and no more of them."""
    assert learned(lambda taken: 20 + taken if taken < 32 else 1.6 * taken).limit in (16, 32)


def test_a_model_that_loses_gets_smaller_ones() -> None:
    """As where a batch leaves the cache: it costs more for each the larger it is."""
    size = BatchSize(None)
    for waiting in (1, 2, 4):  # what came alone at first shows what small batches cost
        _learn(size, lambda taken: taken * taken, waiting=waiting, batches=10)
    _learn(size, lambda taken: taken * taken)
    assert size.limit <= 2


def test_it_grows_only_where_more_waited() -> None:
    """A limit that nobody reaches says nothing."""
    assert learned(lambda taken: 10 + 0.1 * taken, waiting=FIRST_LIMIT).limit == FIRST_LIMIT


def test_one_slow_batch_decides_nothing() -> None:
    """The first run of each size takes ten times as long, as while memory is found for it."""
    seen = set[int]()

    def took_ms(taken: int) -> float:
        first = taken not in seen
        seen.add(taken)
        return (10 + 0.1 * taken) * (10 if first else 1)

    assert learned(took_ms).limit == LARGEST_LIMIT


@pytest.mark.parametrize("seed", range(5))
def test_noise_does_not_make_it_swing(seed: int) -> None:
    """Half of the time more or less: it stays where it should nearly always, and moves seldom."""
    noise = random.Random(seed)
    size = BatchSize(None)
    limits = _learn(size, lambda taken: (10 + 0.1 * taken) * noise.uniform(0.75, 1.25), batches=2000)
    assert sum(limit >= 64 for limit in limits) > 0.9 * len(limits)
    moves = sum(before != after for before, after in pairwise(limits))
    assert moves < len(limits) / 20


def test_what_held_once_is_tried_again() -> None:
    """While a neighbor took the machine large batches were dear; when it has gone they are found again."""
    size = learned(lambda taken: taken)
    assert size.limit == FIRST_LIMIT
    _learn(size, lambda taken: 10 + 0.1 * taken, batches=2000)
    assert size.limit == LARGEST_LIMIT


def test_what_no_longer_gains_is_left() -> None:
    """And the other way round."""
    size = learned(lambda taken: 10 + 0.1 * taken)
    _learn(size, lambda taken: 2 * taken if taken > 16 else 10 + 0.1 * taken, batches=2000)
    assert size.limit <= 32


def test_trying_again_costs_little() -> None:
    """Of a model that gains nothing few batches are larger than they should be."""
    size = BatchSize(None)
    limits = _learn(size, lambda taken: taken, batches=5000)
    assert sum(limit > FIRST_LIMIT for limit in limits) < 0.05 * len(limits)
