"""A failed prediction is opened, its input corrected and sent again: over a real API, Valkey and worker."""

import base64
import json
import shlex
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import msgspec
import pytest
from textual import events
from textual.pilot import Pilot

from tests.api.running import running_api, running_worker
from tests.tui.facts import whole
from tests.tui.golden import golden
from tests.tui.lives import Api, dashboard_on, open_newest
from tests.tui.screen import SIZES, screen_lines, screen_text
from zypher_jobs.contracts.prediction import Status
from zypher_jobs.settings import Settings
from zypher_jobs.testing import wait_until
from zypher_tui.app import Dashboard
from zypher_tui.core import cells
from zypher_tui.core.fitting import misfit
from zypher_tui.core.readings import SourceName
from zypher_tui.demo_states import demo_dashboard
from zypher_tui.opening import openers_of
from zypher_tui.screens.editing import EditScreen
from zypher_tui.screens.prediction import PredictionScreen
from zypher_tui.sources.source import Intake, Order, Refused, SourceAway
from zypher_tui.widgets.json_area import JsonArea

BAD: dict[str, Any] = {
    "text": "bad", "count": 1, "weight": 0.5, "flag": True, "raw": "", "row": [1.5], "grid": [[1, 2], [3, 4], [5, 6]],
}  # fmt: skip


async def type_over(pilot: Pilot[int], area: JsonArea, old: str, new: str) -> None:
    """Replace a text as a person does: behind it, backspaces, keys."""
    at = area.text.index(old) + len(old)
    row = area.text.count("\n", 0, at)
    area.move_cursor((row, at - (area.text.rfind("\n", 0, at) + 1)))
    await pilot.press(*["backspace"] * len(old), *(_key(each) for each in new))


def _key(character: str) -> str:
    return {'"': "quotation_mark", ".": "full_stop", " ": "space", ":": "colon", "-": "minus"}.get(character, character)


async def test_a_failed_prediction_is_read_corrected_sent_and_watched(settings: Settings) -> None:
    """Why it failed, the field that is wrong while it is typed, and the new one until it has succeeded."""
    settings = msgspec.structs.replace(settings, models=("tests.api.inference_models:Repeats",))
    async with running_api(settings) as api, running_worker(api), dashboard_on(api) as (dashboard, pilot):
        asked = await api.post("/models/repeats/predict", json=BAD, headers={"Async-Mode": "true"})
        assert asked.status_code == 202, asked.text
        await open_newest(dashboard, pilot, known=1)
        await wait_until(lambda: "this one is bad" in screen_text(dashboard))
        await wait_until(lambda: 'raise ValueError("this one is bad")' in screen_text(dashboard))
        failed_id = asked.json()["prediction_id"]
        await wait_until(lambda: '"text": "bad"' in screen_text(dashboard))
        await pilot.press("e")
        await wait_until(lambda: "● fits" in screen_text(dashboard))
        area = dashboard.screen.query_one(JsonArea)
        await type_over(pilot, area, '"count": 1', '"count": "x"')
        await wait_until(lambda: "✗ $.count: must be a whole number, not a text" in screen_text(dashboard))
        await pilot.press("ctrl+s")
        assert isinstance(dashboard.screen, EditScreen)
        await type_over(pilot, area, '"x"', "2")
        await type_over(pilot, area, '"bad"', '"good"')
        await wait_until(lambda: "● fits" in screen_text(dashboard))
        await pilot.press("ctrl+s")
        await wait_until(lambda: isinstance(dashboard.screen, PredictionScreen))
        await wait_until(lambda: "● succeeded" in screen_text(dashboard) and "edit of" in screen_text(dashboard))
        screen = dashboard.screen
        assert isinstance(screen, PredictionScreen)
        assert screen.prediction_id != failed_id
        assert f"edit of  {failed_id}" in screen_text(dashboard)
        new = (await api.get(f"/predict/{screen.prediction_id}")).json()
        assert new["output"] | {"text": "good", "count": 2} == new["output"]
        await pilot.press("escape")
        await wait_until(lambda: "✗ failed" in screen_text(dashboard))
        await pilot.press("y")
        assert f"{api.base_url}".rstrip("/") in dashboard.clipboard
        copied = json.loads(shlex.split(dashboard.clipboard)[-1])
        assert copied | BAD == copied


async def test_nothing_is_sent_from_a_dashboard_that_only_reads(settings: Settings) -> None:
    """The key says so; there is no editor to fill in for nothing."""
    async with running_api(settings) as api:
        await api.post("/predict", json={"input": "hello"}, headers={"Async-Mode": "true"})
        url = str(api.base_url)
        dashboard = Dashboard(openers_of(url, None, read_only=True), api_url=url, interval_s=0.1)
        async with dashboard.run_test(size=(120, 36), notifications=True) as pilot:
            await open_newest(dashboard, pilot, known=1)
            await wait_until(lambda: '"input": "hello"' in screen_text(dashboard))
            await pilot.press("e")
            await wait_until(lambda: "--read-only" in screen_text(dashboard))
            assert isinstance(dashboard.screen, PredictionScreen)


