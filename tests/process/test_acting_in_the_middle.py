"""Acting on 5,000 predictions from the dashboard while something goes away in the middle: with real processes."""

import asyncio
import contextlib
import os
import re
import signal
from collections.abc import AsyncGenerator, Callable, Generator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from textual.pilot import Pilot

from tests.process.stack import COMMAND, Up
from tests.terminals.terminal import Terminal
from tests.tui.screen import screen_text
from zypher_jobs.testing import wait_until
from zypher_tui.app import Dashboard
from zypher_tui.core.deeds import Choice, Outcome
from zypher_tui.core.tally import Tally
from zypher_tui.opening import openers_of
from zypher_tui.sources.operator import ApiOperator, Progress

MANY = 5_000
"""Five calls."""
SOON_S = 0.03
"""So long after a step was sent it is still under way: it takes ten times as long."""
PATIENCE_S = 90
"""On a machine that is busy."""


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """One stack for all; nobody takes anything from its queue."""
    stack = Up(tmp_path_factory.mktemp("up"), workers=1, redis_timeout_s=1)
    asyncio.run(stack.start_and_wait())
    httpx.post(f"{stack.url}/queues/normal/pause", timeout=PATIENCE_S)
    yield stack
    stack.kill_everything()


@pytest.fixture
async def ids(up: Up) -> list[str]:
    """Those that wait; there are no others."""
    async with calling(up) as client:
        for verb, status in (("cancel", None), *(("drop", each) for each in ("canceled", "failed", "succeeded"))):
            body: dict[str, Any] = {"all": True, "limit": 5_000} | ({"status": status} if status else {})
            while (await client.post(f"/predictions/{verb}", json=body)).json()["touched"]:
                pass
        found: list[str] = []
        for first in range(0, MANY, 1_000):
            body_of = [{"input": {"input": f"n{number}"}} for number in range(first, first + 1_000)]
            items = (await client.post("/predictions", json=body_of)).json()["items"]
            found += [item["prediction"]["prediction_id"] for item in items]
    return found


def calling(up: Up, token: str = "") -> httpx.AsyncClient:
    """A client that is patient."""
    headers = {"authorization": f"Bearer {token}"} if token else {}
    return httpx.AsyncClient(base_url=up.url, timeout=PATIENCE_S, headers=headers)


class Interrupted(ApiOperator):
    """Something happens while the third step is under way."""

    def __init__(self, url: str, happens: Callable[[], object], token: str | None) -> None:
        super().__init__(url, api_key=token)
        self._happens: Callable[[], object] | None = happens

    async def many(self, choice: Choice, tally: Tally, progress: Progress) -> Outcome:
        """See ``Operator``."""

        def with_trouble(done: int) -> bool:
            if done >= 2_000 and self._happens is not None:
                asyncio.get_running_loop().call_later(SOON_S, self._happens)
                self._happens = None
            return progress(done)

        return await super().many(choice, tally, with_trouble)


@asynccontextmanager
async def dashboard_on(
    up: Up, happens: Callable[[], object], token: str | None = None
) -> AsyncGenerator[tuple[Dashboard, Pilot[int]]]:
    """The Predictions screen of a dashboard that acts on the stack."""
    dashboard = Dashboard(
        openers_of(up.url, None, api_key=token),
        api_url=up.url,
        interval_s=0.2,
        operator=lambda: Interrupted(up.url, happens, token),
    )
    async with dashboard.run_test(size=(120, 36)) as pilot:
        await pilot.press("2")
        await wait_until(lambda: dashboard.view.has_figures, timeout_s=PATIENCE_S)
        yield dashboard, pilot


async def agree(dashboard: Dashboard, pilot: Pilot[int], key: str) -> int:
    """Press it and type the server's count; that number."""
    asks = re.compile(r"type (\d+) and press enter")
    await pilot.press(key)
    await wait_until(lambda: asks.search(screen_text(dashboard)), timeout_s=PATIENCE_S)
    found = asks.search(screen_text(dashboard))
    assert found is not None
    await pilot.press(*found[1], "enter")
    return int(found[1])


async def told(dashboard: Dashboard, notes: int = 1) -> str:
    """What is noted of what was done, and on the screen if it broke off."""
    await wait_until(lambda: len(dashboard.deeds.notes) == notes, timeout_s=PATIENCE_S)
    return dashboard.deeds.notes[-1].sentence


def numbers(sentence: str) -> tuple[int, int, int]:
    """Done, not known, not begun."""
    found = [
        re.search(pattern, sentence)
        for pattern in (r"^\w+ ([\d,]+) ", r"Of ([\d,]+) predictions? nobody", r"([\d,]+) were not")
    ]
    done, unknown, left = (int(match[1].replace(",", "")) if match else 0 for match in found)
    return done, unknown, left


async def listed(up: Up, token: str = "", **query: str) -> set[str]:
    """Ids of all of a status."""
    found, before = set[str](), dict[str, str]()
    async with calling(up, token) as client:
        while True:
            page = (await client.get("/predictions", params={"limit": "200", **query, **before})).json()
            found |= {each["prediction_id"] for each in page["predictions"]}
            if page["next"] is None:
                return found
            before = {"before": page["next"]}


