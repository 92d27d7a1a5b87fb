"""One prediction followed over a real API, Valkey, worker and receiver; and without the API."""

import re
import threading

import msgspec
import pytest

from tests.api.models import Speaks
from tests.api.running import running_api, running_worker
from tests.tui.lives import dashboard_on, open_newest
from tests.tui.screen import screen_lines, screen_text
from tests.webhooks.receiver import answer, receiving
from zypher_jobs.errors import UnknownPrediction
from zypher_jobs.settings import Pauses, Settings
from zypher_jobs.testing import wait_until
from zypher_jobs.webhooks.delivering import delivering
from zypher_tui.app import Dashboard
from zypher_tui.core.readings import SourceName
from zypher_tui.opening import openers_of
from zypher_tui.sources.api import ApiSource
from zypher_tui.sources.redis import RedisSource
from zypher_tui.sources.source import Source, SourceAway


async def test_what_the_model_says_is_on_the_screen_as_it_is_said(settings: Settings) -> None:
    """Log lines with their times, progress and the output so far; then the whole output."""
    Speaks.may_go_on = threading.Semaphore(0)
    settings = msgspec.structs.replace(settings, models=("tests.api.models:Speaks",))
    async with running_api(settings) as api, running_worker(api), dashboard_on(api) as (dashboard, pilot):
        await api.post("/models/speaks/predict", json={"text": "once upon time"}, headers={"Async-Mode": "true"})
        await open_newest(dashboard, pilot, known=1)
        await wait_until(lambda: "3 words" in screen_text(dashboard) and "0 % · word 1" in screen_text(dashboard))
        for said, progress in (("once upon", "33 % · word 2"), ("once upon time", "67 % · word 3")):
            Speaks.may_go_on.release()
            await wait_until(lambda said=said: f"│ {said}" in screen_text(dashboard))
            await wait_until(lambda progress=progress: progress in screen_text(dashboard))
            assert "Output so far" in screen_text(dashboard)
            assert {"◇", "3", "words"} <= set(line_of(dashboard, "│ log").split())
            await wait_until(lambda progress=progress: progress in line_of(dashboard, "│ progress"))
        Speaks.may_go_on.release()
        await wait_until(lambda: '"once upon time "' in screen_text(dashboard))
        await wait_until(lambda: said_of(dashboard) == SAID)
        assert "● succeeded" in screen_text(dashboard)
        await pilot.press("escape")
        await open_newest(dashboard, pilot, known=1)
        await wait_until(lambda: said_of(dashboard) == SAID)
        assert line_of(dashboard, "│ progress").count("◆") > 0, "also of one that has ended"


SAID = ["◇ 3 words", "◆ 0 % · word 1", "◆ 33 % · word 2", "◆ 67 % · word 3"]


def line_of(dashboard: Dashboard, beginning: str) -> str:
    """The line of the waterfall that begins like that."""
    return next((line for line in screen_lines(dashboard) if line.startswith(beginning)), "")


def said_of(dashboard: Dashboard) -> list[str]:
    """The list below it, without times."""
    found = (re.search(r"\d\d:\d\d:\d\d +\+\S+ m?s ([◆◇] .*?) *│", line) for line in screen_lines(dashboard))
    return [line[1] for line in found if line]


async def test_without_the_api_what_it_said_has_no_times(settings: Settings) -> None:
    """The record has the last lines of the log, and the screen says that it does not know when; none is a mark."""
    Speaks.may_go_on = threading.Semaphore(9)
    settings = msgspec.structs.replace(settings, models=("tests.api.models:Speaks",))
    async with running_api(settings) as api, running_worker(api):
        asked = await api.post("/models/speaks/predict", json={"text": "once"}, headers={"Async-Mode": "true"})
        await api.get(asked.json()["location"], params={"wait": 10})
    url = f"http://127.0.0.1:{settings.port}"
    dashboard = Dashboard(openers_of(url, settings.redis_url), api_url=url, interval_s=0.05)
    async with dashboard.run_test(size=(120, 60)) as pilot:
        await open_newest(dashboard, pilot, known=1)
        await wait_until(lambda: "│ ◇ 1 words" in screen_text(dashboard))
        await wait_until(lambda: "When is not known" in screen_text(dashboard))
        assert not line_of(dashboard, "│ log")


