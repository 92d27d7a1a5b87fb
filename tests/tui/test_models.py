"""Key 4: the models. What stands on the screen, its keys, and a real deployment through the API and through Redis."""

import json
import shlex
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial

import httpx
import pytest

from tests.api.running import RunningApi, running_api, running_worker
from tests.models.deploying import adds, sha256_of
from tests.tui.golden import golden
from tests.tui.screen import SIZES, screen_text, told
from zypher_jobs.contracts.deployment import ModelDetail
from zypher_jobs.settings import Settings
from zypher_jobs.testing import wait_until
from zypher_tui.app import Dashboard
from zypher_tui.core.model_rows import ModelRow
from zypher_tui.demo_states import demo_dashboard
from zypher_tui.opening import openers_of
from zypher_tui.sources.api import ApiSource
from zypher_tui.sources.redis import RedisSource
from zypher_tui.sources.source import READ_ONLY
from zypher_tui.widgets.models import ModelTable


async def upload(api: RunningApi, version: str) -> httpx.Response:
    """Deploy a version of ``adds``."""
    content = adds(float(version))
    manifest = json.dumps({"sha256": sha256_of(content), "description": "Adds."}).encode()
    parts = {"manifest": ("manifest", manifest), "file": ("file", content)}
    answer = await api.put(f"/models/adds/versions/{version}", files=parts)
    assert answer.status_code == 201, answer.text
    return answer


@asynccontextmanager
async def deployed(settings: Settings) -> AsyncGenerator[RunningApi]:
    """An API with two versions of ``adds``, live 90 to 10."""
    async with running_api(settings) as api, running_worker(api):
        for version in ("1", "2"):
            await upload(api, version)
        answer = await api.put("/models/adds/live", json={"shares": {"1": 90, "2": 10}})
        assert answer.status_code == 200, answer.text
        yield api


@pytest.mark.parametrize("state", ["live", "empty", "api-down"])
async def test_the_screen_is_as_it_was(state: str) -> None:
    """At every size, to the character."""
    dashboard = demo_dashboard(state)
    async with dashboard.run_test(size=SIZES[0]) as pilot:
        await wait_until(lambda: dashboard.feeds.is_reading)
        await pilot.press("4")
        await wait_until(lambda: "fraud-scorer@3" in screen_text(dashboard))
        await pilot.press("down", "down", "down")
        for columns, rows in SIZES:
            await pilot.resize_terminal(columns, rows)
            await pilot.pause()
            await golden(f"models-{state}-{columns}x{rows}", partial(screen_text, dashboard))


async def test_a_version_says_why_it_fails_and_how_it_does_against_the_busiest() -> None:
    """In which process it could not be loaded, its traffic, its predictions, and a verdict."""
    dashboard = demo_dashboard("live")
    async with dashboard.run_test(size=(200, 60)) as pilot:
        await wait_until(lambda: dashboard.feeds.is_reading)
        await pilot.press("4")
        await wait_until(lambda: "fraud-scorer@3" in screen_text(dashboard))
        await pilot.press("down", "down", "down")
        await pilot.pause()
        text = screen_text(dashboard)
        assert "✗ failed in b13292c55955: RuntimeError: the ONNX graph needs opset 22" in text
        assert "10 % of those who name no version · shadow: 3 · a roll back leads to 1: 100 %" in text
        assert "fraud-scorer@2 against fraud-scorer@1" in text
        assert "version 2 fails more often" in text
        assert "p95: too few to tell" in text


async def test_two_marked_versions_are_compared() -> None:
    """Of whatever models; a third mark takes the first away, and u all of them."""
    dashboard = demo_dashboard("live")
    async with dashboard.run_test(size=(200, 60)) as pilot:
        await wait_until(lambda: dashboard.feeds.is_reading)
        await pilot.press("4")
        await wait_until(lambda: "fraud-scorer@3" in screen_text(dashboard))
        await pilot.press("space", "end", "space")
        await pilot.pause()
        text = screen_text(dashboard)
        assert text.count("◆") == 2
        assert "mock@1 against digits@1" in text
        await pilot.press("up", "up", "space")
        await pilot.pause()
        assert "fraud-scorer@2 against mock@1" in screen_text(dashboard)
        await pilot.press("space", "u")
        await pilot.pause()
        assert "◆" not in screen_text(dashboard)


