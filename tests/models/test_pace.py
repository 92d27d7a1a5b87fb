"""What a call of a model costs of late."""

import pytest

from zypher_jobs.models.pace import Pace


def test_the_first_batch_counts_only_until_there_is_a_second() -> None:
    """It may have loaded what all others find loaded."""
    pace = Pace()
    assert pace.each_s == 0
    pace.learn(1, 5.0)
    assert pace.each_s == 5
    pace.learn(2, 0.02)
    assert pace.each_s == pytest.approx(0.01)


def test_it_follows_what_changes_within_some_batches() -> None:
    """Up and down."""
    pace = Pace()
    for each_s in (0.01, 0.03, 0.002):
        for _ in range(60):
            pace.learn(4, 4 * each_s)
        assert pace.each_s == pytest.approx(each_s, rel=0.05)


def test_one_batch_that_takes_for_ever_changes_little() -> None:
    """Once it is known what they take."""
    pace = Pace()
    for _ in range(20):
        pace.learn(1, 0.01)
    pace.learn(1, 30)
    assert pace.each_s < 0.014
