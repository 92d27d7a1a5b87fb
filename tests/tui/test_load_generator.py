"""Loads over real HTTP on a real API: the bounds hold, it stops, and all that comes of it is counted."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.api.models import Gate
from tests.api.running import RunningApi, running_api, running_worker
from zypher_jobs.contracts.prediction import Status
from zypher_jobs.settings import Settings
from zypher_jobs.testing import free_port, wait_until
from zypher_tui.load.generator import Generator
from zypher_tui.load.meter import Outcome
from zypher_tui.load.plan import How, Plan
from zypher_tui.load.report import State
from zypher_tui.load.shapes import Shape
from zypher_tui.load.target import ApiTarget, Reply, TargetAway

EXAMPLE = [b'{"input": "hello"}']
TEXT = [b'{"text": "boom"}']


@pytest.fixture
def api_settings(settings: Settings) -> Settings:
    """Models that fail, and that wait for the test."""
    return msgspec.structs.replace(settings, models=("tests.api.models:Gate", "tests.api.models:Raises"))


@pytest.fixture
async def target(api: RunningApi) -> AsyncIterator[ApiTarget]:
    """The way to it."""
    found = ApiTarget(str(api.base_url))
    yield found
    await found.aclose()


def plan(**said: object) -> Plan:
    """A short one at the highest rate."""
    return msgspec.convert({"model": "mock", "limit_per_s": 2000.0, "duration_s": 10.0} | said, Plan)


async def test_callers_send_exactly_the_total(api: RunningApi, target: ApiTarget) -> None:
    """Not one more, however many they are."""
    load = Generator(plan(shape=Shape.CALLERS, callers=20, total=57), EXAMPLE, target)
    await load.run()
    report = load.report()
    assert (report.state, report.sent, report.outcomes[Outcome.OK], report.in_flight) == (State.ENDED, 57, 57, 0)
    assert report.times.p50_ms is not None
    answered = 'zypher_http_requests_total{method="POST",route="/models/mock/predict",status="200"}'
    assert await api.metric(answered) == 57


async def test_the_total_ends_a_rate(target: ApiTarget) -> None:
    """And so does the time."""
    load = Generator(plan(rate_per_s=500.0, total=25), EXAMPLE, target)
    await load.run()
    assert load.report().sent == 25
    load = Generator(plan(rate_per_s=100.0, duration_s=0.2), EXAMPLE, target)
    await load.run()
    report = load.report()
    assert report.planned == 20
    assert report.sent <= 20
    assert report.sent == report.outcomes[Outcome.OK]
    assert report.left_s == 0


async def test_inputs_are_sent_in_turn(api: RunningApi, target: ApiTarget) -> None:
    """Each as often as the others."""
    load = Generator(plan(how=How.ASYNC, rate_per_s=500.0, total=6), [b'{"input": "a"}', b'{"input": "b"}'], target)
    await load.run()
    page = (await api.get("/predictions")).json()["predictions"]
    assert sorted(one["input_preview"] for one in page) == ['{"input": "a"}'] * 3 + ['{"input": "b"}'] * 3


async def test_it_stops_within_a_second_under_load(target: ApiTarget) -> None:
    """What never answers is abandoned; no more than the bound was under way."""
    Gate.opened, Gate.entered = asyncio.Event(), asyncio.Event()
    load = Generator(plan(model="gate", rate_per_s=500.0, in_flight=7), TEXT, target)
    running = asyncio.create_task(load.run())
    await wait_until(lambda: load.report().due == pytest.approx(100, abs=99) and load.report().in_flight == 7)
    assert load.report().state is State.RUNNING
    stopped_s = time.monotonic()
    load.stop()
    assert load.report().state is State.STOPPING
    await running
    assert time.monotonic() - stopped_s < 1.0
    report = load.report()
    assert (report.sent, report.outcomes[Outcome.ABANDONED], report.in_flight) == (7, 7, 0)


async def test_late_requests_count_from_when_they_were_due(target: ApiTarget) -> None:
    """While the only one allowed hangs, those behind it wait: their time says so."""
    Gate.opened, Gate.entered = asyncio.Event(), asyncio.Event()
    load = Generator(plan(model="gate", rate_per_s=100.0, total=20, in_flight=1), TEXT, target)
    running = asyncio.create_task(load.run())
    await wait_until(lambda: load.report().elapsed_s > 0.3)
    Gate.opened.set()
    await running
    report = load.report()
    assert report.outcomes[Outcome.OK] == 20
    assert report.times.p50_ms is not None
    assert report.times.p50_ms > 100
    assert report.late_p95_ms is not None
    assert report.late_p95_ms > 100


async def test_what_it_left_in_the_queue_is_known_and_only_that_is_canceled(api: RunningApi, target: ApiTarget) -> None:
    """Another's prediction waits on."""
    theirs = (await api.post("/predict", json={"input": "x"}, headers={"Async-Mode": "true"})).json()["prediction_id"]
    load = Generator(plan(how=How.ASYNC, rate_per_s=500.0, total=30), EXAMPLE, target)
    await load.run()
    await load.look()
    report = load.report()
    assert (report.outcomes[Outcome.OK], report.open) == (30, 30)
    assert await load.cancel_open() == 30
    await load.look()
    report = load.report()
    assert (report.open, report.ended) == (0, {Status.CANCELED: 30})
    assert (await api.get(f"/predict/{theirs}")).json()["status"] == "queued"