async def test_enter_shows_the_versions_predictions_and_c_copies_a_call() -> None:
    """The call is the model's own example."""
    dashboard = demo_dashboard("live")
    async with dashboard.run_test(size=(120, 36)) as pilot:
        await wait_until(lambda: dashboard.feeds.is_reading)
        await pilot.press("4")
        await wait_until(lambda: "fraud-scorer@3" in screen_text(dashboard))
        await pilot.press("down", "down", "c")
        await wait_until(lambda: bool(dashboard.clipboard))
        words = shlex.split(dashboard.clipboard)
        assert words[1] == "http://127.0.0.1:8080/models/fraud-scorer/versions/1/predict"
        assert json.loads(words[-1])["input"]["country"] == "DE"
        await pilot.press("enter")
        await pilot.pause()
        assert "model:fraud-scorer version:1" in screen_text(dashboard)


async def test_in_the_past_the_figures_are_of_then_and_the_deployment_is_as_of_now() -> None:
    """And it says so."""
    dashboard = demo_dashboard("live")
    async with dashboard.run_test(size=(200, 60)) as pilot:
        await wait_until(lambda: dashboard.feeds.is_reading)
        await pilot.press("4")
        await wait_until(lambda: "fraud-scorer@3" in screen_text(dashboard))
        await pilot.press("left_square_bracket")
        await pilot.pause()
        assert "how it is deployed is as of now" in screen_text(dashboard)


async def test_the_api_and_redis_tell_the_same_of_a_deployment(settings: Settings) -> None:
    """Versions, shares, digests and where it is ready; examples and batches only the API has."""
    async with deployed(settings) as api:
        assert settings.redis_url is not None
        sources = [ApiSource(f"http://127.0.0.1:{settings.port}"), RedisSource(settings.redis_url)]
        names = ("versions", "previous", "shadow", "revision", "version", "ready")

        async def told_the_same() -> list[ModelDetail]:
            # a process tells Redis what it serves a moment after it does
            told = [next(model for model in await source.models() if model.name == "adds") for source in sources]
            return told if all(getattr(told[0], name) == getattr(told[1], name) for name in names) else []

        found = await wait_until(told_the_same)
        assert [(each.version, each.share) for each in found[0].versions] == [("1", 0.9), ("2", 0.1)]
        assert found[0].previous is not None
        assert found[0].input_example is not None
        assert found[1].input_example is None
        mock = next(model for model in await sources[1].models() if model.name == "mock")
        assert [(each.version, each.share, each.ready) for each in mock.versions] == [("1", 1.0, True)]
        assert api.services.deployer.process_id in mock.versions[0].processes
        for source in sources:
            await source.aclose()


async def test_a_real_deployment_is_shown_and_goes_on_without_the_api(settings: Settings) -> None:
    """Traffic of both versions and how their predictions went; with the API gone, as Redis knows it."""
    url = f"http://127.0.0.1:{settings.port}"
    dashboard = Dashboard(openers_of(url, settings.redis_url), api_url=url, interval_s=0.1)
    async with dashboard.run_test(size=(160, 50)) as pilot:
        async with deployed(settings) as api:
            for _ in range(12):
                await api.post("/models/adds/predict", json={"x": 5}, headers={"prefer": "respond-async"})
            await pilot.press("4")
            await wait_until(lambda: "adds@2" in screen_text(dashboard) and "90 %" in screen_text(dashboard))
            await wait_until(
                lambda: sum(row.stats.ended for row in dashboard_rows(dashboard) if row.stats is not None) >= 12
            )
            text = screen_text(dashboard)
            assert "● ready 1/1" in text
            assert "a roll back leads to 1: 100 %" in text
        await wait_until(lambda: "as Redis knows them" in screen_text(dashboard), timeout_s=20)
        assert "adds@1" in screen_text(dashboard)


def dashboard_rows(dashboard: Dashboard) -> list[ModelRow]:
    """What the table shows."""
    return [row for row in dashboard.query_one("#models", ModelTable).rows if row.model == "adds"]


