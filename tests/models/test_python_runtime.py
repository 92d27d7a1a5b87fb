"""Running a user's class: its forms, its failures, its timeouts, and that it never blocks the event loop."""

import asyncio
import threading
from typing import Any, ClassVar

import msgspec
import pytest

from zypher_jobs.errors import ModelError, ModelNotReady, PredictionTimeout
from zypher_jobs.models import Model, ModelRegistry, ServedModel
from zypher_jobs.testing import wait_until


class Text(msgspec.Struct):
    text: str


class Upper(Model[Text, Text]):
    def predict(self, input: Text) -> Text:
        if input.text == "exit":
            raise SystemExit(3)
        if input.text == "timeout":
            raise TimeoutError("the model's own")
        if input.text == "stop":
            raise StopIteration
        return Text(text=input.text.upper())


class UpperMany(Model[Text, Text]):
    def predict(self, inputs: list[Text]) -> list[Text]:
        return [Text(text=each.text.upper()) for each in inputs]


class UpperAsync(Model[Text, Text]):
    async def predict(self, input: Text) -> Text:
        await asyncio.sleep(0)
        if input.text == "exit":
            raise SystemExit(3)
        if input.text == "timeout":
            raise TimeoutError("the model's own")
        if input.text == "never":
            await asyncio.Event().wait()
        return Text(text=input.text.upper())


class UpperAsyncMany(Model[Text, Text]):
    async def predict(self, inputs: list[Text]) -> list[Text]:
        return [Text(text=each.text.upper()) for each in inputs]


class Gated(Model[Text, Text]):
    concurrency = 2
    gate: ClassVar[threading.Event]

    def predict(self, input: Text) -> Text:
        self.gate.wait(10)
        return input


class OneAsyncBatch(Model[Text, Text]):
    concurrency = 1
    began: ClassVar[int] = 0
    ended: ClassVar[int] = 0

    async def predict(self, inputs: list[Text]) -> list[Text]:
        OneAsyncBatch.began += len(inputs)
        if any(each.text == "never" for each in inputs):
            try:
                await asyncio.Event().wait()
            finally:
                OneAsyncBatch.ended += len(inputs)
        return inputs


class Loose(Model[Text, Any]):
    """Gives back whatever it is told to."""

    returns: ClassVar[Any]
    output_example = "anything"

    def predict(self, input: Text) -> Any:
        return self.returns


class TooMany(Model[Text, Text]):
    def predict(self, inputs: list[Text]) -> list[Text]:
        return [*inputs, *inputs]


class NoList(Model[Text, Text]):
    def predict(self, inputs: list[Text]) -> list[Text]:
        return tuple(inputs)  # pyright: ignore[reportReturnType] the mistake under test


class WrongType(Model[Text, Text]):
    def predict(self, input: Text) -> Text:
        return {"text": "a dict"}  # pyright: ignore[reportReturnType] the mistake under test


class Whole(Model[Text, float]):
    def predict(self, input: Text) -> float:
        return 1


class Broken(Model[Text, Text]):
    def load(self) -> None:
        raise FileNotFoundError("weights.bin")

    def predict(self, input: Text) -> Text:
        return input


async def loaded(registry: ModelRegistry, model: type[Model[Any, Any]]) -> ServedModel:
    served = registry.add(model)
    await registry.load_all()
    return served


@pytest.mark.parametrize("model", [Upper, UpperMany, UpperAsync, UpperAsyncMany])
async def test_each_form_predicts(registry: ModelRegistry, model: type[Model[Text, Text]]) -> None:
    """One or many, in a thread or on the loop: one input gives its one output."""
    served = await loaded(registry, model)
    outputs = await asyncio.gather(*(served.run(Text(text=f"a{i}"), timeout_s=10) for i in range(20)))
    assert outputs == [Text(text=f"A{i}") for i in range(20)]


@pytest.mark.parametrize("model", [Upper, UpperAsync])
@pytest.mark.parametrize(("text", "message"), [("exit", "SystemExit: 3"), ("timeout", "TimeoutError: the model's own")])
async def test_what_a_model_raises_is_a_model_error(
    registry: ModelRegistry, model: type[Model[Text, Text]], text: str, message: str
) -> None:
    """Even ``sys.exit``; the traceback is kept for the logs and the model goes on."""
    served = await loaded(registry, model)
    with pytest.raises(ModelError) as failed:
        await served.run(Text(text=text), timeout_s=10)
    assert failed.value.message == message
    assert "in predict" in failed.value.traceback
    assert await served.run(Text(text="a"), timeout_s=10) == Text(text="A")