async def test_each_is_waited_for_until_it_has_ended(api: RunningApi, target: ApiTarget) -> None:
    """Through the queue and a worker; what fails is told from what succeeds."""
    async with running_worker(api):
        load = Generator(plan(how=How.WAIT, shape=Shape.CALLERS, callers=4, total=12), EXAMPLE, target)
        await load.run()
        report = load.report()
        assert (report.outcomes[Outcome.OK], report.open, report.ended) == (12, 0, {Status.SUCCEEDED: 12})
        load = Generator(plan(model="raises", how=How.WAIT, rate_per_s=500.0, total=3), TEXT, target)
        await load.run()
        report = load.report()
        assert report.outcomes[Outcome.FAILED] == 3
        assert [(error.label, error.count) for error in report.errors] == [("failed model_error", 3)]


async def test_what_the_api_refuses_is_counted_by_kind(target: ApiTarget) -> None:
    """Wrong input, a model that raises, one that is not there."""
    expected = {
        "mock": (Outcome.CLIENT_ERROR, "422"),
        "raises": (Outcome.SERVER_ERROR, "5"),
        "nix": (Outcome.CLIENT_ERROR, "404"),
    }
    for model, (outcome, label) in expected.items():
        load = Generator(plan(model=model, rate_per_s=500.0, total=4), TEXT, target)
        await load.run()
        report = load.report()
        assert report.outcomes[outcome] == 4
        assert report.times.p50_ms is None
        assert len(report.errors) == 1
        assert report.errors[0].label.startswith(label)
        assert report.errors[0].last


@pytest.mark.parametrize("honors", [False, True])
async def test_a_full_queue_refuses_and_its_retry_after_is_honored(api_settings: Settings, *, honors: bool) -> None:
    """429 is a refusal; who honors it sends nothing for as long as it says."""
    async with running_api(msgspec.structs.replace(api_settings, queue_limit=5)) as api:
        target = ApiTarget(str(api.base_url))
        load = Generator(
            plan(how=How.ASYNC, rate_per_s=100.0, duration_s=0.5, honors_retry_after=honors), EXAMPLE, target
        )
        await load.run()
        await target.aclose()
    report = load.report()
    assert report.outcomes[Outcome.OK] == 5
    assert report.outcomes[Outcome.REFUSED] == report.sent - 5 > 0
    assert report.errors[0].label == "429 queue_full"
    assert bool(report.held_back) is honors


async def test_an_api_that_goes_away_in_the_middle_is_shown(api_settings: Settings) -> None:
    """What was answered stays counted, the rest has the reason; the load goes on and ends."""
    async with running_api(api_settings) as api:
        target = ApiTarget(str(api.base_url))
        load = Generator(plan(rate_per_s=100.0, duration_s=60.0), EXAMPLE, target)
        running = asyncio.create_task(load.run())
        await wait_until(lambda: load.report().outcomes[Outcome.OK] > 5)
    await wait_until(lambda: load.report().outcomes[Outcome.NO_ANSWER] > 5)
    load.stop()
    await running
    await target.aclose()
    assert "connection refused" in [error.label for error in load.report().errors]


