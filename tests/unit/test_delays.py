"""How late an answer of Redis is."""

from zypher_jobs.worker.delays import Delays


def test_an_answer_is_as_late_as_it_is_behind_the_quickest() -> None:
    """Whatever the two clocks say."""
    delays = Delays()
    assert delays.of(1_000_000, now_ms=10) == 0
    assert delays.of(1_000_100, now_ms=115) == 5
    assert delays.of(1_000_200, now_ms=205) == 0
    assert delays.of(1_000_300, now_ms=3305) == 3000


def test_a_clock_that_was_set_back_is_believed_after_a_while() -> None:
    """Else every answer would look late for ever."""
    delays = Delays()
    assert delays.of(1_000_000, now_ms=0) == 0
    late = [delays.of(940_000 + now, now_ms=now) for now in range(1_000, 120_000, 1_000)]
    assert late[0] == 60_000
    assert late[-1] == 0
