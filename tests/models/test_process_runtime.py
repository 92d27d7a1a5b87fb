"""Models in processes of their own: each form and what it says, and every way for a process to go wrong."""

import asyncio
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.models import villains
from tests.models.villains import Order, Pid, Villain
from zypher_jobs.errors import (
    InvalidInput,
    ModelCrashed,
    ModelDefinitionError,
    ModelError,
    ModelNotReady,
    OutOfMemory,
    PredictionTimeout,
)
from zypher_jobs.models import Model, ModelRegistry, ServedModel
from zypher_jobs.models.retries import RetryPolicy
from zypher_jobs.models.runtimes import children, turn
from zypher_jobs.processes import NICER
from zypher_jobs.testing import wait_until


@pytest.fixture
async def registry() -> AsyncIterator[ModelRegistry]:
    """An empty one."""
    registry = ModelRegistry()
    yield registry
    await registry.close()


class State:
    """A file that ``Moody`` and ``Tidy`` know."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def there(self, there: bool) -> None:
        if there:
            self._path.touch()
        else:
            self._path.unlink()

    def text(self) -> str:
        return self._path.read_text()


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> State:
    """Not there yet."""
    monkeypatch.setenv(villains.STATE, str(tmp_path / "state"))
    return State(tmp_path / "state")


async def loaded(registry: ModelRegistry, model: type[Model[Any, Any]]) -> ServedModel:
    served = registry.add(model)
    await registry.load_all()
    return served


async def pid_of(served: ServedModel) -> int:
    """Of the child that answers."""
    pid: int = (await served.run(Order(), timeout_s=20)).pid
    assert pid != os.getpid()
    return pid


def lives(pid: int) -> bool:
    """Whether there is such a process, and it is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


async def begun(served: ServedModel, do: str) -> tuple["asyncio.Task[Any]", list[Any]]:
    """A run that its model has begun, with what it said."""
    heard = Heard()
    task = asyncio.create_task(served.run(Order(do=do), timeout_s=60, listener=heard))
    await wait_until(lambda: heard.all)
    return task, heard.all


class Heard:
    """A listener that keeps it all."""

    def __init__(self) -> None:
        self.all: list[Any] = []

    def progress(self, fraction: float, message: str) -> None:
        self.all.append((fraction, message))

    def log(self, line: str) -> None:
        self.all.append(line)

    def chunk(self, output: Any) -> None:
        self.all.append(output)


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


@pytest.mark.parametrize(
    ("model", "error"),
    [
        (villains.NotThere, "FileNotFoundError: weights.bin"),
        (villains.Sleeper, "it did not load within load_timeout_s = 0.5 s; its process was ended."),
        (villains.DiesLoading, "its process was ended by SIGSEGV while it loaded."),
        (villains.WarmUp, "ValueError: cold"),
    ],
)
async def test_a_model_that_does_not_load_is_unready(
    registry: ModelRegistry, model: type[Model[Any, Any]], error: str
) -> None:
    """It says why, and the others are served."""
    bad, good = registry.add(model), registry.add(villains.Gang)
    await registry.load_all()
    assert (bad.ready, bad.error) == (False, error)
    with pytest.raises(ModelNotReady):
        await bad.run(Order(), timeout_s=1)
    await pid_of(good)


async def test_a_model_that_needs_more_than_its_limit_to_load_is_unready(registry: ModelRegistry) -> None:
    """With the figures."""
    served = await loaded(registry, villains.Fat)
    assert served.error is not None
    assert "more than its limit of 150 MiB" in served.error


async def test_a_child_that_dies_while_idle_is_followed_by_another(
    registry: ModelRegistry, caplog: pytest.LogCaptureFixture
) -> None:
    """Nobody has to ask: it is there before the next call."""
    served = await loaded(registry, Villain)
    before = await pid_of(served)
    with caplog.at_level(logging.WARNING, "zypher.models"):
        os.kill(before, signal.SIGKILL)
        await wait_until(lambda: caplog.records)
    assert await pid_of(served) != before