async def test_each_try_to_tell_its_webhook_is_in_the_waterfall(settings: Settings) -> None:
    """The answer of the receiver, and when it is tried again."""
    settings = msgspec.structs.replace(settings, webhook_allow=("127.0.0.0/8",), webhook_retry_s=Pauses((0.05, 0.05)))
    async with (
        receiving() as receiver,
        running_api(settings) as api,
        running_worker(api),
        delivering(api.services.queue, settings),
        dashboard_on(api) as (dashboard, pilot),
    ):
        receiver.says = [answer(503), answer(200)]
        headers = {"Async-Mode": "true", "Webhook-Url": receiver.url}
        await api.post("/predict", json={"input": "hello"}, headers=headers)
        await open_newest(dashboard, pilot, known=1)
        await wait_until(lambda: "● succeeded 200" in screen_text(dashboard))
        assert "✗ failed 503" in screen_text(dashboard)
        assert "webhook 127.0.0.1" in screen_text(dashboard)


async def test_without_the_api_it_is_read_from_redis(settings: Settings) -> None:
    """All but its webhooks, which it says; what would be sent says why it is not."""
    async with running_api(settings) as api, running_worker(api):
        asked = await api.post("/predict", json={"input": "hello"}, headers={"Async-Mode": "true"})
        await api.get(asked.json()["location"], params={"wait": 10})
    url = f"http://127.0.0.1:{settings.port}"
    dashboard = Dashboard(openers_of(url, settings.redis_url), api_url=url, interval_s=0.05)
    async with dashboard.run_test(size=(120, 60), notifications=True) as pilot:
        await open_newest(dashboard, pilot, known=1)
        await wait_until(lambda: '"result": "2cf24dba' in screen_text(dashboard))
        assert '"input": "hello"' in screen_text(dashboard)
        await wait_until(lambda: "Whether webhooks were told is not known" in screen_text(dashboard))
        await pilot.press("e")
        await wait_until(lambda: "The API is away (connection refused); without it" in screen_text(dashboard))


async def test_both_sources_tell_the_same_input(settings: Settings) -> None:
    """Whole, however long; of one that was answered at once only a short one, and why not more."""
    assert settings.redis_url is not None
    async with running_api(settings) as api:
        value = {"input": "hé\u202ello" * 1000}
        queued = (await api.post("/predict", json=value, headers={"Async-Mode": "true"})).json()["prediction_id"]
        short, long = [
            (await api.post("/predict", json={"input": text})).headers["prediction-id"] for text in ("hello", "x" * 500)
        ]
        sources: list[Source] = [ApiSource(str(api.base_url)), RedisSource(settings.redis_url)]
        for source in sources:
            assert (await source.given(queued)).value == value
            await wait_until(lambda source=source: _is_recorded(source, long))
            assert (await source.given(short)).value == {"input": "hello"}
            beginning = await source.given(long)
            assert beginning.json.startswith('{"input":"xxx')
            assert not beginning.is_whole
            assert "it was answered at once" in beginning.why
            with pytest.raises(UnknownPrediction):
                await source.given("0" * 32)
            if source.name is SourceName.API:
                assert await source.deliveries(queued) == []
            else:
                with pytest.raises(SourceAway, match="only the API"):
                    await source.deliveries(queued)
            await source.aclose()


async def _is_recorded(source: Source, prediction_id: str) -> bool:
    """Synchronous ones are, a moment after their answer."""
    try:
        await source.prediction(prediction_id)
    except UnknownPrediction:
        return False
    return True
