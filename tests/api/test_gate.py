"""More requests than the process itself can do: refused before they cost anything."""

import asyncio
from collections.abc import AsyncIterator

import msgspec
import pytest

from bench.open_loop import Answer, OpenLoad
from tests.api.running import RunningApi, running_api
from zypher_jobs.models.doorkeeper import Doorkeeper
from zypher_jobs.settings import Settings

PREDICT = b'POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 14\r\n%b\r\n{"input": "a"}'
HEALTH = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.fixture
async def shut(api: RunningApi, monkeypatch: pytest.MonkeyPatch) -> RunningApi:
    """An API that has too much to do."""

    def lets_in(*_: object, **__: object) -> bool:
        return False

    monkeypatch.setattr(Doorkeeper, "lets_in", lets_in)
    api.services.gate.usual = 0
    return api


async def read_answer(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """Head and body."""
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
    length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
    return head, await asyncio.wait_for(reader.readexactly(length), 10)


@pytest.fixture
async def connection(shut: RunningApi) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """To it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", shut.settings.port)
    yield reader, writer
    writer.close()


async def test_a_prediction_is_refused_with_a_problem_that_is_counted_and_logged(
    shut: RunningApi, caplog: pytest.LogCaptureFixture
) -> None:
    """Sync, asynchronous, and by every protocol; the caller's own request id is said again."""
    caplog.set_level("INFO", logger="zypher.api.request")
    for path, headers in (
        ("/predict", {"Request-Id": "mine-1"}),
        ("/predict", {"Async-Mode": "true"}),
        ("/models/mock/predict", {}),
        ("/v2/models/mock/infer?a=b", {}),
    ):
        answer = await shut.post(path, json={"input": "a"}, headers=headers)
        assert answer.status_code == 503
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["retry-after"] == "1"
        problem = answer.json()
        assert problem["code"] == "overloaded"
        assert problem["instance"] == path.partition("?")[0]
        assert problem["request_id"] == answer.headers["request-id"]
        assert answer.headers["request-id"] == headers.get("Request-Id", problem["request_id"])
    assert await shut.metric('zypher_http_requests_total{method="POST",route="/predict",status="503"}') == 2
    shut.services.request_log.flush()
    lines = [vars(record) for record in caplog.records if record.name == "zypher.api.request"]
    assert [line["status"] for line in lines if line.get("request_id") == "mine-1"] == [503]


async def test_whoever_looks_after_the_server_is_never_refused(shut: RunningApi) -> None:
    """Health, metrics, lists, and the end of a prediction."""
    for path in ("/health", "/health/live", "/metrics", "/predictions", "/models"):
        assert (await shut.get(path)).status_code == 200
    assert (await shut.delete("/predict/none")).status_code == 404


async def test_a_refusal_leaves_the_connection_as_it_was(
    connection: tuple[asyncio.StreamReader, asyncio.StreamWriter],
) -> None:
    """Its body is skipped, also when it comes later; other requests follow on the same connection."""
    reader, writer = connection
    for _ in range(3):
        writer.write(PREDICT % b"")
        head, _ = await read_answer(reader)
        assert head.startswith(b"HTTP/1.1 503 ")
        assert b"connection: close" not in head
    writer.write((PREDICT % b"")[:-5])
    assert (await read_answer(reader))[0].startswith(b"HTTP/1.1 503 ")
    writer.write((PREDICT % b"")[-5:] + HEALTH)
    assert (await read_answer(reader))[0].startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("header", [b"Expect: 100-continue\r\n", b"Connection: close\r\n"])
async def test_a_connection_is_closed_where_nothing_can_follow(
    connection: tuple[asyncio.StreamReader, asyncio.StreamWriter], header: bytes
) -> None:
    """Whose body may never come, and who wants no more."""
    reader, writer = connection
    writer.write((PREDICT % header)[:-14])
    head, _ = await read_answer(reader)
    assert head.startswith(b"HTTP/1.1 503 ")
    assert b"\r\nconnection: close\r\n" in head
    assert await asyncio.wait_for(reader.read(), 10) == b""


async def test_requests_that_follow_each_other_without_waiting_are_all_answered(api: RunningApi) -> None:
    """A pipeline: only what comes first on a connection is ever refused, and all in order."""
    reader, writer = await asyncio.open_connection("127.0.0.1", api.settings.port)
    writer.write((PREDICT % b"") * 20 + HEALTH)
    heads = [(await read_answer(reader))[0] for _ in range(21)]
    assert all(head.startswith(b"HTTP/1.1 200 ") for head in heads)
    assert api.services.gate.waiting == 0
    writer.close()


async def test_a_process_that_is_asked_for_too_much_answers_or_refuses(api_settings: Settings) -> None:
    """Some four times what it can do, until it refuses; then all are answered as before."""
    settings = msgspec.structs.replace(api_settings, models=("tests.api.models:Spins",))
    async with running_api(settings) as api:
        load = OpenLoad(settings.port, "/models/spins/predict", b'{"text": "a"}', connections=600)
        await load.open()
        answers: list[Answer] = []
        for _ in range(5):
            answers += await load.run(800, 2)
            if any(each.status == 503 for each in answers):
                break
        load.close()
        refused = [each for each in answers if each.status == 503]
        assert refused
        assert all(each.says_when for each in refused)
        assert sum(each.status == 200 for each in answers) + len(refused) == len(answers)
        assert await api.metric('zypher_shed_total{model="",reason="overload",version=""}') == len(refused)
        assert api.services.gate.waiting == 0
        for _ in range(10):
            assert (await api.post("/models/spins/predict", json={"text": "a"})).status_code == 200
