"""Where keys are tried: a dashboard over a real API, server and worker; a key is pressed, and its effect waited for."""

import asyncio
import inspect
import json
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import msgspec
from textual.binding import Binding
from textual.pilot import Pilot

from tests.models.deploying import adds, sha256_of
from tests.process.stack import Up
from tests.tui.screen import screen_text, told
from zypher_jobs.testing import wait_until
from zypher_tui.app import Dashboard
from zypher_tui.core.deeds import Choice, Outcome
from zypher_tui.core.tally import Tally
from zypher_tui.keymap import Keyed, actions
from zypher_tui.load.desk import ApiDesk
from zypher_tui.opening import openers_of
from zypher_tui.sources.operator import ApiOperator, Progress

GIVES_WAY = {"scroll_up", "scroll_down"}
"""Where there is nothing to scroll."""
PATIENCE_S = 60
"""On a machine that is busy."""


class Patient(ApiOperator):
    """Acts once the test lets it."""

    def __init__(self, url: str, stage: "Stage") -> None:
        super().__init__(url)
        self._stage = stage

    async def many(self, choice: Choice, tally: Tally, progress: Progress) -> Outcome:
        """See ``Operator``."""
        await self._stage.may_act.wait()
        return await super().many(choice, tally, progress)


class Stage:
    """One dashboard, and what tries need of the stack."""

    def __init__(self, up: Up, client: httpx.AsyncClient, directory: Path) -> None:
        self.up = up
        self.client = client
        self.directory = directory
        self.ids: list[str] = []
        """Of the predictions that the scene asked for last."""
        self.may_act = asyncio.Event()
        self.may_act.set()
        self.dashboard: Dashboard = Dashboard(
            openers_of(up.url, None),
            api_url=up.url,
            interval_s=0.05,
            operator=lambda: Patient(up.url, self),
            desk=ApiDesk(up.url),
        )
        self.pilot: Pilot[int]
        self.before: Any = None
        """What was there before the key: whatever ``remember`` says."""

    @property
    def text(self) -> str:
        """The screen, and what pops up."""
        return "\n".join([screen_text(self.dashboard), *told(self.dashboard)])

    async def ask(self, model: str, *texts: str, priority: str = "normal", ended: bool = False) -> None:
        """Asks for predictions, and waits until the dashboard knows how they stand."""
        field = "input" if model == "mock" else "text"
        body = [{"model": model, "priority": priority, "input": {field: text}} for text in texts]
        items = (await self.client.post("/predictions", json=body)).json()["items"]
        self.ids = [item["prediction"]["prediction_id"] for item in items]
        if ended:
            for each in self.ids:
                await self.client.get(f"/predict/{each}", params={"wait": "30"})
        book = self.dashboard.store.book

        def is_known() -> bool:
            rows = [book.get(each) for each in self.ids]
            return all(row is not None and (row.status.is_terminal or not ended) for row in rows)

        await wait_until(is_known, timeout_s=PATIENCE_S)
        self.dashboard.pane.show_view(self.dashboard.view)

    async def statuses(self) -> list[str]:
        """Where those stand now; the number of an answer that is none."""
        answers = [await self.client.get(f"/predict/{each}") for each in self.ids]
        return [each.json().get("status") if each.status_code == 200 else str(each.status_code) for each in answers]

    async def audited(self) -> list[str]:
        """Actions of the newest entries of the audit log."""
        entries = (await self.client.get("/audit", params={"limit": "3"})).json()["entries"]
        return [f"{entry['entry_id']} {entry['action']}" for entry in entries]

    async def queue(self, name: str) -> dict[str, Any]:
        """How a queue stands."""
        queues = (await self.client.get("/queues")).json()["queues"]
        return next(each for each in queues if each["queue"] == name)

    async def wait(self, sees: "Sees") -> None:
        """Until that is so."""

        async def is_so() -> bool:
            if isinstance(sees, str):
                return sees in self.text if not sees.startswith("!") else sees[1:] not in self.text
            found = sees(self)
            return bool(await found if inspect.isawaitable(found) else found)

        try:
            await wait_until(is_so, timeout_s=PATIENCE_S)
        except TimeoutError as error:
            raise AssertionError(f"not seen: {sees!r} on\n{self.text}") from error


Sees = str | Callable[[Stage], object]
"""A text on the screen, with ``!`` before it one that is not there; or whatever says yes."""


