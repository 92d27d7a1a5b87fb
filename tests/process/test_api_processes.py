"""Several API processes on one port: figures of all, one that dies, and a new one for each while callers go on."""

import asyncio
import os
import signal
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.process.stack import START_TIMEOUT_S, Up
from zypher_jobs.testing import wait_until

ROOT = Path(__file__).parents[2]
REQUESTS = "zypher_http_requests_total"
MODEL = """
from zypher_jobs.models import Model


class Greets(Model[str, str]):
    name = "greets"
    version = "1"

    def load(self) -> None:
        {load}

    def predict(self, inputs: list[str]) -> list[str]:
        return ["{greeting}, " + each for each in inputs]
"""


def fresh(up: Up) -> httpx.AsyncClient:
    """A client whose every request has a connection of its own, which any of the processes may take."""
    return httpx.AsyncClient(base_url=up.url, timeout=30, limits=httpx.Limits(max_keepalive_connections=0))


def of(answer: httpx.Response) -> str:
    """Which process gave it: the ids of its requests begin alike."""
    return answer.headers["request-id"][:12]


def shown(text: str) -> dict[str, float]:
    """Samples of ``/metrics`` that count answers."""
    lines = [line.rpartition(" ") for line in text.splitlines() if line.startswith(REQUESTS)]
    return {name: float(value) for name, _, value in lines if "/metrics" not in name and "/health" not in name}


async def scraped(client: httpx.AsyncClient, processes: int) -> list[dict[str, float]]:
    """What each of that many processes shows."""
    by_process: dict[str, dict[str, float]] = {}

    async def all_asked() -> bool:
        answers = await asyncio.gather(*(client.get("/metrics") for _ in range(2 * processes)))
        by_process.update({of(answer): shown(answer.text) for answer in answers})
        return len(by_process) == processes

    await wait_until(all_asked, timeout_s=30)
    return list(by_process.values())


async def test_every_process_shows_the_figures_of_all_and_none_is_lost_with_one(make_up: Callable[..., Up]) -> None:
    """Answers, 404 and 405 of two processes, summed whichever is asked; also when one was killed and began anew."""
    up = make_up(api_processes=2, workers=0)
    await up.start_and_wait()
    assert sorted(up.facts.pids) == ["api 1 of 2", "api 2 of 2", "redis"]
    assert f"{up.url} answers and is ready, 2 processes" in up.run("doctor").stdout
    async with fresh(up) as client:
        sent, answered = 0, set[str]()

        async def both_answered() -> bool:
            nonlocal sent
            answers = await asyncio.gather(*(client.post("/predict", json={"input": "a"}) for _ in range(8)))
            assert {answer.status_code for answer in answers} == {200}
            sent += len(answers)
            answered.update(map(of, answers))
            return len(answered) == 2

        await wait_until(both_answered, timeout_s=30)
        await asyncio.gather(*(client.get("/nope") for _ in range(5)), *(client.put("/predict") for _ in range(5)))
        expected = {
            f'{REQUESTS}{{method="POST",route="/predict",status="200"}}': sent,
            f'{REQUESTS}{{method="GET",route="(none)",status="404"}}': 5,
            f'{REQUESTS}{{method="PUT",route="/predict",status="405"}}': 5,
        }
        assert await scraped(client, 2) == [expected, expected]

        os.kill(up.facts.pids["api 1 of 2"], signal.SIGKILL)
        await wait_until(lambda: up.said("api 1 of 2 was ended by SIGKILL"))
        assert (await client.get("/nope")).status_code == 404  # the other goes on
        await wait_until(lambda: len(up.ready_lines()) == 4, timeout_s=START_TIMEOUT_S)
        expected[f'{REQUESTS}{{method="GET",route="(none)",status="404"}}'] = 6
        assert await scraped(client, 2) == [expected, expected]
        text = (await client.get("/metrics")).text
        assert 'process_resident_memory_bytes{process="2"}' in text
        assert "zypher_http_requests_running 1.0" in text


@asynccontextmanager
async def callers(up: Up, path: str, body: object) -> AsyncGenerator[list[httpx.Response]]:
    """Eight callers that ask again as soon as they are answered, each on one connection; any failure is raised."""
    answers: list[httpx.Response] = []
    is_over = asyncio.Event()

    async def call() -> None:
        async with httpx.AsyncClient(base_url=up.url, timeout=30) as client:
            while not is_over.is_set():
                answers.append(await client.post(path, json=body))

    calling = [asyncio.create_task(call()) for _ in range(8)]
    yield answers
    is_over.set()
    await asyncio.gather(*calling)