async def test_traffic_is_switched_and_rolled_back_after_a_question(settings: Settings) -> None:
    """What would come of it is said while it is typed; what is wrong is not sent; escape changes nothing."""
    url = f"http://127.0.0.1:{settings.port}"
    dashboard = Dashboard(openers_of(url, settings.redis_url), api_url=url, interval_s=0.1)

    async def shares(api: RunningApi) -> dict[str, float]:
        detail = (await api.get("/models/adds")).json()
        return {each["version"]: each["share"] for each in detail["versions"]}

    async with deployed(settings) as api, dashboard.run_test(size=(120, 40), notifications=True) as pilot:
        await pilot.press("4")
        await wait_until(lambda: "adds@2" in screen_text(dashboard) and "90 %" in screen_text(dashboard))
        await pilot.press("T")
        await wait_until(lambda: "Send the traffic of adds to" in screen_text(dashboard))
        await wait_until(lambda: "That is how the traffic flows already" in screen_text(dashboard))
        await pilot.press("ctrl+u", *"9")
        await wait_until(lambda: "There is no version 9; there are 1, 2" in screen_text(dashboard))
        await pilot.press("enter", "backspace", *"2")
        await wait_until(lambda: "1: 90 % → 0 %" in screen_text(dashboard))
        await pilot.press("escape")
        await pilot.pause()
        assert await shares(api) == {"1": 0.9, "2": 0.1}
        await pilot.press("T")
        await wait_until(lambda: "Send the traffic of adds to" in screen_text(dashboard))
        await pilot.press("ctrl+u", *"2", "enter")
        await wait_until(lambda: "The traffic of adds is switched." in screen_text(dashboard))
        assert await shares(api) == {"1": 0, "2": 1}
        await wait_until(lambda: "a roll back leads to 1: 90 %, 2: 10 %" in screen_text(dashboard))
        await pilot.press("B")
        await wait_until(lambda: "Roll adds back" in screen_text(dashboard))
        await pilot.press("enter")
        await wait_until(lambda: "is where it was before" in screen_text(dashboard))
        assert await shares(api) == {"1": 0.9, "2": 0.1}


async def test_a_model_is_unloaded_and_loaded_after_a_question(settings: Settings) -> None:
    """And what the API refuses is said with its own reason; the question stays."""
    url = f"http://127.0.0.1:{settings.port}"
    dashboard = Dashboard(openers_of(url, settings.redis_url), api_url=url, interval_s=0.1)
    async with deployed(settings) as api, dashboard.run_test(size=(120, 40), notifications=True) as pilot:

        async def is_ready() -> bool:
            return (await api.get("/models/adds")).json()["ready"]

        await pilot.press("4")
        await wait_until(lambda: "mock@1" in screen_text(dashboard) and "adds@1" in screen_text(dashboard))
        await pilot.press("U")
        await wait_until(lambda: "Callers whom that process answers get 503" in screen_text(dashboard))
        await pilot.press("enter")
        await wait_until(lambda: "adds is unloaded" in screen_text(dashboard))
        assert not await is_ready()
        await pilot.press("L")
        await wait_until(lambda: "Load adds" in screen_text(dashboard))
        await pilot.press("enter")
        await wait_until(lambda: "adds is loaded" in screen_text(dashboard))
        assert await is_ready()
        await pilot.press("end", "U")
        await wait_until(lambda: "Unload mock" in screen_text(dashboard))
        await pilot.press("enter")
        await wait_until(lambda: "It was refused, and nothing has changed: Model 'mock'" in screen_text(dashboard))
        await pilot.press("escape")


async def test_without_the_api_or_in_the_past_nothing_can_be_changed() -> None:
    """It says why."""
    for state, before, why in (
        ("api-down", "escape", "The API is away (connection refused); without it no model can be changed."),
        ("live", "escape", "what is shown is no running system"),
        ("live", "left_square_bracket", "which nobody changes. Press p to come back to now."),
    ):
        dashboard = demo_dashboard(state)
        async with dashboard.run_test(size=(160, 50), notifications=True) as pilot:
            await wait_until(lambda dashboard=dashboard: dashboard.feeds.is_reading)
            await pilot.press("4")
            await wait_until(lambda dashboard=dashboard: "fraud-scorer@3" in screen_text(dashboard))
            await pilot.press(before, "T")
            await wait_until(lambda dashboard=dashboard, why=why: why in " ".join(told(dashboard)))


async def test_a_read_only_dashboard_changes_no_model(settings: Settings) -> None:
    """The key says so, and asks nothing."""
    url = f"http://127.0.0.1:{settings.port}"
    dashboard = Dashboard(openers_of(url, None, read_only=True), api_url=url, interval_s=0.1, read_only=True)
    async with running_api(settings), dashboard.run_test(size=(120, 40), notifications=True) as pilot:
        await pilot.press("4")
        await wait_until(lambda: "mock@1" in screen_text(dashboard) and "● ready" in screen_text(dashboard))
        await pilot.press("T")
        await wait_until(lambda: READ_ONLY in " ".join(told(dashboard)))


async def test_another_width_breaks_the_lines_anew() -> None:
    """At once, not with the next figures."""
    dashboard = demo_dashboard("live")
    async with dashboard.run_test(size=(80, 24)) as pilot:
        await wait_until(lambda: dashboard.feeds.is_reading)
        await pilot.press("4")
        await wait_until(lambda: "fraud-scorer@3" in screen_text(dashboard))
        await pilot.press("down", "down", "down")
        long = "RuntimeError: the ONNX graph needs opset 22, this runtime knows 21"
        assert long not in screen_text(dashboard)
        await pilot.resize_terminal(120, 36)
        await pilot.pause()
        assert long in screen_text(dashboard)