async def test_callers_who_are_refused_do_not_storm() -> None:
    """With nobody there they ask again and again, and the limit holds all the same."""
    target = ApiTarget(f"http://127.0.0.1:{free_port()}")
    load = Generator(plan(shape=Shape.CALLERS, callers=50, limit_per_s=40.0, duration_s=0.5), EXAMPLE, target)
    await load.run()
    report = load.report()
    assert report.sent <= 40 * (0.5 + 0.02) + 1
    assert report.sent == report.outcomes[Outcome.NO_ANSWER] + report.outcomes[Outcome.ABANDONED]
    with pytest.raises(TargetAway, match="connection refused"):
        await target.models()


async def test_a_load_that_is_canceled_leaves_nothing_running(target: ApiTarget) -> None:
    """As when the dashboard is left."""
    Gate.opened, Gate.entered = asyncio.Event(), asyncio.Event()
    before = asyncio.all_tasks()
    load = Generator(plan(model="gate", shape=Shape.CALLERS, callers=5), TEXT, target)
    running = asyncio.create_task(load.run())
    await Gate.entered.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert {task for task in asyncio.all_tasks() - before if "load" in repr(task.get_coro())} == set()
    assert load.report().state is State.ENDED


class Moody:
    """Answers as a list says, after so many turns of the loop; counts how many ask at once."""

    def __init__(self, moods: list[tuple[int, int]]) -> None:
        self.moods = moods
        self.asked = self.at_once = self.most_at_once = 0

    async def send(self, path: str, body: bytes, *, is_async: bool) -> Reply:
        status, turns = self.moods[self.asked % len(self.moods)]
        self.asked += 1
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            for _ in range(turns):
                await asyncio.sleep(0.001)
        finally:
            self.at_once -= 1
        return Reply(status=status, prediction_id=f"{self.asked}", retry_after_s=0.01 if status == 429 else None)

    async def wait_for(self, prediction_id: str) -> Reply:
        return Reply(status=200, prediction_id=prediction_id, ended=Status.SUCCEEDED)

    async def statuses(self, prediction_ids: Sequence[str]) -> Mapping[str, Status]:
        return dict.fromkeys(prediction_ids, Status.QUEUED)

    async def cancel(self, prediction_ids: Sequence[str]) -> None:
        raise AssertionError("nobody asked for that")

    async def aclose(self) -> None:
        """Nothing is open."""


@settings(max_examples=20, deadline=None)
@given(
    moods=st.lists(st.tuples(st.sampled_from([200, 202, 404, 429, 500, 503, 0]), st.integers(0, 30)), min_size=1),
    shape=st.sampled_from(Shape),
    how=st.sampled_from(How),
    total=st.integers(1, 60),
    callers=st.integers(1, 20),
    in_flight=st.integers(1, 9),
    limit=st.integers(50, 2_000),
    stops=st.booleans(),
    honors=st.booleans(),
)
def test_no_load_exceeds_its_bounds(
    *,
    moods: list[tuple[int, int]],
    shape: Shape,
    how: How,
    total: int,
    callers: int,
    in_flight: int,
    limit: int,
    stops: bool,
    honors: bool,
) -> None:
    """Whatever is answered: never more than the total, nor than may be under way; and each request has one outcome."""

    async def run() -> None:
        target = Moody(moods)
        asked = plan(
            shape=shape, how=how, total=total, callers=callers, in_flight=in_flight, rate_per_s=float(limit),
            limit_per_s=float(limit), duration_s=0.15, honors_retry_after=honors,
        )  # fmt: skip
        load = Generator(asked, EXAMPLE, target)
        running = asyncio.create_task(load.run())
        await asyncio.sleep(0.05)
        if stops:
            load.stop()
        await running
        report = load.report()
        assert target.asked <= report.sent <= total
        assert target.most_at_once <= in_flight
        assert sum(report.outcomes.values()) == report.sent
        assert (report.state, report.in_flight, target.at_once) == (State.ENDED, 0, 0)
        assert report.held_back == 0 or honors

    asyncio.run(run())