async def is_ready(up: Up) -> bool:
    """Whether it answers again."""
    with contextlib.suppress(httpx.HTTPError):
        async with httpx.AsyncClient(base_url=up.url, timeout=5) as client:
            return (await client.get("/health/ready")).status_code == 200
    return False


async def noted(up: Up, action: str) -> list[int]:
    """How many each entry of the audit log says, newest first."""
    async with calling(up) as client:
        entries = (await client.get("/audit", params={"action": action, "limit": "200"})).json()["entries"]
    return [entry["count"] for entry in entries]


@pytest.mark.parametrize("key", ["X", "R"])
async def test_the_api_dies_in_the_middle(up: Up, ids: list[str], key: str) -> None:
    """Done, not known and not begun are all of them, and true; the same key does the rest, and nothing twice."""
    if key == "R":
        async with calling(up) as client:
            await client.post("/predictions/cancel", json={"all": True, "limit": MANY})
    async with dashboard_on(up, lambda: os.kill(up.facts.pids["api"], signal.SIGKILL)) as (dashboard, pilot):
        if key == "R":
            await pilot.press("slash", *"status:canceled", "enter")
        assert await agree(dashboard, pilot, key) == MANY
        sentence = await told(dashboard)
        done, unknown, left = numbers(sentence)
        assert done + unknown + left == MANY, sentence
        assert 0 < done < MANY
        await wait_until(lambda: "nobody knows" in screen_text(dashboard) or "were not:" in screen_text(dashboard))
        await wait_until(lambda: is_ready(up), timeout_s=PATIENCE_S)
        acted = len(await listed(up, status="canceled" if key == "X" else "queued"))
        assert done <= acted <= done + unknown
        await pilot.press("escape")
        await wait_until(lambda: dashboard.deeds.why_not() is None, timeout_s=PATIENCE_S)
        assert await agree(dashboard, pilot, key) == MANY - acted
        done_words = "Canceled" if key == "X" else "Replayed"
        assert await told(dashboard, 2) == f"{done_words} {MANY - acted:,} predictions."
    if key == "X":
        assert await listed(up, status="canceled") == set(ids)
        assert await listed(up, status="queued") == set()
    else:
        assert len(await listed(up, status="queued")) == MANY
        assert await listed(up, status="canceled") == set(ids)


async def test_redis_stands_still_in_the_middle(up: Up, ids: list[str]) -> None:
    """The API says how far it came; what Redis does when it goes on is among those of which nobody knew."""
    redis = up.facts.pids["redis"]
    try:
        async with dashboard_on(up, lambda: os.kill(redis, signal.SIGSTOP)) as (dashboard, pilot):
            await agree(dashboard, pilot, "X")
            sentence = await told(dashboard)
            done, unknown, left = numbers(sentence)
            assert done + unknown + left == MANY, sentence
            assert unknown <= 1_000
            os.kill(redis, signal.SIGCONT)
            await wait_until(lambda: is_ready(up), timeout_s=PATIENCE_S)
            acted = len(await listed(up, status="canceled"))
            assert done <= acted <= done + unknown, sentence
            await pilot.press("escape")
            await wait_until(lambda: dashboard.deeds.why_not() is None, timeout_s=PATIENCE_S)
            assert await agree(dashboard, pilot, "X") == MANY - acted
            assert await told(dashboard, 2) == f"Canceled {MANY - acted:,} predictions."
            assert await listed(up, status="canceled") == set(ids)
    finally:
        os.kill(redis, signal.SIGCONT)


async def test_the_key_is_revoked_in_the_middle(up: Up, ids: list[str]) -> None:
    """From then on nothing is done, which is known; the sentence says how to make another key."""
    async with calling(up) as client:
        admin = (await client.post("/keys", json={"name": "admin", "scopes": ["admin"]})).json()["token"]
    try:
        async with calling(up, admin) as client:
            token = (await client.post("/keys", json={"name": "ops", "scopes": ["operate", "read"]})).json()["token"]

            def revoke() -> None:
                headers = {"authorization": f"Bearer {admin}"}
                httpx.delete(f"{up.url}/keys/ops", headers=headers, timeout=PATIENCE_S).raise_for_status()

            async with dashboard_on(up, revoke, token) as (dashboard, pilot):
                await agree(dashboard, pilot, "X")
                sentence = await told(dashboard)
                done, unknown, left = numbers(sentence)
                assert (unknown, done + left) == (0, MANY), sentence
                assert "zypher keys create NAME --scope operate" in sentence
                assert len(await listed(up, admin, status="canceled")) == done
                assert len(await listed(up, admin, status="queued")) == left
            assert {*await listed(up, admin, status="canceled"), *await listed(up, admin, status="queued")} == {*ids}
    finally:
        async with calling(up, admin) as client:
            await client.delete("/keys/admin")


