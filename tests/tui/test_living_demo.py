"""``zypher tui --demo``: alive, the same for everybody, and every key does there what it does."""

import os
import re
import sys
from pathlib import Path

from tests.terminals.terminal import Terminal
from tests.tui.living import PROMOTED_AFTER_S, living
from tests.tui.screen import screen_text
from zypher_jobs.contracts.prediction import Priority, Status
from zypher_jobs.testing import wait_until
from zypher_tui.screens.load import LoadPane
from zypher_tui.sources.source import READ_ONLY
from zypher_tui.themes import DARK
from zypher_tui.widgets.json_area import JsonArea


async def screen_after(*keys: str) -> str:
    """What the demo shows after these keys, a second after each."""
    async with living() as demo:
        for key in keys:
            await demo.press(key)
            await demo.pilot.pause(0.1)
            await demo.go(1)
        demo.dashboard.clear_notifications()  # they go by the clock of whoever runs this
        demo.dashboard.choices.use_theme(DARK)  # draws
        await demo.pilot.pause()
        return screen_text(demo.dashboard)


async def test_it_lives_and_is_the_same_each_time() -> None:
    """The same keys at the same times show the same, to the character."""
    keys = ("P", "n", "2", "end", "r", "x", "1")
    first, again = await screen_after(*keys), await screen_after(*keys)
    assert first == again
    assert "■ normal, low paused" in first


async def test_one_is_canceled_and_another_replayed() -> None:
    """What waits at once, what runs a moment later; a replay succeeds, and its letter is no letter any more."""
    async with living() as demo:
        await demo.filter("status:queued priority:low")
        await demo.press("x")
        await demo.shows("Canceled ")
        assert [run.error.code for run in demo.runs(Status.CANCELED) if run.error] == ["canceled"]
        await demo.filter("status:running mode:async")
        running = demo.runs(Status.RUNNING)
        await demo.press("x")
        await demo.shows(" is being stopped.")
        await demo.go(1)
        assert len(demo.runs(Status.CANCELED)) == 2
        assert any(run.status is Status.CANCELED for run in running)
        letters = demo.system.overview().dead_letters
        await demo.filter("status:failed model:digits mode:async")
        await demo.press("r")
        await demo.shows("Replayed ", "the new one is ")
        await demo.go(4)
        replay = next(run for run in demo.system.every if run.replay_of)
        assert replay.status is Status.SUCCEEDED
        assert replay.prediction_id[:8] in demo.popped_up
        assert demo.dashboard.store.book.get(replay.prediction_id) is not None
        assert replay.replay_of not in {letter.prediction_id for letter in demo.system.dead_letters()}
        assert demo.system.overview().dead_letters <= letters + 3
        await demo.filter("status:succeeded mode:sync")
        await demo.press("r")
        await demo.shows("was answered at once: its input is not kept")


async def test_many_are_counted_by_the_server_and_done_at_once() -> None:
    """A queue is purged, all letters of a kind are replayed, others dropped."""
    async with living() as demo:
        waiting = demo.system.depth_of(Priority.LOW)
        await demo.press("P", "L")
        await demo.shows(f"The server counts {waiting} that can be canceled.")
        await demo.press(f"'{waiting}", "enter")
        await demo.shows(f"Canceled {waiting} predictions.")
        assert demo.system.depth_of(Priority.LOW) == 0
        await demo.press("5")
        await demo.shows("no digit in this image")
        group = demo.system.dead_letter_groups()[0]
        await demo.press("R")
        await demo.shows(f"The server counts {group.count} that can be replayed.")
        await demo.press("y")
        await demo.shows(f"Replayed {group.count} predictions.")
        await wait_until(lambda: f"Dead letters · {demo.system.overview().dead_letters}" in screen_text(demo.dashboard))
        assert group.fingerprint not in {each.fingerprint for each in demo.system.dead_letter_groups()}
        dropped = demo.system.dead_letter_groups()[0]
        ids = {each.prediction_id for each in demo.system.dead_letters() if each.fingerprint == dropped.fingerprint}
        await demo.press("D")
        await demo.shows("that can be dropped.")
        counted = re.search(r"The server counts (\d+) that", screen_text(demo.dashboard))
        assert counted is not None
        await demo.press(f"'{counted[1]}", "enter")
        await demo.shows(f"Dropped {counted[1]} predictions.")
        assert not ids & {run.prediction_id for run in demo.system.every}
        assert all(demo.dashboard.store.book.get(each) is None for each in ids)