class Takes(Api):
    """Takes predictions too, unless the test says otherwise."""

    def __init__(self, *predictions: Any, input_json: str = '{"input":"hello"}') -> None:
        super().__init__(*predictions, input_json=input_json)
        self.orders: list[Order] = []
        self.raises: Exception | None = None
        self.intake_now = Intake(versions=("2",), schema={"type": "object", "required": ["input"]})

    @property
    def why_not(self) -> str:
        """It takes them."""
        return ""

    async def intake(self, model: str) -> Intake:
        """What the test says."""
        del model
        if isinstance(self.raises, SourceAway):
            raise self.raises
        return self.intake_now

    async def submit(self, order: Order) -> str:
        """Keep it."""
        if self.raises is not None:
            raise self.raises
        self.orders.append(order)
        self.predictions["new"] = whole("new", status=Status.RUNNING, started_at=None)
        return "new"


@asynccontextmanager
async def editing(api: Takes) -> AsyncGenerator[tuple[Dashboard, Pilot[int]]]:
    """The input of the only prediction is being edited."""
    dashboard = Dashboard({SourceName.API: lambda: api}, api_url="http://h", interval_s=0.02, clock_s=lambda: 1.0)
    async with dashboard.run_test(size=(80, 24), notifications=True) as pilot:
        await open_newest(dashboard, pilot, known=1)
        await wait_until(lambda: "Input · 17 B" in screen_text(dashboard))
        await pilot.press("e")
        await wait_until(lambda: isinstance(dashboard.screen, EditScreen))
        yield dashboard, pilot


async def test_the_editor_looks_as_it_did() -> None:
    """At each size, with a field that does not fit."""
    api = Takes(whole("0f8f" * 8), input_json='{"text":"hello","tags":["a","b"]}')
    api.intake_now = Intake(versions=("2",), schema={"properties": {"tags": {"items": {"type": "number"}}}})
    async with editing(api) as (dashboard, pilot):
        await wait_until(lambda: "✗ $.tags[" in screen_text(dashboard))
        for columns, rows in SIZES:
            await pilot.resize_terminal(columns, rows)
            await pilot.pause()
            await golden(f"life-edit-{columns}x{rows}", partial(screen_text, dashboard))


async def test_what_the_server_refuses_stays_in_the_editor() -> None:
    """With its sentence; the same is sent again by the same key."""
    api = Takes(whole("a"))
    async with editing(api) as (dashboard, pilot):
        for why, said in (
            (Refused("$.input: too sad"), "✗ It was refused: $.input: too sad"),
            (SourceAway("connection refused"), "✗ The API is away (connection refused)"),
        ):
            api.raises = why
            await pilot.press("ctrl+s")
            await wait_until(lambda said=said: said in screen_text(dashboard))
        api.raises = None
        await pilot.press("ctrl+s")
        await wait_until(lambda: "edit of" in screen_text(dashboard))
        assert [(each.model, each.version, json.loads(each.input_json)) for each in api.orders] == [
            ("mock", "2", {"input": "hello"})
        ]


async def test_an_image_is_sent_as_it_was() -> None:
    """It does not stand in the editor's way; the schema sees it all the same."""
    image = base64.b64encode(bytes(range(256)) * 40).decode()
    api = Takes(whole("a"), input_json=json.dumps({"image": image, "width": 4}))
    api.intake_now = Intake(versions=("2",), schema={"properties": {"image": {"minLength": 1000}}})
    async with editing(api) as (dashboard, pilot):
        await wait_until(lambda: "● fits; what stands in <…> is sent as it was" in screen_text(dashboard))
        area = dashboard.screen.query_one(JsonArea)
        assert '"image": "<1: data in base64, 10 kB>",' in area.text
        await type_over(pilot, area, '"width": 4', '"width": 9')
        await pilot.press("ctrl+s")
        await wait_until(lambda: len(api.orders) == 1)
        assert json.loads(api.orders[0].input_json) == {"image": image, "width": 9}


async def test_a_version_that_is_gone_is_asked_of_the_live_one() -> None:
    """What is corrected by a new version is tried with that."""
    api = Takes(whole("a"))
    api.intake_now = Intake(versions=("3",), schema={})
    async with editing(api) as (dashboard, pilot):
        await wait_until(lambda: "● is JSON" in screen_text(dashboard))
        await pilot.press("ctrl+s")
        await wait_until(lambda: len(api.orders) == 1)
        assert api.orders[0].version == ""