async def test_stop_iteration_ends_no_thread(registry: ModelRegistry) -> None:
    """The one exception that a future refuses becomes a failure like any other."""
    served = await loaded(registry, Upper)
    with pytest.raises(ModelError, match="StopIteration: "):
        await served.run(Text(text="stop"), timeout_s=10)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (TooMany, "Model 'too-many' returned 2 outputs for 1 input."),
        (NoList, "Model 'no-list' returned tuple instead of a list of outputs."),
        (WrongType, "Model 'wrong-type' returned dict instead of Text."),
    ],
)
async def test_an_output_of_the_wrong_kind_fails(
    registry: ModelRegistry, model: type[Model[Text, Text]], message: str
) -> None:
    """A caller never gets what the schema does not promise."""
    served = await loaded(registry, model)
    with pytest.raises(ModelError) as failed:
        await served.run(Text(text="a"), timeout_s=10)
    assert failed.value.message == message


async def test_types_that_are_no_classes_are_not_checked(registry: ModelRegistry) -> None:
    """``Any`` takes anything; an int is a float."""
    Loose.returns = [1, "two"]
    assert await (await loaded(registry, Loose)).run(Text(text="a"), timeout_s=10) == [1, "two"]
    assert await (await loaded(registry, Whole)).run(Text(text="a"), timeout_s=10) == 1


async def test_a_model_in_a_thread_leaves_the_loop_free(registry: ModelRegistry) -> None:
    """While one prediction blocks its thread, the loop and another prediction go on."""
    Gated.gate = threading.Event()
    gated, upper = registry.add(Gated), registry.add(Upper)
    await registry.load_all()
    blocked = asyncio.ensure_future(gated.run(Text(text="a"), timeout_s=10))
    assert await upper.run(Text(text="b"), timeout_s=10) == Text(text="B")
    assert not blocked.done()
    Gated.gate.set()
    assert await blocked == Text(text="a")


async def test_a_thread_that_hangs_is_a_timeout(registry: ModelRegistry) -> None:
    """The prediction fails in time; one that waits behind hung threads is never started."""
    Gated.gate = threading.Event()
    served = await loaded(registry, Gated)
    runs = [served.run(Text(text="a"), timeout_s=0.05) for _ in range(3)]
    for outcome in await asyncio.gather(*runs, return_exceptions=True):
        assert isinstance(outcome, PredictionTimeout)
        assert outcome.message == "Model 'gated' did not answer within 0.05 s."
    Gated.gate.set()
    assert await served.run(Text(text="b"), timeout_s=10) == Text(text="b")


async def test_an_async_model_that_hangs_is_a_timeout(registry: ModelRegistry) -> None:
    """It is canceled on the loop."""
    served = await loaded(registry, UpperAsync)
    with pytest.raises(PredictionTimeout, match=r"^Model 'upper-async' did not answer within 0\.02 s\.$"):
        await served.run(Text(text="never"), timeout_s=0.02)


@pytest.mark.parametrize("model", [Gated, UpperAsync])
async def test_a_caller_may_cancel(registry: ModelRegistry, model: type[Model[Text, Text]]) -> None:
    """Cancellation stays cancellation: it is neither a failure nor a timeout."""
    Gated.gate = threading.Event()
    served = await loaded(registry, model)
    run = asyncio.ensure_future(served.run(Text(text="never"), timeout_s=10))
    await asyncio.sleep(0)
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    Gated.gate.set()


async def test_an_async_batch_ends_when_nobody_wants_it(registry: ModelRegistry) -> None:
    """Once its last member is canceled, and not before; its place is free again."""
    served = await loaded(registry, OneAsyncBatch)
    runs = [asyncio.ensure_future(served.run(Text(text=text), timeout_s=60)) for text in ("never", "b")]
    await wait_until(lambda: OneAsyncBatch.began == 2)
    runs[0].cancel()
    with pytest.raises(asyncio.CancelledError):
        await runs[0]
    assert OneAsyncBatch.ended == 0
    runs[1].cancel()
    assert await served.run(Text(text="c"), timeout_s=10) == Text(text="c")
    assert OneAsyncBatch.ended == 2


async def test_a_model_that_does_not_load_is_unready(registry: ModelRegistry) -> None:
    """It says why; the others are served."""
    broken, upper = registry.add(Broken), registry.add(Upper)
    with pytest.raises(ModelNotReady, match=r"^Model 'broken' is not ready: it is still loading\.$"):
        await broken.run(Text(text="a"), timeout_s=10)
    await registry.load_all()
    assert (broken.ready, broken.info.error) == (False, "FileNotFoundError: weights.bin")
    with pytest.raises(ModelNotReady, match=r"^Model 'broken' is not ready: FileNotFoundError: weights\.bin\.$"):
        await broken.run(Text(text="a"), timeout_s=10)
    assert upper.ready
    assert await upper.run(Text(text="a"), timeout_s=10) == Text(text="A")