async def test_a_paused_queue_grows_and_a_resumed_one_drains() -> None:
    """As the figures, the first line and *Needs attention* say; nobody else touches it from then on."""
    async with living() as demo:
        await demo.press("P", "n")
        await demo.shows("Paused queue normal")
        await demo.go(10)
        await demo.shows("■ normal, low paused")
        grown = demo.system.depth_of(Priority.NORMAL)
        assert grown > 60
        assert any(f"Queue normal is paused: {grown}" in item.sentence for item in demo.dashboard.view.items)
        await demo.press("P", "n", "P", "l")
        await demo.shows("Resumed queue low.")
        await demo.go(50)
        assert demo.system.depth_of(Priority.NORMAL) < grown
        assert demo.system.depth_of(Priority.LOW) < 10
        assert "paused" not in screen_text(demo.dashboard).splitlines()[0]
        assert not any(item.rule == "paused" for item in demo.dashboard.view.items)


async def test_a_failing_model_is_rolled_back_and_what_it_failed_is_replayed() -> None:
    """The incident of the demo, by the keys that the screens offer."""
    async with living() as demo:
        await demo.go(PROMOTED_AFTER_S)
        (failing,) = (item for item in demo.dashboard.view.items if item.rule == "failing")
        assert failing.sentence.startswith("fraud-scorer: ")
        assert "feature 'amount_eur' is missing" in failing.sentence
        await demo.press("4")
        await demo.shows("fraud-scorer@4")
        await demo.press("down", "down", "B")
        await demo.shows("Roll fraud-scorer back", "1: 0 % → 100 %")
        await demo.press("enter")
        await demo.shows("The traffic of fraud-scorer is where it was before.")
        await demo.go(4)
        failed = len(demo.runs(Status.FAILED, "fraud-scorer"))
        await demo.go(54)
        assert len(demo.runs(Status.FAILED, "fraud-scorer")) < failed + 20
        assert not any(item.rule == "failing" for item in demo.dashboard.view.items)
        await demo.press("5")
        await demo.shows("amount_eur")
        await demo.press("R")
        await demo.shows("that can be replayed.")
        counted = re.search(r"The server counts ([\d,]+) that", screen_text(demo.dashboard))
        assert counted is not None
        number = counted[1].replace(",", "")
        await demo.press(*([f"'{number}", "enter"] if int(number) > 100 else ["y"]))
        await demo.shows(f"Replayed {counted[1]} predictions")
        await demo.go(30)
        replays = [run for run in demo.system.every if run.replay_of]
        assert len(replays) == int(number)
        assert {run.version for run in replays} == {"1"}
        assert sum(run.status is Status.SUCCEEDED for run in replays) > 0.9 * len(replays)


async def test_traffic_is_switched_or_refused_and_a_model_unloaded() -> None:
    """A version that some process cannot load gets none; a model that is not loaded takes nothing."""
    async with living() as demo:
        await demo.press("4")
        await demo.shows("fraud-scorer@3")
        await demo.press("down", "down", "T", "ctrl+a", "ctrl+k", "'2: 100", "enter")
        await demo.shows("It was refused, and nothing has changed", "fraud-scorer@2 failed to load on")
        await demo.press("ctrl+a", "ctrl+k", "'3: 100", "enter")
        await demo.shows("The traffic of fraud-scorer is switched.")
        await demo.go(20)
        new = [run for run in demo.system.every if run.model == "fraud-scorer" and run.created_s > 151]
        assert {run.version for run in new} == {"3"}
        assert len(new) > 40
        await demo.press("home", "U")
        await demo.shows("Unload digits")
        await demo.press("enter")
        await demo.shows("digits is unloaded in the API process that answered.")
        await demo.go(4)
        assert not [run for run in demo.system.every if run.model == "digits" and run.created_s > 171]
        assert any(item.sentence == "Model digits is not loaded." for item in demo.dashboard.view.items)
        await demo.press("L", "enter")
        await demo.shows("digits is loaded in the API process that answered.")
        await demo.go(4)
        assert [run for run in demo.system.every if run.model == "digits" and run.created_s > 175]


