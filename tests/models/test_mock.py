"""The mock model: hash, latency, failures, and its input's limits."""

import asyncio
import hashlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from zypher_jobs.errors import InvalidInput, ModelError, PredictionTimeout
from zypher_jobs.models import ModelRegistry, ServedModel
from zypher_jobs.settings import Latency, LatencyRange, LatencyTail, Settings


async def mock(*, latency_ms: Latency = LatencyRange(0, 0), failure_rate: float = 0.0) -> ServedModel:  # noqa: B008
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


async def test_a_latency_with_a_tail_has_its_percentiles(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half are below p50, one of a hundred above p99."""
    slept: list[float] = []

    async def sleep(delay_s: float) -> None:
        slept.append(delay_s)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    served = await mock(latency_ms=LatencyTail(80, 400))
    for _ in range(4000):
        await served.run(served.decode(b'{"input": "a"}'), timeout_s=1000)
    slept.sort()
    assert 0.075 < slept[2000] < 0.085
    assert 0.3 < slept[3960] < 0.55


async def test_each_running_prediction_holds_its_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Resident, not only promised, until it ends."""
    page_bytes = os.sysconf("SC_PAGE_SIZE")
    held: list[int] = []

    def resident() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * page_bytes

    async def sleep(delay_s: float) -> None:
        held.append(resident())

    monkeypatch.setattr(asyncio, "sleep", sleep)
    settings = msgspec.structs.replace(Settings(), mock_memory_mb=100)
    served = ModelRegistry.from_settings(settings).get("mock")
    await served.load()
    before = resident()
    await served.run(served.decode(b'{"input": "a"}'), timeout_s=1)
    assert held[0] - before > 90 << 20
    assert resident() - before < 10 << 20


CRASHES = """
import asyncio, msgspec, sys
from zypher_jobs.models import ModelRegistry
from zypher_jobs.settings import LatencyRange, Settings

async def main(in_worker):
    settings = Settings(mock_crash_rate=1, mock_latency_ms=LatencyRange(0, 0))
    served = ModelRegistry.from_settings(settings, in_worker=in_worker).get("mock")
    await served.load()
    await served.run(served.decode(b'{"input": "a"}'), timeout_s=1)

asyncio.run(main(sys.argv[1] == "worker"))
"""


@pytest.mark.parametrize(("part", "code"), [("worker", -signal.SIGKILL), ("api", 0)])
def test_a_crash_ends_a_worker_and_never_the_api(part: str, code: int) -> None:
    """What a worker loses comes back to another; what the API runs has nobody to come back to."""
    done = subprocess.run([sys.executable, "-c", CRASHES, part], timeout=30, check=False)
    assert done.returncode == code
