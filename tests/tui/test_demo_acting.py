"""What is done to the simulated system: as a server does it, plausible, and the same each time."""

from collections.abc import Sequence

import msgspec
import pytest

from tests.tui.living import system_at
from zypher_jobs.contracts.prediction import Mode, Priority, Status
from zypher_tui.core.deeds import Choice, Verb, choose, choose_ids, choose_queue
from zypher_tui.core.filters import parse
from zypher_tui.core.plausible import check_event, check_health, check_overview, check_summary
from zypher_tui.core.rows import ms_of
from zypher_tui.core.tally import Tally
from zypher_tui.core.traffic import Deed, ModelChange
from zypher_tui.load.meter import Outcome
from zypher_tui.load.plan import How, Plan
from zypher_tui.load.report import Report, State
from zypher_tui.load.shapes import Shape
from zypher_tui.sources.demo import DemoSystem
from zypher_tui.sources.demo.api import SimulatedApi
from zypher_tui.sources.demo.desk import DemoDesk
from zypher_tui.sources.demo.hands import Hands
from zypher_tui.sources.demo.records import at
from zypher_tui.sources.operator import ApiOperator, OperatorError


def operator_on(system: DemoSystem) -> ApiOperator:
    """Acts on it, at its present time."""
    return ApiOperator("http://127.0.0.1:1", transport=SimulatedApi(system, Hands(system), lambda: system.now_s))


def now_ms(system: DemoSystem) -> int:
    """As a dashboard knows it."""
    return ms_of(at(system.now_s))


async def all_of(operator: ApiOperator, verb: Verb, choice: Choice) -> tuple[int, str]:
    """Count them and do it, as the dashboard does; how many were counted, and what is said."""
    counted = await operator.count(verb, choice)
    outcome = await operator.many(choice, Tally(verb, counted), lambda _: True)
    return counted.possible, outcome.sentence


async def test_more_than_one_call_does_are_done_in_steps() -> None:
    """No more than was counted, each once, and each step says how many are done."""
    system = system_at(60)
    system.paused.add(Priority.NORMAL)
    system.advance(160)
    operator, steps = operator_on(system), list[int]()
    choice = choose_queue("normal", [], now_ms=now_ms(system))
    counted = await operator.count(Verb.CANCEL, choice)
    assert counted.possible == system.depth_of(Priority.NORMAL) > 1_000
    outcome = await operator.many(choice, Tally(Verb.CANCEL, counted), lambda done: not steps.append(done))
    assert steps == [*range(1_000, counted.possible, 1_000), counted.possible]
    assert outcome.sentence == f"Canceled {counted.possible:,} predictions."
    assert system.depth_of(Priority.NORMAL) == 0
    await operator.aclose()


async def test_what_cannot_be_done_is_refused_in_the_words_of_a_server() -> None:
    """Each with its reason; nothing changes."""
    system = system_at(20)
    operator = operator_on(system)
    running = next(run for run in system.every if run.status is Status.RUNNING)
    at_once = next(run for run in system.every if run.mode is Mode.SYNC and run.status.is_terminal)
    for verb, prediction_id, why in (
        (Verb.REPLAY, running.prediction_id, "has not ended; wait for its end, or cancel it first."),
        (Verb.REPLAY, at_once.prediction_id, "was answered at once: its input is not kept; send it again."),
        (Verb.DROP, running.prediction_id, "has not ended; cancel it first."),
        (Verb.CANCEL, "nobody", "No prediction has the id 'nobody'"),
    ):
        with pytest.raises(OperatorError) as refused:
            await operator.one(verb, prediction_id)
        assert why in str(refused.value)
    with pytest.raises(OperatorError, match="No queue is called 'hgh'"):
        await operator.pause("hgh")
    letter = system.dead_letters()[0].prediction_id
    letters = choose_ids([letter, at_once.prediction_id])
    possible, sentence = await all_of(operator, Verb.REPLAY, letters)
    assert possible == 2
    assert sentence.startswith(f"Replayed 1 prediction; 1 was skipped: Prediction '{at_once.prediction_id}' was ")
    counted = await operator.count(Verb.REPLAY, letters)
    assert (counted.possible, counted.skipped) == (1, 1)
    assert "was replayed already" in counted.why
    await operator.aclose()


async def acted_on() -> DemoSystem:
    """A system to which everything was done, at the same times each time."""
    system = system_at(150)
    operator, hands, desk = operator_on(system), Hands(system), DemoDesk(system, lambda: system.now_s)
    await operator.resume("low")
    await operator.pause("high")
    kept = parse("status:failed model:digits")
    await all_of(operator, Verb.REPLAY, choose(Verb.REPLAY, kept, (), now_ms=now_ms(system)))
    system.advance(160)
    running = next(run for run in system.every if run.status is Status.RUNNING and run.mode is Mode.ASYNC)
    await operator.one(Verb.CANCEL, running.prediction_id)
    hands.change(ModelChange(deed=Deed.ROLL_BACK, model="fraud-scorer"))
    hands.change(ModelChange(deed=Deed.UNLOAD, model="digits"))
    desk.start(Plan(model="mock", how=How.ASYNC, rate_per_s=90, duration_s=10), [b'"hello"'])
    system.advance(175)
    desk.cancel_open()
    kept = parse("status:succeeded model:mock")
    await all_of(operator, Verb.DROP, choose(Verb.DROP, kept, (), now_ms=now_ms(system)))
    system.advance(240)
    await operator.aclose()
    return system


