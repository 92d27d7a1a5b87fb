"""What tries of keys do before and after, and what they look at."""

from collections.abc import Callable

from textual.widgets import Input

from tests.tui.keys.stage import Sees, Stage, Step
from tests.tui.screen import screen_text
from zypher_tui.screens.editing import EditScreen
from zypher_tui.screens.prediction import PredictionScreen
from zypher_tui.widgets.attention import AttentionList
from zypher_tui.widgets.choice import Choice
from zypher_tui.widgets.column_dialog import ColumnDialog
from zypher_tui.widgets.columns import Sorting
from zypher_tui.widgets.heat_map import HeatMap
from zypher_tui.widgets.models import ModelTable
from zypher_tui.widgets.predictions import PredictionTable

SURE = "and press enter"
"""The number is to be typed."""


def step(does: Callable[[Stage], object]) -> Step:
    """Something that is no key."""
    return Step(does)


def ask(model: str, *texts: str, ended: bool = False, priority: str = "normal") -> Step:
    """Predictions that nobody asked for before."""
    return Step(lambda stage: stage.ask(model, *texts, ended=ended, priority=priority))


def see(sees: Sees) -> Step:
    """Wait until that is so."""
    return Step(lambda stage: stage.wait(sees))


def remember(what: Callable[[Stage], object]) -> Step:
    """What it is before the key."""

    def do(stage: Stage) -> None:
        stage.before = what(stage)

    return Step(do)


def changes(what: Callable[[Stage], object]) -> Sees:
    """It is another one than before."""
    return lambda stage: what(stage) != stage.before


def focus(place: str) -> Step:
    """The keys go to that part of the screen."""

    async def do(stage: Stage) -> None:
        stage.dashboard.screen.query_one(place).focus()
        await stage.pilot.pause()

    return Step(do)


def nobody_has_the_focus(stage: Stage) -> None:
    """The keys go to the screen."""
    stage.dashboard.screen.set_focus(None)


async def type_number(stage: Stage) -> None:
    """The one that is asked for."""
    await stage.wait(SURE)
    await stage.pilot.press(*stage.text.split("type ")[1].split(" ")[0])


def cursor(place: str) -> Callable[[Stage], object]:
    """Where the cursor of a table stands."""

    def at(stage: Stage) -> object:
        table = stage.dashboard.screen.query_one(place, PredictionTable)
        return None if table.selected is None else table.find(table.selected)

    return at


def title(stage: Stage) -> str:
    """Of the open pane."""
    return stage.dashboard.pane.TITLE


def past_s(stage: Stage) -> float:
    """How far back the time is that is shown."""
    return stage.dashboard.view.past_s or 0.0


def clipboard(stage: Stage) -> str:
    """What was copied."""
    return stage.dashboard.clipboard


def focused(stage: Stage) -> object:
    """What has the focus."""
    return stage.dashboard.focused


def opened(stage: Stage) -> str:
    """The prediction that is open."""
    screen = stage.dashboard.screen
    return screen.prediction_id if isinstance(screen, PredictionScreen) else ""


def chosen(stage: Stage) -> str:
    """Of the choice that has the focus."""
    choice = stage.dashboard.focused
    return choice.value if isinstance(choice, Choice) else ""


def sorting(stage: Stage) -> Sorting | None:
    """How the models are sorted."""
    return models_of(stage).sorting


def models_of(stage: Stage) -> ModelTable:
    """The table of them."""
    return stage.dashboard.query_one("#models", ModelTable)


def descends(stage: Stage) -> bool:
    """Whether it is the other way round."""
    found = sorting(stage)
    return found is not None and found.descends


def scrolled(stage: Stage) -> float:
    """How far down the open prediction is."""
    return stage.dashboard.screen.query_one("#life").scroll_offset.y


def columns(stage: Stage) -> object:
    """Where the cursor of the columns is, and how they stand."""
    screen = stage.dashboard.screen
    return (screen.cursor, screen_text(stage.dashboard)) if isinstance(screen, ColumnDialog) else None


def attention(stage: Stage) -> object:
    """The item under the cursor."""
    return stage.dashboard.screen.query_one(AttentionList).selected


