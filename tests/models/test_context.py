"""``context``: what a model says and knows while it runs, in a thread, on the event loop, for a batch, and outside."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import msgspec
import pytest

from zypher_jobs.errors import ModelError, PredictionCanceled, PredictionTimeout
from zypher_jobs.models import Model, ModelRegistry, ServedModel, context
from zypher_jobs.testing import wait_until


class Text(msgspec.Struct):
    text: str


class Heard:
    """A listener that remembers."""

    def __init__(self) -> None:
        self.said: list[Any] = []

    def progress(self, fraction: float, message: str) -> None:
        self.said.append((fraction, message))

    def log(self, line: str) -> None:
        self.said.append(line)

    def chunk(self, output: Any) -> None:
        self.said.append({"chunk": output})


def say(text: str) -> None:
    """All that there is to say."""
    context.progress(0.4, "tokenizing")
    context.log(f"{context.prediction_id}/{context.attempt} {text} {context.remaining_s > 50} {context.canceled}")
    context.progress(7)
    context.check()


SAID = [(0.4, "tokenizing"), "p1/2 a True False", (1.0, "")]


class InThread(Model[Text, Text]):
    def predict(self, input: Text) -> Text:
        say(input.text)
        return input


class OnTheLoop(Model[Text, Text]):
    async def predict(self, input: Text) -> Text:
        await asyncio.sleep(0)
        say(input.text)
        return input


class Streams(Model[Text, str]):
    def predict(self, input: Text) -> Iterator[str]:
        say(input.text)
        yield from input.text


class StreamsOnTheLoop(Model[Text, str]):
    async def predict(self, input: Text) -> AsyncIterator[str]:
        say(input.text)
        for letter in input.text:
            await asyncio.sleep(0)
            yield letter


class Many(Model[Text, Text]):
    def predict(self, inputs: list[Text]) -> list[Text]:
        context.progress(0.5, f"{len(inputs)}")
        context.log(" ".join(context.prediction_ids))
        return inputs


class InAThreadOfItsOwn(Model[Text, Text]):
    def predict(self, input: Text) -> Text:
        thread = threading.Thread(target=context.log, args=("unheard",))
        thread.start()
        thread.join()
        return input


class Unending(Model[Text, Text]):
    began, ended = threading.Event(), threading.Event()

    def predict(self, input: Text) -> Text:
        Unending.began.set()
        try:
            while not Unending.ended.wait(0.001):
                context.check()
        except PredictionCanceled:
            Unending.ended.set()
            raise
        return input


async def served(model: type[Model[Any, Any]]) -> ServedModel:
    """Loaded."""
    one = ModelRegistry().add(model)
    await one.load()
    assert one.ready
    return one


@pytest.mark.parametrize("model", [InThread, OnTheLoop, Streams, StreamsOnTheLoop])
async def test_what_a_model_says_is_heard_in_order(model: type[Model[Any, Any]]) -> None:
    """With the prediction's id, its attempt and its deadline known; progress is clipped."""
    heard = Heard()
    one = await served(model)
    output = await one.run(Text("a"), timeout_s=60, prediction_id="p1", attempt=2, listener=heard)
    chunk = [{"chunk": "a"}] if one.definition.streams else []
    assert heard.said == SAID + chunk
    assert output == ("a" if one.definition.streams else Text("a"))


async def test_two_at_once_do_not_hear_each_other() -> None:
    """Each thread and each task speaks for its own prediction."""
    for model in (InThread, OnTheLoop):
        one = await served(model)
        listeners = [Heard() for _ in range(20)]
        await asyncio.gather(
            *(
                one.run(Text("a"), timeout_s=60, prediction_id=f"p{number}", listener=heard)
                for number, heard in enumerate(listeners)
            )
        )
        lines = [heard.said[1] for heard in listeners]
        assert lines == [f"p{number}/1 a True False" for number in range(20)]


async def test_a_batch_speaks_for_everyone_in_it() -> None:
    """One call of the model, several listeners."""
    one = await served(Many)
    listeners = [Heard() for _ in range(3)]
    await asyncio.gather(
        *(
            one.run(Text("a"), timeout_s=60, prediction_id=f"p{number}", listener=heard)
            for number, heard in enumerate(listeners)
        )
    )
    assert [heard.said for heard in listeners] == 3 * [[(0.5, "3"), "p0 p1 p2"]]


async def test_a_thread_of_the_models_own_speaks_for_nobody() -> None:
    """It has no prediction unless it is given the context; nothing fails."""
    heard = Heard()
    await (await served(InAThreadOfItsOwn)).run(Text("a"), timeout_s=60, listener=heard)
    assert heard.said == []


async def test_a_model_learns_that_nobody_wants_its_output_any_more() -> None:
    """At the deadline, and when its caller goes."""
    one = await served(Unending)
    running = asyncio.create_task(one.run(Text("a"), timeout_s=60))
    await wait_until(Unending.began.is_set)
    running.cancel()
    await wait_until(Unending.ended.is_set)
    Unending.ended.clear()
    with pytest.raises(PredictionTimeout):
        await one.run(Text("a"), timeout_s=0.2)
    await wait_until(Unending.ended.is_set)


async def test_a_listener_that_refuses_a_chunk_fails_the_prediction() -> None:
    """As what cannot be sent does."""

    class Refuses(Heard):
        def chunk(self, output: Any) -> None:
            raise ModelError("no JSON")

    with pytest.raises(ModelError, match="no JSON"):
        await (await served(Streams)).run(Text("a"), timeout_s=60, listener=Refuses())


def test_outside_of_a_prediction_it_says_and_does_nothing() -> None:
    """In a test of the class, in a script."""
    assert InThread().predict(Text("a")) == Text("a")
    assert (context.prediction_id, context.prediction_ids, context.attempt) == ("", [], 1)
    assert context.remaining_s == float("inf")
    assert not context.canceled