def answered_more(answers: list[httpx.Response], count: int) -> Callable[[], bool]:
    """Whether that many came since now."""
    before = len(answers)
    return lambda: len(answers) >= before + count


async def test_a_reload_replaces_every_process_and_no_caller_notices(make_up: Callable[..., Up]) -> None:
    """SIGHUP under load: every request is answered, old connections are closed by a header, every process is new."""
    up = make_up(api_processes=2, mock_latency_ms=5)
    await up.start_and_wait()
    before = up.facts.pids
    async with callers(up, "/predict", {"input": "a"}) as answers:
        await wait_until(answered_more(answers, 50), timeout_s=30)
        assert up.run("reload").returncode == 0
        await wait_until(lambda: up.said("every process is new"), timeout_s=90)
        await wait_until(answered_more(answers, 50), timeout_s=30)
    assert {answer.status_code for answer in answers} == {200}
    assert "close" in {answer.headers.get("connection") for answer in answers}
    after = up.facts.pids
    assert after["redis"] == before["redis"]
    assert not {pid for name, pid in after.items() if name != "redis"} & set(before.values())
    async with fresh(up) as client:
        counted = await scraped(client, 2)
    assert {each[f'{REQUESTS}{{method="POST",route="/predict",status="200"}}'] for each in counted} == {len(answers)}
    await up.all_succeed(await up.submit(2))


async def test_a_reload_reads_models_anew_and_is_given_up_when_one_is_broken(make_up: Callable[..., Up]) -> None:
    """What runs goes on and the log says why; once the model is right, the next reload brings it."""
    up = make_up(models="greets:Greets", workers=0)
    up.environ["PYTHONPATH"] = f"{ROOT}:{up.directory}"
    up.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    code = up.directory / "greets.py"
    code.write_text(MODEL.format(load="pass", greeting="Hello"))
    await up.start_and_wait()
    async with fresh(up) as client:

        async def greeting() -> str:
            answer = await client.post("/models/greets/predict", json="you")
            return answer.json() if answer.status_code == 200 else answer.text

        assert await greeting() == "Hello, you"
        code.write_text(MODEL.format(load='raise RuntimeError("no weights")', greeting="Broken"))
        up.signal(signal.SIGHUP)
        await wait_until(lambda: up.said("reload given up, what runs goes on: api"), timeout_s=60)
        assert up.said("'greets@1' does not load: RuntimeError: no weights")
        assert await greeting() == "Hello, you"
        code.write_text(MODEL.format(load="pass", greeting="Good day"))
        up.signal(signal.SIGHUP)
        await wait_until(lambda: up.said("every process is new"), timeout_s=60)
        assert await greeting() == "Good day, you"


async def test_what_is_open_ends_politely_in_every_process(make_up: Callable[..., Up]) -> None:
    """SIGTERM: long polls answer with the record, what runs past the grace period with a problem; then all ends."""
    up = make_up(api_processes=2, workers=0, mock_latency_ms=60_000, grace_s=1)
    await up.start_and_wait()
    (waiting,) = await up.submit(1)
    async with fresh(up) as client:

        async def each(count: int, request: Callable[[], Coroutine[Any, Any, httpx.Response]]) -> list[httpx.Response]:
            return await asyncio.gather(*(request() for _ in range(count)))

        polls = asyncio.create_task(each(6, lambda: client.get(f"/predict/{waiting}?wait=60")))
        runs = asyncio.create_task(each(6, lambda: client.post("/predict", json={"input": "a"})))

        async def all_open() -> bool:
            return "zypher_http_requests_running 13.0" in (await client.get("/metrics")).text

        await wait_until(all_open, timeout_s=30)
        up.signal(signal.SIGTERM)
        assert {(answer.status_code, answer.json()["status"]) for answer in await polls} == {(200, "queued")}
        cut = await runs
        assert {(answer.status_code, answer.json()["code"]) for answer in cut} == {(503, "not_ready")}
        assert {answer.headers["retry-after"] for answer in cut} == {"1"}
    assert await up.ended(timeout_s=30) == 0
    await up.nothing_is_left()
