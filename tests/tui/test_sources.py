"""The sources against a real API and a real server; outages of both, and the way back."""

import socket
from collections.abc import Awaitable, Callable

import msgspec
import pytest

from tests.api.running import running_api, running_worker
from tests.tui.screen import screen_text
from tests.tui.serving import http_server, url_of
from zypher_jobs.contracts.prediction import Status
from zypher_jobs.errors import UnknownPrediction
from zypher_jobs.queue import PredictionQueue
from zypher_jobs.queue.embedded import EmbeddedServer
from zypher_jobs.settings import LatencyRange, Settings
from zypher_jobs.testing import free_port, wait_until
from zypher_tui.app import Dashboard
from zypher_tui.core.readings import SourceName
from zypher_tui.core.view import Link
from zypher_tui.opening import openers_of
from zypher_tui.sources.api import ApiSource
from zypher_tui.sources.failures import reason
from zypher_tui.sources.redis import RedisSource
from zypher_tui.sources.source import SourceAway


def redis_url_of(settings: Settings) -> str:
    assert settings.redis_url is not None
    return settings.redis_url


async def test_the_api_and_redis_tell_the_same(settings: Settings) -> None:
    """One prediction, read through both, whole and in the figures."""
    async with running_api(settings) as api, running_worker(api):
        accepted = await api.post("/predict", json={"input": "hello"}, headers={"Async-Mode": "true"})
        prediction_id = accepted.json()["prediction_id"]
        sources = [ApiSource(url_of(settings)), RedisSource(redis_url_of(settings))]
        for source in sources:

            async def done(source: ApiSource | RedisSource = source) -> bool:
                return (await source.prediction(prediction_id)).status is Status.SUCCEEDED

            await wait_until(done)
            whole = await source.prediction(prediction_id)
            assert whole.output["input"] == "hello"
            reading = await source.read(overview=True)
            assert reading.error is None
            assert reading.latency_ms is not None
            assert reading.overview is not None
            assert [row.prediction_id for row in reading.overview.latest] == [prediction_id]
            assert (await source.read(overview=False)).overview is None
            with pytest.raises(UnknownPrediction):
                await source.prediction("0" * 32)
        health = (await sources[0].read(overview=False)).health
        assert health is not None
        assert health.redis.ok
        for source in sources:
            await source.aclose()


async def test_the_api_and_redis_tell_what_a_worker_runs(settings: Settings) -> None:
    """The same predictions; of a worker that nobody knows, none."""
    slow = msgspec.structs.replace(settings, mock_latency_ms=LatencyRange(20_000, 20_000))
    async with running_api(slow) as api, running_worker(api) as runs:
        accepted = await api.post("/predict", json={"input": "hello"}, headers={"Async-Mode": "true"})
        prediction_id = accepted.json()["prediction_id"]
        for source in (ApiSource(url_of(slow)), RedisSource(redis_url_of(slow))):

            async def found(source: ApiSource | RedisSource = source) -> list[str]:
                return [each.prediction_id for each in await source.running_on(runs.worker_id)]

            assert await wait_until(found) == [prediction_id]
            assert await source.running_on("nobody/..") == []
            await source.aclose()
        await api.delete(f"/predict/{prediction_id}")


async def test_a_hostile_prediction_comes_out_clean(settings: Settings) -> None:
    """Through the API and through Redis; only the whole output is left as it is, for lines to be made of."""
    async with running_api(settings) as api:
        await api.post("/predict", json={"input": "\x1b]0;owned\x07\u202e\x9b\u200b"})
        for source in (ApiSource(url_of(settings)), RedisSource(redis_url_of(settings))):

            async def recorded(source: ApiSource | RedisSource = source) -> str:
                overview = (await source.read(overview=True)).overview
                return overview.latest[0].input_preview if overview and overview.latest else ""

            preview = await wait_until(recorded)
            assert not {"\x1b", "\x07", "\u202e", "\x9b", "\u200b"} & set(preview)
            await source.aclose()


async def test_a_server_that_is_not_there_is_a_reading() -> None:
    """With the reason in two words."""
    api, redis = ApiSource(f"http://127.0.0.1:{free_port()}"), RedisSource(f"redis://127.0.0.1:{free_port()}")
    assert (await api.read(overview=True)).error == "connection refused"
    assert (await redis.read(overview=True)).error == "connection refused"
    for source in (api, redis):
        with pytest.raises(SourceAway):
            await source.prediction("0" * 32)
        await source.aclose()


