"""The mock model: hash, latency, failures, and its input's limits."""

import asyncio
import hashlib

import msgspec
import pytest

from zypher_jobs.errors import InvalidInput, ModelError, PredictionTimeout
from zypher_jobs.models import ModelRegistry, ServedModel
from zypher_jobs.settings import LatencyRange, Settings


async def mock(*, latency_ms: LatencyRange = LatencyRange(0, 0), failure_rate: float = 0.0) -> ServedModel:  # noqa: B008
    settings = msgspec.structs.replace(Settings(), mock_latency_ms=latency_ms, mock_failure_rate=failure_rate)
    served = ModelRegistry.from_settings(settings).get("mock")
    await served.load()
    return served


@pytest.mark.parametrize("text", ["hello", "grüße 🌍", "\x1b]0;title\x07", " a ", "x" * 10_000])
async def test_the_answer_is_the_input_and_its_sha256(text: str) -> None:
    """In hex, of the UTF-8 text as it was sent."""
    served = await mock()
    output = await served.run(served.decode(msgspec.json.encode({"input": text})), timeout_s=1)
    expected = {"input": text, "result": hashlib.sha256(text.encode()).hexdigest()}
    assert msgspec.json.decode(served.encode(output)) == expected


async def test_its_examples_are_true() -> None:
    """The documented answer is the one it gives."""
    served = await mock()
    output = await served.run(served.convert(served.info.input_example), timeout_s=1)
    assert msgspec.to_builtins(output) == served.info.output_example


async def test_zero_latency_never_suspends() -> None:
    """A prediction is done in the turn that starts it."""
    served = await mock()
    with pytest.raises(StopIteration):
        served.run(served.decode(b'{"input": "a"}'), timeout_s=1).send(None)


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"{}", "Field 'input' is missing."),
        (b'{"input": ""}', "Field 'input' must not be blank."),
        (b'{"input": "  "}', "Field 'input' must not be blank."),
        (b'{"input": 1}', "Field 'input' must be a string, got int."),
        (b'{"input": "a", "foo": 1}', "Field 'foo' is not known here; known: input."),
        (b'{"input": "' + b"a" * 10_001 + b'"}', "Field 'input' must have at most 10000 characters."),
    ],
)
async def test_its_limits(body: bytes, sentence: str) -> None:
    """1 to 10,000 characters, not all blank, and no other field."""
    with pytest.raises(InvalidInput) as refused:
        (await mock()).decode(body)
    assert refused.value.message == sentence


async def test_latency_is_drawn_from_the_range(monkeypatch: pytest.MonkeyPatch) -> None:
    """Uniformly, between its ends, anew for each prediction."""
    slept: list[float] = []

    async def sleep(delay_s: float) -> None:
        slept.append(delay_s)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    served = await mock(latency_ms=LatencyRange(50, 150))
    for _ in range(300):
        await served.run(served.decode(b'{"input": "a"}'), timeout_s=1)
    assert 0.05 <= min(slept) < 0.07
    assert 0.13 < max(slept) <= 0.15
    assert 0.09 < sum(slept) / len(slept) < 0.11


async def test_a_latency_over_the_timeout_is_a_timeout() -> None:
    """After the timeout, not after the latency."""
    served = await mock(latency_ms=LatencyRange(60_000, 60_000))
    with pytest.raises(PredictionTimeout, match=r"within 0\.01 s"):
        await served.run(served.decode(b'{"input": "a"}'), timeout_s=0.01)


@pytest.mark.parametrize(("rate", "low", "high"), [(0.0, 0, 0), (0.5, 120, 280), (1.0, 400, 400)])
async def test_it_fails_at_the_set_rate(rate: float, low: int, high: int) -> None:
    """With a message that says it was asked to."""
    served = await mock(failure_rate=rate)
    failures: list[str] = []
    for _ in range(400):
        try:
            await served.run(served.decode(b'{"input": "a"}'), timeout_s=1)
        except ModelError as error:
            failures.append(error.message)
    assert low <= len(failures) <= high
    assert set(failures) <= {f"SimulatedFailure: the mock model fails at a rate of {rate:g}, as set."}
