"""Models in processes of their own: each form and what it says, and every way for a run to go wrong."""

import asyncio
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.models import villains
from tests.models.in_processes import Heard, begun, lives, loaded, pid_of
from tests.models.villains import Order, Pid, Villain
from zypher_jobs.errors import (
    InvalidInput,
    ModelCrashed,
    ModelError,
    OutOfMemory,
    PredictionTimeout,
)
from zypher_jobs.models import Model, ModelRegistry
from zypher_jobs.models.retries import RetryPolicy
from zypher_jobs.models.runtimes import turn
from zypher_jobs.processes import NICER
from zypher_jobs.testing import wait_until


@pytest.mark.parametrize("model", [Villain, villains.AsyncVillain, villains.Gang])
async def test_each_form_predicts_in_a_process_of_its_own(
    registry: ModelRegistry, model: type[Model[Any, Any]]
) -> None:
    """One, many or async: every input gets its own output, from one child and not from here."""
    served = await loaded(registry, model)
    outputs = await asyncio.gather(*(served.run(Order(text=str(n)), timeout_s=20) for n in range(20)))
    assert [output.text for output in outputs] == [str(n) for n in range(20)]
    (pid,) = {output.pid for output in outputs}
    assert pid != os.getpid()


async def test_a_stream_comes_piece_by_piece(registry: ModelRegistry) -> None:
    """Text is joined, Structs are listed, and each piece is told, as its own type."""
    text, structs = registry.add(villains.Stream), registry.add(villains.AsyncStream)
    await registry.load_all()
    heard = Heard()
    assert await text.run(Order(text="n", count=3), timeout_s=20, listener=heard) == "n0 n1 n2 "
    assert heard.all == ["n0 ", "n1 ", "n2 "]
    heard = Heard()
    outputs = await structs.run(Order(count=2), timeout_s=20, listener=heard)
    assert outputs == heard.all
    assert [type(output) for output in outputs] == [Pid, Pid]


async def test_a_model_knows_its_prediction_and_is_heard(registry: ModelRegistry) -> None:
    """Id, attempt and what remains go in; progress and log lines come out."""
    served = await loaded(registry, villains.Teller)
    heard = Heard()
    knows = await served.run(Order(), timeout_s=20, prediction_id="abc", attempt=2, listener=heard)
    assert (knows["id"], knows["attempt"]) == ("abc", 2)
    assert 10 < knows["remaining_s"] <= 20
    assert heard.all == [(0.5, "half"), "a line"]


async def test_a_large_input_and_output_pass(registry: ModelRegistry) -> None:
    """More than a socket holds, in both directions."""
    served = await loaded(registry, Villain)
    text = "é" * 5_000_000
    assert (await served.run(Order(text=text), timeout_s=20)).text == text


async def test_what_a_model_prints_is_no_message(registry: ModelRegistry, capfd: pytest.CaptureFixture[str]) -> None:
    """Its standard output and error are free for it, and go to standard error."""
    served = await loaded(registry, Villain)
    await served.run(Order(do="print"), timeout_s=20)
    await pid_of(served)
    out, err = capfd.readouterr()
    assert out == ""
    assert "printed\n" in err
    assert "complained\n" in err


async def test_what_a_model_raises_is_a_model_error(registry: ModelRegistry) -> None:
    """With its traceback, and whether its retry policy names it; the child goes on."""
    served = await loaded(registry, Villain)
    pid = await pid_of(served)
    with pytest.raises(ModelError, match=r"^ValueError: text$") as failed:
        await served.run(Order(do="raise", text="text"), timeout_s=20)
    assert "in predict" in failed.value.traceback
    assert not served.retries.covers(failed.value)
    with pytest.raises(ModelError, match=r"^ConnectionResetError: text$") as passing:
        await served.run(Order(do="may pass", text="text"), timeout_s=20)
    assert served.retries.covers(passing.value)
    assert await pid_of(served) == pid


async def test_an_output_that_its_type_does_not_allow_is_a_model_error(registry: ModelRegistry) -> None:
    """Also deep inside, as it is read anew here."""
    served = await loaded(registry, villains.Liar)
    with pytest.raises(
        ModelError, match=r"^Model 'liar' returned what its output type does not allow: .* `\$\.pid`\.$"
    ):
        await served.run(Order(), timeout_s=20)


async def test_an_input_that_no_process_can_be_sent_is_refused(registry: ModelRegistry) -> None:
    """An integer beyond 64 bits, which JSON can hold and MessagePack cannot."""
    served = await loaded(registry, Villain)
    with pytest.raises(InvalidInput, match=r"^The input cannot be sent to the model's process: "):
        await served.run(Order(count=2**70), timeout_s=20)


@pytest.mark.parametrize(("do", "end"), [("segfault", "was ended by SIGSEGV"), ("exit", "ended with code 3")])
async def test_a_crash_fails_one_prediction_and_the_next_one_runs(registry: ModelRegistry, do: str, end: str) -> None:
    """It says how the process ended, and where if it crashed; is worth a retry, and another child is there."""
    served = await loaded(registry, Villain)
    before = await pid_of(served)
    with pytest.raises(ModelCrashed) as crashed:
        await served.run(Order(do=do), timeout_s=20)
    assert crashed.value.message == f"Model 'villain' crashed: its process {end}."
    assert ("in _crash" in crashed.value.traceback) is (do == "segfault")
    assert RetryPolicy().covers(crashed.value)
    assert not RetryPolicy(retry_crashes=False).covers(crashed.value)
    assert await pid_of(served) != before