async def test_what_was_counted_ends_before_the_yes(up: Up, ids: list[str]) -> None:
    """It is not done again, and said; what came in meanwhile is left."""
    async with dashboard_on(up, lambda: None) as (dashboard, pilot), calling(up) as client:
        await pilot.press("X")
        await wait_until(lambda: "type 5000 and press enter" in screen_text(dashboard), timeout_s=PATIENCE_S)
        await client.post("/predictions/cancel", json={"all": True, "limit": 1_200})
        late = (await client.post("/predict", json={"input": "late"}, headers={"Async-Mode": "true"})).json()
        await pilot.press(*"5000", "enter")
        assert await told(dashboard) == (
            "Canceled 3,800 predictions. 1,200 of those that were counted were so no longer: ended meanwhile, or "
            "somebody else was quicker."
        )
        assert await listed(up, status="canceled") == set(ids)
        assert await listed(up, status="queued") == {late["prediction_id"]}


@contextlib.contextmanager
def terminal_on(up: Up) -> Generator[Terminal]:
    """``zypher tui`` on a terminal of its own, over all that wait."""
    terminal = Terminal([*COMMAND, "tui", "--api-url", up.url], environment=up.environ)
    try:
        terminal.wait(lambda text: "5,000" in text, timeout_s=PATIENCE_S)
        terminal.type("2")
        terminal.wait(lambda text: "╭─ Predictions · 5,000" in text, timeout_s=PATIENCE_S)
        yield terminal
    finally:
        terminal.close()


def begin(terminal: Terminal, key: str = "X") -> None:
    """Ask for all of them, and type the number."""
    terminal.type(key)
    terminal.wait(lambda text: "type 5000 and press enter" in text, timeout_s=PATIENCE_S)
    terminal.type("5000\r")


async def test_the_terminal_goes_away_in_the_middle(up: Up, ids: list[str]) -> None:
    """The step that is under way is done to its end and in the audit log, the others are not begun; none is lost."""
    before = len(await noted(up, "predictions.cancel"))
    with terminal_on(up) as terminal:
        begin(terminal)
        terminal.wait(lambda text: bool(re.search("[1-4],000 of 5,000 done", text)), timeout_s=PATIENCE_S)
        terminal.hang_up()
        await asyncio.to_thread(terminal.process.wait, PATIENCE_S)
    counts = [0]

    async def is_settled() -> bool:
        entries = await noted(up, "predictions.cancel")
        counts[:] = entries[: len(entries) - before]
        return sum(counts) == len(await listed(up, status="canceled"))

    await wait_until(is_settled, timeout_s=PATIENCE_S)
    canceled, queued = await listed(up, status="canceled"), await listed(up, status="queued")
    assert canceled | queued == set(ids)
    assert not canceled & queued
    assert 1_000 <= len(canceled) < MANY


async def test_the_dashboard_is_left_in_the_middle(up: Up, ids: list[str]) -> None:
    """The terminal behind it says how far it was."""
    with terminal_on(up) as terminal:
        begin(terminal)
        terminal.wait(lambda text: bool(re.search("[1-4],000 of 5,000 done", text)), timeout_s=PATIENCE_S)
        terminal.type("\x03")
        terminal.wait_for_end(timeout_s=PATIENCE_S)
        said = terminal.written
    found = re.search(r"Canceled ([\d,]+) of 5,000 predictions when the dashboard was left\.", said)
    assert found is not None, said[-500:]
    assert len(await listed(up, status="canceled")) >= int(found[1].replace(",", ""))
    assert {*await listed(up, status="canceled"), *await listed(up, status="queued")} == set(ids)


@pytest.mark.parametrize("key", ["X", "R"])
async def test_two_dashboards_do_the_same_at_once(up: Up, ids: list[str], key: str) -> None:
    """Each is canceled or replayed once, by one of them; both say how many were theirs."""
    kept = "status:queued" if key == "X" else "status:canceled"
    if key == "R":
        async with calling(up) as client:
            await client.post("/predictions/cancel", json={"all": True, "limit": MANY})

    def act(terminal: Terminal) -> int:
        terminal.type("5000\r")
        done = re.compile(rf"{'Canceled' if key == 'X' else 'Replayed'} ([\d,]+) predictions?")
        terminal.wait(lambda text: bool(done.search(text)), timeout_s=PATIENCE_S)
        found = done.search(terminal.text)
        assert found is not None
        return int(found[1].replace(",", ""))

    with terminal_on(up) as one, terminal_on(up) as two:
        for terminal in (one, two):
            for keys, seen in (("/", "Filter ·"), (f"{kept}\r", f"· {kept}"), (key, "type 5000")):
                terminal.type(keys)
                terminal.wait(lambda text, seen=seen: seen in text, timeout_s=PATIENCE_S)
            terminal.wait(lambda text: "type 5000 and press enter" in text, timeout_s=PATIENCE_S)
        done = await asyncio.gather(asyncio.to_thread(act, one), asyncio.to_thread(act, two))
    assert sum(done) == MANY
    assert len(await listed(up, status="queued")) == (0 if key == "X" else MANY)
    assert await listed(up, status="canceled") == set(ids)
