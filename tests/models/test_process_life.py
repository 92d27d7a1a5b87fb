"""Models in processes of their own: how children load, die, are followed by others, and end."""

import asyncio
import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.models import villains
from tests.models.in_processes import begun, lives, loaded, pid_of
from tests.models.villains import Order, Villain
from zypher_jobs.errors import (
    ModelCrashed,
    ModelDefinitionError,
    ModelNotReady,
    PredictionTimeout,
)
from zypher_jobs.models import Model, ModelRegistry
from zypher_jobs.models.call import Call
from zypher_jobs.models.runtimes import children
from zypher_jobs.testing import wait_until


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


async def test_a_call_knows_how_long_it_waited_for_a_child_to_start(
    registry: ModelRegistry, state: State, caplog: pytest.LogCaptureFixture
) -> None:
    """One that finds a child waits for none."""
    served = await loaded(registry, villains.Slow)
    found = Call(Order(), timeout_s=20)
    await served.run_call(found)
    assert found.load_ms == 0
    before = await pid_of(served)
    state.there(True)
    with caplog.at_level(logging.WARNING, "zypher.models"):
        os.kill(before, signal.SIGKILL)
        await wait_until(lambda: caplog.records)
    waiting = Call(Order(), timeout_s=20)
    task = asyncio.create_task(served.run_call(waiting))
    await wait_until(lambda: served.batcher is not None and served.batcher.running)
    state.there(False)
    await task
    assert waiting.load_ms > 0


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
        ModelDefinitionError, match=r"test_process_life\.py:\d+: model .*Local: .* define it at the top of a module"
    ):
        registry.add(Local)


def test_the_settings_of_isolation_are_checked(registry: ModelRegistry) -> None:
    """A load timeout that is none."""

    class Hasty(Villain):
        load_timeout_s = 0

    with pytest.raises(ModelDefinitionError, match=r"`load_timeout_s` must be a number of seconds above 0; it is 0"):
        registry.add(Hasty)