@pytest.mark.parametrize("do", ["spin", "spin in C", "stop"])
async def test_a_child_that_goes_on_past_its_deadline_is_killed(registry: ModelRegistry, do: str) -> None:
    """In Python, in C with the GIL held, or stopped altogether: the caller hears at the deadline, the child is gone."""
    served = await loaded(registry, Villain)
    before = await pid_of(served)
    with pytest.raises(PredictionTimeout, match=r"^Model 'villain' did not answer within 0\.1 s\.$"):
        await served.run(Order(do=do), timeout_s=0.1)
    assert await pid_of(served) != before
    await wait_until(lambda: not lives(before))


async def test_an_async_model_that_blocks_its_loop_is_killed(registry: ModelRegistry) -> None:
    """It can block no loop but its own."""
    served = await loaded(registry, villains.AsyncVillain)
    before = await pid_of(served)
    with pytest.raises(PredictionTimeout):
        await served.run(Order(do="spin"), timeout_s=0.1)
    assert await pid_of(served) != before


async def test_a_model_that_ignores_its_cancellation_is_killed(registry: ModelRegistry) -> None:
    """The caller leaves at once; the child has a moment."""
    served = await loaded(registry, Villain)
    before = await pid_of(served)
    run, _ = await begun(served, "spin")
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    await wait_until(lambda: not lives(before), timeout_s=5)
    assert await pid_of(served) != before


async def test_a_model_that_looks_at_its_cancellation_lives_on(registry: ModelRegistry) -> None:
    """``context.check()`` ends the run in time: no child is lost for it."""
    served = await loaded(registry, Villain)
    before = await pid_of(served)
    run, _ = await begun(served, "spin politely")
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    with pytest.raises(PredictionTimeout):
        await served.run(Order(do="spin politely"), timeout_s=0.1)
    assert await pid_of(served) == before


async def test_a_model_that_eats_memory_is_killed(registry: ModelRegistry) -> None:
    """At its limit, with the figures; the same input is not worth a retry."""
    served = await loaded(registry, villains.LimitedVillain)
    before = await pid_of(served)
    with pytest.raises(
        OutOfMemory, match=r"^Model 'limited-villain' took \d+ MiB of memory, more than .* 150 MiB,"
    ) as out:
        await served.run(Order(do="eat", count=100_000), timeout_s=30)
    assert not served.retries.covers(out.value)
    assert await pid_of(served) != before


async def test_a_child_that_keeps_too_much_is_replaced_after_its_answer(
    registry: ModelRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The prediction that made it grow succeeds if it ends first; the next one meets a fresh process."""
    monkeypatch.setattr(turn, "LOOK_S", 60)
    served = await loaded(registry, villains.LimitedVillain)
    grown = (await served.run(Order(do="keep", count=200), timeout_s=20)).pid
    assert await pid_of(served) != grown


async def test_one_that_crashes_its_batch_fails_alone(registry: ModelRegistry) -> None:
    """The batch is split and run again until only the bad one is left."""
    served = await loaded(registry, villains.Gang)
    orders = [Order(do="segfault" if n == 5 else "echo", text=str(n)) for n in range(8)]
    outcomes = await asyncio.gather(*(served.run(each, timeout_s=30) for each in orders), return_exceptions=True)
    crashed = [isinstance(outcome, ModelCrashed) for outcome in outcomes]
    assert crashed == [n == 5 for n in range(8)]
    assert [outcome.text for outcome in outcomes if isinstance(outcome, Pid)] == ["0", "1", "2", "3", "4", "6", "7"]


async def test_concurrency_is_the_number_of_children(registry: ModelRegistry) -> None:
    """Two run side by side, in two processes; one that crashes does not take the other with it."""
    served = await loaded(registry, villains.Pair)
    one, other = await asyncio.gather(*(served.run(Order(), timeout_s=20) for _ in range(2)))
    assert one.pid != other.pid
    crash, good = await asyncio.gather(
        served.run(Order(do="segfault"), timeout_s=20), served.run(Order(), timeout_s=20), return_exceptions=True
    )
    assert isinstance(crash, ModelCrashed)
    assert isinstance(good, Pid)


def group_of(pid: int) -> str:
    """How nice the group of its session is; empty where there are none."""
    switch, group = Path("/proc/sys/kernel/sched_autogroup_enabled"), Path(f"/proc/{pid}/autogroup")
    if not switch.exists() or switch.read_text(encoding="ascii").strip() != "1":
        return ""
    return " ".join(group.read_text(encoding="ascii").split()[1:])


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere it is only nicer")
async def test_a_child_gives_way_to_whoever_answers_callers(registry: ModelRegistry) -> None:
    """It is nicer than its parent, as is its session where the system weighs those, and so is what it starts."""
    served = await loaded(registry, Villain)
    child = await pid_of(served)
    nice = os.getpriority(os.PRIO_PROCESS, 0) + NICER
    assert os.getpriority(os.PRIO_PROCESS, child) == nice
    assert os.getsid(child) == child
    assert group_of(child) in {"", f"nice {nice}"}


async def test_what_the_model_started_ends_with_it(registry: ModelRegistry) -> None:
    """A process that it started is killed with the child."""
    served = await loaded(registry, Villain)
    run, heard = await begun(served, "spawn")
    await wait_until(lambda: len(heard) == 2)
    grandchild = int(heard[1])
    run.cancel()
    await asyncio.wait([run])
    await wait_until(lambda: not lives(grandchild), timeout_s=5)
