"""Versions of one model: who answers, and what is in memory."""

import asyncio
import threading
from collections import Counter

import msgspec
import pytest

from zypher_jobs.errors import ModelNotReady, UnknownVersion
from zypher_jobs.models import Model, ModelRegistry
from zypher_jobs.models.definition import define
from zypher_jobs.models.runtimes.python import PythonRuntime
from zypher_jobs.models.served import ServedModel
from zypher_jobs.models.versions import Versions


class Text(msgspec.Struct):
    """One text."""

    text: str


class Echo(Model[Text, Text]):
    """Repeats it; says what it was told to do."""

    said: list[str]
    may_end = threading.Event()

    def load(self) -> None:
        """Say so."""
        Echo.said.append("load")

    def unload(self) -> None:
        """Say so."""
        Echo.said.append("unload")

    def predict(self, input: Text) -> Text:
        """Repeat it, or wait for the test."""
        if input.text == "wait":
            assert Echo.may_end.wait(10)
        return input


def echo(version: str = "1") -> ServedModel:
    """A version of it."""
    definition = msgspec.structs.replace(define(Echo), version=version)
    return ServedModel(PythonRuntime(Echo, definition))


@pytest.fixture(autouse=True)
def quiet() -> None:
    """Nothing said yet."""
    Echo.said = []
    Echo.may_end.clear()


def test_traffic_is_shared_as_told() -> None:
    """90 to 10 is within five standard deviations of it."""
    versions = Versions("echo")
    for version in ("1", "2", "3"):
        versions.add(echo(version), live=False)
    versions.route({"2": 90, "3": 10})
    drawn = Counter(versions.choose().version for _ in range(20_000))
    assert abs(drawn["3"] - 2_000) < 5 * (20_000 * 0.9 * 0.1) ** 0.5
    assert set(drawn) == {"2", "3"}


def test_live_is_a_name_for_who_answers() -> None:
    """Wherever a version is named."""
    versions = Versions("echo")
    versions.add(echo("1"))
    versions.add(echo("2"), live=False)
    assert versions.get("live").version == "1"


def test_a_version_that_is_coming_is_not_ready_and_one_that_is_not_is_unknown() -> None:
    """503 for the one, 404 for the other."""
    versions = Versions("echo")
    versions.coming["2"] = "it is being fetched"
    with pytest.raises(ModelNotReady, match="Version '2' of model 'echo' is not ready: it is being fetched"):
        versions.get("2")
    with pytest.raises(UnknownVersion):
        versions.get("3")
    with pytest.raises(ModelNotReady, match="no live version here; version '2': it is being fetched"):
        versions.choose()


async def test_what_sleeps_is_loaded_at_its_next_call() -> None:
    """Several calls at once load it once."""
    served = echo()
    await served.load()
    await served.sleep()
    assert served.asleep
    assert Echo.said == ["load", "unload"]
    answers = await asyncio.gather(*(served.run(Text("hi"), timeout_s=5) for _ in range(5)))
    assert answers == [Text("hi")] * 5
    assert Echo.said == ["load", "unload", "load"]
    await served.unload()


async def test_what_runs_is_not_put_to_sleep() -> None:
    """A call under way keeps its model in memory."""
    served = echo()
    await served.load()
    running = asyncio.create_task(served.run(Text("wait"), timeout_s=10))
    await asyncio.sleep(0)
    await served.sleep()
    assert not served.asleep
    Echo.may_end.set()
    assert await running == Text("wait")
    await served.sleep()
    assert served.asleep
    await served.unload()


async def test_a_call_that_comes_while_a_model_falls_asleep_is_answered() -> None:
    """Whichever of the two is first."""
    served = echo()
    await served.load()
    for _ in range(20):
        _, answer = await asyncio.gather(served.sleep(), served.run(Text("hi"), timeout_s=5))
        assert answer == Text("hi")
        assert served.ready
    await served.unload()


def test_a_model_whose_versions_are_all_coming_is_known_but_not_ready(registry: ModelRegistry) -> None:
    """And forgotten with its last one."""
    registry.versions_of("new").coming["1"] = "it is being fetched"
    with pytest.raises(ModelNotReady):
        registry.get("new")
    registry.forget("new")
    assert "new" not in registry.names()


@pytest.fixture
def registry() -> ModelRegistry:
    """An empty one."""
    return ModelRegistry()