async def test_an_input_is_mended_and_sent_again() -> None:
    """The editor holds it against the model's schema; with the feature that was missing it succeeds."""
    async with living() as demo:
        await demo.go(PROMOTED_AFTER_S)
        await demo.filter("status:failed model:fraud-scorer version:4 mode:async")
        await demo.press("enter", "e")
        await demo.shows("● fits")
        area = demo.dashboard.screen.query_one(JsonArea)
        area.move_cursor(area.document.end)
        await demo.press("left", "left", "'\"")
        await demo.shows("✗ line")
        await demo.press("backspace", '\', "amount_eur": true')
        await demo.shows("✗ $.amount_eur: must be a number, not true or false")
        await demo.press(*["backspace"] * 4, "'12.5")
        await demo.shows("● fits")
        await demo.press("ctrl+s")
        await demo.go(8)
        await demo.shows("● succeeded", "fraud-scorer@4")
        (sent,) = (run for run in demo.system.every if run.is_fair)
        assert (sent.given["amount_eur"], sent.version, sent.status) == (12.5, "4", Status.SUCCEEDED)


async def test_a_load_is_sent_to_the_system() -> None:
    """It is seen in the queue; what it leaves there is canceled, and nothing else."""
    async with living() as demo:
        await demo.press("6")
        await demo.shows("< digits >")
        await demo.press("tab", "ctrl+a", "ctrl+k", "'60", "tab", "right", "S")
        pane = demo.dashboard.query_one(LoadPane)
        await wait_until(lambda: pane.shown_plan is not None)
        assert pane.shown_plan is not None
        await demo.go(12)
        await demo.shows("◐ running")
        others = demo.system.depth_of(Priority.LOW)
        await demo.press("x")
        await demo.go(2)
        await demo.shows("● ended after")
        left = demo.system.depth_of(Priority.NORMAL)
        await demo.press("X")
        await demo.go(1)
        assert demo.system.depth_of(Priority.NORMAL) < left
        assert demo.system.depth_of(Priority.LOW) >= others


async def test_its_stories_are_seen_in_the_first_minute() -> None:
    """Each on the screen that tells it, at once; and what a person did is in its past."""
    async with living() as demo:
        await demo.shows("■ low paused", "Worker 6700bc13b869 (node-4) was lost with 3 running.")
        await demo.press("3", "end")
        await demo.shows("it held 3: 3 succeeded", "What became of its predictions · 3")
        await demo.press("5")
        await demo.shows(
            "feature 'amount_eur' is missing", "no digit in this image", "the feature store at", "last good"
        )
        await demo.press("l")
        await demo.shows("● succeeded")
        await demo.press("escape")
        await demo.go(5)
        await demo.filter("status:queued priority:low")
        await demo.press("end", "x")
        await demo.shows("Canceled ")
        (canceled,) = demo.runs(Status.CANCELED)
        depth = demo.system.overview().queue.depth
        await demo.go(15)  # somebody sends a batch
        assert demo.system.overview().queue.depth > depth + 50
        await demo.press("4")
        await demo.shows("fraud-scorer@4")
        await demo.press("down", "down")
        await demo.shows("version 1 is ", "% faster", "version 1 fails less often")
        await demo.press("A")
        await demo.shows(f"09:02:35 ● Canceled {canceled.prediction_id[:8]}")
        await demo.press("escape", "2", "[", "[")
        await demo.shows("‖ 09:02:30 · 20 s ago")
        await demo.press("end")
        last = f"09:01:36  {canceled.prediction_id[:8]}"
        await wait_until(lambda: "○ queued" in screen_text(demo.dashboard).partition(last)[2].partition("\n")[0])


async def test_read_only_is_kept_to() -> None:
    """``--read-only --demo`` changes nothing, and says so."""
    async with living(read_only=True) as demo:
        for keys in (("2", "x"), ("2", "r"), ("P",), ("4", "T"), ("2", "enter", "e")):
            await demo.press(*keys)
            await demo.shows(READ_ONLY)
            await demo.press("escape")
        await demo.press("6")
        await demo.shows(READ_ONLY[:40])


def test_the_command_needs_nothing(tmp_path: Path) -> None:
    """No server, no settings, no directory of data; it says what it is and ends with q."""
    code = f"import os, sys; os.chdir({str(tmp_path)!r}); sys.argv[1:] = ['tui', '--demo']"
    terminal = Terminal(
        [sys.executable, "-c", f"{code}; from zypher_jobs.cli import main; main()"],
        environment=os.environ | {"PYTHONPATH": str(Path.cwd()), "XDG_CONFIG_HOME": str(tmp_path)},
    )
    try:
        terminal.wait(lambda text: "Needs attention" in text)
        terminal.wait(lambda text: "This is a demo" in text)
        terminal.type("q")
        assert terminal.wait_for_end() == 0
        assert list(tmp_path.iterdir()) == []
    finally:
        terminal.close()