def cell(stage: Stage) -> object:
    """The cell under the cursor of the heat map."""
    found = stage.dashboard.screen.query_one(HeatMap).selected
    return found and found.filter


async def all_are_canceled(stage: Stage) -> None:
    """Those that were asked for, and their replays."""
    await stage.client.post("/predictions/cancel", json={"all": True, "limit": 5_000})
    await stage.client.post("/predictions/drop", json={"status": "canceled", "all": True, "limit": 5_000})


def are(status: str) -> Sees:
    """Those that were asked for stand so."""

    async def stand(stage: Stage) -> bool:
        return set(await stage.statuses()) == {status}

    return stand


def audited(action: str) -> Sees:
    """The newest entries of the audit log say so."""

    async def is_there(stage: Stage) -> bool:
        return any(each.endswith(f" {action}") for each in await stage.audited())

    return is_there


def paused(queue: str, *, is_so: bool = True) -> Sees:
    """Whether the server has that queue paused."""

    async def stands(stage: Stage) -> bool:
        return bool((await stage.queue(queue))["paused"]) is is_so

    return stands


def waiting(queue: str, depth: int) -> Sees:
    """So many wait in that queue."""

    async def stands(stage: Stage) -> bool:
        return (await stage.queue(queue))["depth"] == depth

    return stands


def pausing(queue: str) -> Step:
    """Nobody takes from it."""
    return Step(lambda stage: stage.client.post(f"/queues/{queue}/pause"))


def resuming(queue: str) -> Step:
    """Workers take from it again."""
    return Step(lambda stage: stage.client.post(f"/queues/{queue}/resume"))


def may_act(stage: Stage) -> None:
    """Steps on many are sent again."""
    stage.may_act.set()


def may_not_act(stage: Stage) -> None:
    """Steps on many wait."""
    stage.may_act.clear()


def share(version: str, of: float) -> Sees:
    """That version of ``adds`` has that share."""

    async def has(stage: Stage) -> bool:
        versions = (await stage.client.get("/models/adds")).json()["versions"]
        return next(each["share"] for each in versions if each["version"] == version) == of

    return has


async def adds_is_known(stage: Stage) -> None:
    """The cursor is on version 1 of ``adds``."""
    await stage.wait("adds@1")
    models_of(stage).select(lambda row: row.key == "adds@1")


async def to_the_letter(stage: Stage) -> None:
    """The kinds of errors are read, with those of the scene."""
    await stage.wait(lambda stage: "it says no" in stage.text and stage.ids[-1][:8] in stage.text)


def record_file(stage: Stage) -> None:
    """Into the directory of the test."""
    stage.dashboard.screen.query_one("#record-file", Input).value = str(stage.directory / "incident.zyr")


def edited(stage: Stage) -> bool:
    """The editor is open, and knows what the model takes."""
    return isinstance(stage.dashboard.screen, EditScreen) and "● fits" in stage.text


def to_item(stage: Stage, words: str) -> None:
    attention_list = stage.dashboard.query_one(AttentionList)
    attention_list.action_move(-1000)
    for _ in range(20):
        if attention_list.selected is not None and words in attention_list.selected.sentence:
            return
        attention_list.action_move(1)
    raise AssertionError(f"Nothing says {words!r}.")


def to_a_cell(stage: Stage) -> None:
    heat = stage.dashboard.query_one(HeatMap)
    for _ in range(400):
        for _ in range(100):
            if heat.selected is not None and heat.selected.count:
                return
            heat.action_move(0, 1)
        heat.action_move(-1, -1000)
    raise AssertionError("There is nothing in the heat map.")


def is_open(stage: Stage) -> bool:
    return opened(stage) == stage.ids[-1]


async def in_the_queue(stage: Stage) -> None:
    """A load that is answered later, of mock."""
    for place, value in (("#load-how", "async"), ("#load-model", "mock")):
        choice = stage.dashboard.query_one(place, Choice)
        choice.focus()
        for _ in range(10):
            if choice.value == value:
                break
            await stage.pilot.press("right")
    stage.dashboard.query_one("#load-line").focus()
    await stage.pilot.pause()