class Try(msgspec.Struct, frozen=True):
    """A key, where it works, and what is seen of it."""

    owner: str
    action: str
    sees: Sees
    lead: Sequence["str | Step"] = ()
    """What is done before it: keys to press, or whatever else."""
    back: Sequence["str | Step"] = ()
    """What is done after it."""
    audit: str = ""
    """The newest entry of the audit log then."""

    @property
    def name(self) -> str:
        """As it is reported."""
        return f"{self.owner}.{self.action}"


class Step(msgspec.Struct, frozen=True):
    """Something that is no key."""

    does: Callable[[Stage], object]


async def play(stage: Stage, tries: Sequence[Try]) -> None:
    """Each in turn."""
    for each in tries:
        try:
            await _play(stage, each)
        except Exception as error:
            error.add_note(f"That was {each.name}, with this screen:\n{stage.text}")
            raise


async def _play(stage: Stage, one: Try) -> None:
    await _do(stage, one.lead)
    await stage.pilot.pause()
    key = key_of(stage, one)
    audited = await stage.audited() if one.audit else []
    stage.dashboard.clear_notifications()
    await stage.pilot.press(key)
    await stage.wait(one.sees)
    if one.audit:
        await stage.wait(lambda _: _is_audited(stage, one.audit, audited))
    await _do(stage, one.back)


async def _is_audited(stage: Stage, action: str, before: Sequence[str]) -> bool:
    new = [each for each in await stage.audited() if each not in before]
    return any(each.split(" ")[1] == action for each in new)


async def _do(stage: Stage, steps: Sequence[str | Step]) -> None:
    for step in steps:
        if isinstance(step, str):
            await stage.pilot.press(step)
        else:
            done = step.does(stage)
            if inspect.isawaitable(done):
                await done


def key_of(stage: Stage, one: Try) -> str:
    """The key that leads to it from where the focus is; fails if it leads elsewhere, or nowhere."""
    bound = stage.dashboard.screen.active_bindings
    for key, active in bound.items():
        if active.binding.id == one.action and _is_of(active.node, one.owner):
            return key
    # Textual's own keys of screens and of what scrolls lie over some, do the same, or give way
    chain = (stage.dashboard.focused or stage.dashboard.screen).ancestors_with_self
    for owner in actions()[one.action].owners:
        if owner.__name__ == one.owner and any(isinstance(node, owner) for node in chain):
            own = next(each for each in owner.BINDINGS if isinstance(each, Binding) and each.id == one.action)
            if own.key not in bound or bound[own.key].binding.action in GIVES_WAY | {own.action}:
                return own.key
    there = sorted(f"{key} {active.binding.id or active.binding.action}" for key, active in bound.items())
    raise AssertionError(f"No key leads to {one.name} from here; there are {there}.")


def _is_of(node: object, owner: str) -> bool:
    return any(cls.__name__ == owner for cls in type(node).__mro__ if issubclass(cls, Keyed))


async def all_end(stage: Stage) -> None:
    """Nothing of the scene before is left."""
    for queue in ("high", "normal", "low"):
        await stage.client.post(f"/queues/{queue}/resume")
    for verb, status in (("cancel", None), *(("drop", each) for each in ("failed", "canceled", "succeeded"))):
        body = {"all": True, "limit": 5_000, **({"status": status} if status else {})}
        await stage.client.post(f"/predictions/{verb}", json=body)


async def deploy(client: httpx.AsyncClient) -> None:
    """Two versions of ``adds``, live 90 to 10."""
    for version in ("1", "2"):
        content = adds(float(version))
        manifest = json.dumps({"sha256": sha256_of(content), "description": "Adds."}).encode()
        parts = {"manifest": ("manifest", manifest), "file": ("file", content)}
        (await client.put(f"/models/adds/versions/{version}", files=parts)).raise_for_status()
    (await client.put("/models/adds/live", json={"shares": {"1": 90, "2": 10}})).raise_for_status()


@asynccontextmanager
async def staged(up: Up, directory: Path) -> AsyncGenerator[Stage]:
    """A stage with its dashboard open."""
    async with httpx.AsyncClient(base_url=up.url, timeout=PATIENCE_S) as client:
        stage = Stage(up, client, directory)
        await all_end(stage)
        async with stage.dashboard.run_test(size=(120, 44), notifications=True) as pilot:
            stage.pilot = pilot
            await wait_until(lambda: stage.dashboard.view.has_figures, timeout_s=PATIENCE_S)
            yield stage