async def test_the_same_done_at_the_same_times_tells_the_same() -> None:
    """Figures, events, rows and letters; and nothing of it is implausible."""
    system, again = await acted_on(), await acted_on()
    overview, events = system.overview(), system.events(None)
    rows, _ = system.page(None, 100_000)
    assert overview == again.overview()
    assert events == again.events(None)
    assert rows == again.page(None, 100_000)[0]
    assert system.dead_letters() == again.dead_letters()
    check_overview(overview)
    check_health(system.health())
    for row in rows:
        check_summary(row)
    for event in events:
        check_event(event)
    assert overview.queue.depth == sum(row.status is Status.QUEUED for row in rows)
    assert sum(worker.running for worker in overview.workers) == overview.queue.running
    assert {queue.name for queue in overview.queues if queue.paused} == {"high"}


def loaded(plan: Plan, inputs: Sequence[bytes], *, seconds: float = 60.0) -> tuple[Report, DemoSystem]:
    """What came of a load, and of what."""
    system = system_at(20)
    desk = DemoDesk(system, lambda: system.now_s)
    desk.start(plan, inputs)
    system.advance(20 + seconds)
    assert desk.report is not None
    return desk.report, system


@pytest.mark.parametrize("how", How, ids=str)
@pytest.mark.parametrize("shape", Shape, ids=str)
def test_a_load_is_sent_as_it_was_asked_for(shape: Shape, how: How) -> None:
    """All of it, within its bounds; what came of it adds up, in times that a model can have."""
    plan = Plan(model="mock", how=how, shape=shape, rate_per_s=30, callers=6, duration_s=20, total=2_000)
    report, system = loaded(plan, [b'"hello"', b'"bye"'])
    assert report.state is State.ENDED
    assert sum(report.outcomes.values()) == report.sent
    assert report.in_flight == 0
    if plan.schedule is not None:
        assert report.sent == plan.schedule.count
        assert max(second.sent for second in report.seconds) <= 32
    else:
        assert 60 < report.sent <= 2_000
        assert max(second.sent for second in report.seconds) <= plan.limit_per_s + 5
    assert report.outcomes[Outcome.OK] == report.sent
    p50_ms, p95_ms = report.times.p50_ms or 0, report.times.p95_ms or 0
    assert (1 < p50_ms < p95_ms < 20) if how is How.ASYNC else (100 < p50_ms < p95_ms < 20_000)
    sent = [run for run in system.every if run.given in ("hello", "bye") and run.created_s >= 20]
    assert len(sent) == report.sent
    assert {run.mode for run in sent} == {Mode.SYNC if how is How.SYNC else Mode.ASYNC}
    if how is How.ASYNC:
        assert report.ended[Status.SUCCEEDED] + report.open == report.sent


@pytest.mark.parametrize(
    ("plan", "given", "label"),
    [
        (Plan(model="mock", rate_per_s=400, limit_per_s=400, duration_s=5), b'"a"', "503 overloaded"),
        (
            Plan(model="mock", how=How.ASYNC, rate_per_s=400, limit_per_s=400, duration_s=10),
            b'"a"',
            "429 queue_full",
        ),
        (Plan(model="digits", rate_per_s=10, duration_s=5), b'"a"', "422 invalid_input"),
    ],
    ids=("overloaded", "full", "invalid"),
)
def test_what_the_system_cannot_take_it_refuses(plan: Plan, given: bytes, label: str) -> None:
    """As a server would, with its codes; held back for as long as a refusal says, it is refused less."""
    report, _ = loaded(plan, [given])
    assert label in {error.label for error in report.errors}
    refused = report.outcomes[Outcome.REFUSED]
    patient, _ = loaded(msgspec.structs.replace(plan, honors_retry_after=True), [given])
    assert patient.outcomes[Outcome.REFUSED] < refused or refused == 0
    assert (patient.held_back > 0) == (refused > 0)


def test_a_load_is_stopped_and_its_own_are_canceled() -> None:
    """What waits for an answer is abandoned; others in the queue stay there."""
    system = system_at(100)
    system.paused.add(Priority.NORMAL)
    desk = DemoDesk(system, lambda: system.now_s)
    desk.start(Plan(model="mock", how=How.WAIT, rate_per_s=20, duration_s=30), [b'"mine"'])
    system.advance(105)
    desk.stop()
    assert desk.report is not None
    assert desk.report.state is State.STOPPING
    system.advance(106)
    assert desk.report.state is State.ENDED
    mine = desk.report.sent
    assert desk.report.outcomes[Outcome.ABANDONED] == desk.report.open == mine == 101
    others = system.depth_of(Priority.NORMAL) - mine
    desk.cancel_open()
    system.advance(106.1)
    assert desk.report.open == 0
    assert desk.report.ended == {Status.CANCELED: mine}
    assert system.depth_of(Priority.NORMAL) >= others
    assert all(run.status is Status.CANCELED for run in system.every if run.given == "mine")


def test_what_a_version_failed_fails_again_until_another_is_live() -> None:
    """Not by chance, but for what its input lacks; one that has it succeeds on the same version."""
    system = system_at(170)
    hands = Hands(system)
    letter = next(each for each in system.dead_letters() if each.version == "4" and "amount_eur" in each.error.message)
    failed = hands.replay(letter.prediction_id)
    mended = hands.submit("fraud-scorer", {**failed.given, "amount_eur": 1}, version="4")
    system.advance(200)
    assert (failed.version, failed.status, failed.failure and failed.failure.error) == (
        "4",
        Status.FAILED,
        letter.error,
    )
    assert mended.status is Status.SUCCEEDED
    hands.change(ModelChange(deed=Deed.ROLL_BACK, model="fraud-scorer"))
    again = hands.replay(failed.prediction_id)
    system.advance(230)
    assert (again.version, again.status) == ("1", Status.SUCCEEDED)