async def test_a_changed_input_is_not_dropped_by_accident() -> None:
    """Esc asks once; unchanged it leaves at once."""
    async with editing(Takes(whole("a"))) as (dashboard, pilot):
        await pilot.press("x")
        await wait_until(lambda: "✗ line 1, column 1" in screen_text(dashboard))
        await pilot.press("ctrl+s", "escape")
        await wait_until(lambda: "esc again drops that" in screen_text(dashboard))
        await pilot.press("escape")
        await wait_until(lambda: isinstance(dashboard.screen, PredictionScreen))
        await pilot.press("e", "escape")
        await wait_until(lambda: isinstance(dashboard.screen, PredictionScreen))


async def test_nothing_in_the_editor_is_obeyed() -> None:
    """Neither of the input nor of what is pasted: it stands there as JSON's escapes, and means the same."""
    hostile = "\x1b]0;x\x07 \u202e 模型 [/red]"
    async with editing(Takes(whole("a"), input_json=json.dumps({"input": hostile}))) as (dashboard, pilot):
        area = dashboard.screen.query_one(JsonArea)
        assert json.loads(area.text) == {"input": hostile}
        area.move_cursor((1, len('  "input": "')))
        area.post_message(events.Paste("\x9b31m\u202d\r\n\t"))
        await wait_until(lambda: "\\u202d" in screen_text(dashboard))
        await pilot.pause()
        lines = screen_lines(dashboard)
        assert not {"\x1b", "\x07", "\x9b", "\u202e", "\u202d"} & set("".join(lines))
        assert all(cells.width(line) == 80 for line in lines)


async def test_keys_that_send_say_why_they_cannot() -> None:
    """In the simulated system, in the past, and while the API is away."""
    for state, said in (("live", "no running system"), ("api-down", "The API is away (connection refused)")):
        dashboard = demo_dashboard(state)
        async with dashboard.run_test(size=(120, 36), notifications=True) as pilot:
            await wait_until(lambda dashboard=dashboard: dashboard.feeds.is_reading)
            await pilot.press("2", "enter", "e")
            await wait_until(lambda dashboard=dashboard, said=said: said in screen_text(dashboard))
    api = Takes(whole("a"), input_json=json.dumps({"input": ["some text"] * 10_000}))
    dashboard = Dashboard({SourceName.API: lambda: api}, api_url="http://h", interval_s=0.02, clock_s=lambda: 1.0)
    async with dashboard.run_test(size=(120, 36), notifications=True) as pilot:
        await open_newest(dashboard, pilot, known=1)
        await wait_until(lambda: "f shows all" in screen_text(dashboard))
        await pilot.press("e")
        await wait_until(lambda: "too long to be edited here" in screen_text(dashboard))
        await pilot.press("p", "e")
        await wait_until(lambda: "This is the past" in screen_text(dashboard))


SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "text": {"type": "string", "maxLength": 5},
        "rows": {"type": "array", "items": {"$ref": "#/$defs/Row"}},
        "kind": {"enum": ["a", "b"]},
        "limit": {"anyOf": [{"type": "integer", "minimum": 0}, {"type": "null"}]},
    },
    "required": ["text"],
    "additionalProperties": False,
    "$defs": {"Row": {"type": "object", "properties": {"at": {"type": "number"}}, "required": ["at"]}},
}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('{"text": "a", "rows": [{"at": 1}], "kind": "a", "limit": null}', None),
        ("{}", "$: text is missing"),
        ("[]", "$: must be an object, not a list"),
        ('{"text": 1}', "$.text: must be a text, not a number"),
        ('{"text": null}', "$.text: must be a text, not null"),
        ('{"text": "a", "rows": [{"at": 1}, {"at": true}]}', "$.rows[1].at: must be a number, not true or false"),
        ('{"text": "a", "more": 1}', "$: more is not known; there are text, rows, kind, limit"),
        ('{"text": "a", "kind": "c"}', '$.kind: must be one of "a", "b"'),
        ('{"text": "a", "limit": -1}', "$.limit: -1 is less than the minimum of 0"),
        ('{"text": "' + "x" * 1000 + '"}', "$.text: does not fit maxLength 5"),
        ('{"text": "a",\n}', "line 1, column 13: illegal trailing comma before end of object"),
        ('{"text": NaN}', "line 1: NaN is no JSON"),
        ("[" * 100_000, "line 1"),
    ],
)
def test_what_does_not_fit_is_named_by_its_path(text: str, sentence: str | None) -> None:
    """As the server names it; the value itself is not repeated."""
    found = misfit(text, SCHEMA)
    if sentence is None:
        assert found is None
        return
    assert found is not None
    if found.path.startswith("line") and "NaN" not in sentence:
        assert found.sentence.startswith("line ")  # in the words of that Python
    else:
        assert found.sentence == sentence


def test_a_schema_that_is_none_leaves_it_to_the_server() -> None:
    """It is no reason to refuse an input."""
    assert misfit("{}", {"type": "no such type"}) is None
    assert misfit("{}", {}) is None
