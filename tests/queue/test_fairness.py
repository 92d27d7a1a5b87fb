"""Callers take turns."""

from collections import Counter

from tests.queue.begins import Begins
from tests.queue.conftest import StartWorker
from zypher_jobs.queue import PredictionQueue


async def test_one_callers_twenty_thousand_do_not_make_anothers_ten_wait(
    queue: PredictionQueue, start_worker: StartWorker
) -> None:
    """The ten are submitted last and begin among the first few dozen."""
    await queue.submit_many("mock", ["many"] * 20_000, caller="many")
    await queue.submit_many("mock", ["few"] * 10, caller="few")
    begins = Begins()
    await start_worker(begins.functions, max_jobs=10)
    await begins.count(100)
    places = [place for place, value in enumerate(begins.values) if value == "few"]
    assert len(places) == 10
    assert places[-1] < 36


async def test_a_caller_that_comes_while_anothers_backlog_is_worked_off_is_served_at_once(
    queue: PredictionQueue, start_worker: StartWorker
) -> None:
    """What was served before does not count for or against anyone: no debt, no credit."""
    await queue.submit_many("mock", ["many"] * 5_000, caller="many")
    begins = Begins(held=True)
    await start_worker(begins.functions, max_jobs=4)
    await begins.count(4)
    late = await queue.submit("mock", "late", caller="late")
    begins.released.set()
    await begins.began(late.prediction_id)
    assert begins.ids.index(late.prediction_id) < 4 + 12


async def test_two_callers_alternate(queue: PredictionQueue, start_worker: StartWorker) -> None:
    """With everything of one submitted before anything of the other."""
    await queue.submit_many("mock", ["a"] * 50, caller="a")
    await queue.submit_many("mock", ["b"] * 50, caller="b")
    begins = Begins()
    await start_worker(begins.functions, max_jobs=1)
    await begins.count(100)
    pairs = [set(begins.values[place : place + 2]) for place in range(0, 100, 2)]
    assert pairs == [{"a", "b"}] * 50


async def test_ten_callers_share_equally_whatever_each_has_waiting(
    queue: PredictionQueue, start_worker: StartWorker
) -> None:
    """The first hundred begun are ten of each, though the backlogs are 20, 40, … 200."""
    for caller in range(10):
        await queue.submit_many("mock", [caller] * 20 * (10 - caller), caller=f"caller-{caller}")
    begins = Begins()
    await start_worker(begins.functions, max_jobs=5)
    await begins.count(100)
    shares = Counter(begins.values[:100])
    assert len(shares) == 10
    assert all(8 <= share <= 12 for share in shares.values()), shares


async def test_one_callers_own_predictions_begin_in_the_order_of_their_submission(
    queue: PredictionQueue, start_worker: StartWorker
) -> None:
    """First come, first served, within one caller."""
    await queue.submit_many("mock", list(range(300)), caller="a")
    begins = Begins()
    await start_worker(begins.functions, max_jobs=1)
    await begins.count(300)
    assert begins.values == list(range(300))