LIVE = (200, '{"live":true}')


@pytest.mark.parametrize(
    ("answers", "error", "overview_error"),
    [
        ({}, "what answers there is no Zypher: 404", None),
        ({"/health/live": LIVE}, None, "it answers 404; is it a Zypher API?"),
        ({"/health/live": LIVE, "/stats": (401, "{}")}, None, "it asks for a key (401): set ZYPHER_API_KEY"),
        ({"/health/live": LIVE, "/stats": (403, "{}")}, None, "this key may not do that (403)"),
        (
            {"/health/live": LIVE, "/stats": (200, '{"taken_at": 7}')},
            None,
            "not as this version of Zypher expects",
        ),
        ({"/health/live": LIVE, "/stats": (200, "<html>")}, None, "not as this version of Zypher expects"),
        (
            {"/health/live": LIVE, "/stats": (503, '{"detail": "Redis is \\u001b[31m away."}')},
            None,
            "␛[31m away",
        ),
    ],
)
async def test_a_server_that_is_not_zypher_is_told_apart(
    answers: dict[str, tuple[int, str]], error: str | None, overview_error: str | None
) -> None:
    """Another program on the port, another version, a key that is missing: each has its sentence."""
    async with http_server(lambda path: answers.get(path.partition("?")[0], (404, "no"))) as url:
        source = ApiSource(url)
        reading = await source.read(overview=True)
        await source.aclose()
    assert reading.error == error
    assert reading.overview_error == overview_error or (overview_error or "?") in (reading.overview_error or "")


async def test_the_dashboard_lives_through_outages_of_both(valkey: EmbeddedServer, valkey_settings: Settings) -> None:
    """API gone: figures from Redis. Redis gone too: the last ones with their age. Each comes back by itself."""
    api_url, redis_url = url_of(valkey_settings), redis_url_of(valkey_settings)
    dashboard = Dashboard(openers_of(api_url, redis_url), api_url=api_url, interval_s=0.05)
    queue = PredictionQueue.from_settings(valkey_settings)

    def links() -> list[Link]:
        return [link.link for link in dashboard.store.view(dashboard.now_s).links]

    def figures_from(source: SourceName | None) -> Callable[[], bool]:
        def so() -> bool:
            view = dashboard.store.view(dashboard.now_s)
            return (None if view.stale_s is not None else view.figures_from) is source

        return so

    def shows(text: str) -> Callable[[], bool | Awaitable[bool]]:
        return lambda: text in screen_text(dashboard)

    async with dashboard.run_test(size=(120, 36)):
        await wait_until(lambda: links() == [Link.AWAY, Link.UP])
        await wait_until(shows("Figures come straight from Redis."))
        await queue.submit("mock", {"input": "seen through Redis"}, input_preview='{"input":"seen through Redis"}')
        await wait_until(shows("seen through"))
        async with running_api(valkey_settings):
            await wait_until(lambda: links() == [Link.UP, Link.UP])
            await wait_until(figures_from(SourceName.API))
            valkey.kill()
            await wait_until(lambda: links() == [Link.UP, Link.AWAY])
            await wait_until(shows("Redis away"))
            assert "seen through" in screen_text(dashboard)
            valkey.start()
            await wait_until(lambda: links() == [Link.UP, Link.UP], timeout_s=20)
            await wait_until(figures_from(SourceName.API))
            await wait_until(lambda: "away" not in screen_text(dashboard))
        await wait_until(lambda: links() == [Link.AWAY, Link.UP])
        valkey.kill()
        await wait_until(lambda: links() == [Link.AWAY, Link.AWAY])
        await wait_until(figures_from(None))
        await wait_until(shows("old"))
    await queue.aclose()


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ConnectionRefusedError(111, "Connection refused"), "connection refused"),
        (socket.gaierror(-2, "Name or service not known"), "its host name is not known"),
        (ConnectionResetError(), "it closed the connection"),
        (TimeoutError(), "no answer within 3 s"),
        (OSError(113, "No route to host"), "no route to host"),
        (ExceptionGroup("many", [OSError(101, "Network is unreachable")]), "network is unreachable"),
        (ValueError("x"), "ValueError"),
    ],
)
def test_the_reason_of_a_failure_is_short(error: Exception, words: str) -> None:
    """However deep the client hides it."""
    outer = RuntimeError("wrapped")
    outer.__cause__ = error
    assert reason(error, timeout_s=3) == words
    if words != "ValueError":
        assert reason(outer, timeout_s=3) == words