async def test_a_child_that_cannot_start_again_makes_the_model_unready_until_one_can(
    registry: ModelRegistry, state: State, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Who waits and who comes hear why; it is tried again, and once it loads all is well."""
    monkeypatch.setattr(children, "FIRST_PAUSE_S", 0.1)
    served = await loaded(registry, villains.Moody)
    before = await pid_of(served)
    state.there(True)
    with caplog.at_level(logging.WARNING, "zypher.models"):
        os.kill(before, signal.SIGKILL)
        await wait_until(lambda: served.error == "RuntimeError: not in the mood")
    assert served.info.ready is False
    with pytest.raises(ModelNotReady, match=r"^Model 'moody' is not ready: RuntimeError: not in the mood\.$"):
        await served.run(Order(), timeout_s=1)
    state.there(False)
    await wait_until(lambda: served.ready)
    assert await pid_of(served) != before
    assert "its process was ended by SIGKILL" in [record.__dict__.get("why") for record in caplog.records]


async def test_who_waits_for_a_child_leaves_at_the_deadline(
    registry: ModelRegistry, state: State, caplog: pytest.LogCaptureFixture
) -> None:
    """The only child is being replaced by one that takes its time to load."""
    served = await loaded(registry, villains.Slow)
    before = await pid_of(served)
    state.there(True)
    with caplog.at_level(logging.WARNING, "zypher.models"):
        os.kill(before, signal.SIGKILL)
        await wait_until(lambda: caplog.records)
    with pytest.raises(PredictionTimeout):
        await served.run(Order(), timeout_s=0.05)
    state.there(False)
    await pid_of(served)


async def test_unload_is_called_and_nothing_is_left(registry: ModelRegistry, state: State) -> None:
    """The child unloads by itself; it may be loaded again."""
    served = await loaded(registry, villains.Tidy)
    first = await pid_of(served)
    await served.unload()
    assert state.text() == "unloaded"
    assert not lives(first)
    await registry.load_all()
    assert await pid_of(served) != first


async def test_a_child_that_hangs_does_not_keep_the_registry_from_closing() -> None:
    """What still runs is killed."""
    registry = ModelRegistry()
    served = await loaded(registry, Villain)
    pid = await pid_of(served)
    run, _ = await begun(served, "spin in C")
    started_s = time.monotonic()
    await registry.close()
    assert time.monotonic() - started_s < 2
    assert not lives(pid)
    await asyncio.wait([run])
    assert isinstance(run.exception(), ModelCrashed)


@pytest.mark.parametrize("do", ["echo", "spin in C"])
def test_no_child_outlives_a_killed_parent(do: str, tmp_path: Path) -> None:
    """SIGKILL to the parent, its child idle or holding the GIL for ever: both are gone at once."""
    code = f"""
import asyncio
from tests.models.villains import Order, Villain
from zypher_jobs.models import ModelRegistry

async def main():
    registry = ModelRegistry()
    served = registry.add(Villain)
    await registry.load_all()
    print((await served.run(Order(), timeout_s=20)).pid, flush=True)
    task = asyncio.ensure_future(served.run(Order(do={do!r}), timeout_s=60))
    await asyncio.sleep(60)

asyncio.run(main())
"""
    root = Path(__file__).parents[2]
    environ = {**os.environ, "PYTHONPATH": str(root)}
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, env=environ, cwd=tmp_path) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert lives(child)
        parent.kill()
    deadline_s = time.monotonic() + 5
    while lives(child):
        assert time.monotonic() < deadline_s, f"{child} is an orphan"


def test_a_class_that_no_child_could_import_is_refused(registry: ModelRegistry) -> None:
    """With the way out; a thread could have served it."""

    class Local(Villain):
        name = "local"

    with pytest.raises(
        ModelDefinitionError, match=r"test_process_runtime\.py:\d+: model .*Local: .* define it at the top of a module"
    ):
        registry.add(Local)


def test_the_settings_of_isolation_are_checked(registry: ModelRegistry) -> None:
    """A load timeout that is none."""

    class Hasty(Villain):
        load_timeout_s = 0

    with pytest.raises(ModelDefinitionError, match=r"`load_timeout_s` must be a number of seconds above 0; it is 0"):
        registry.add(Hasty)
