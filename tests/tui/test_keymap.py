"""Every key can be another one; a mistake stops the start and says what to do."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
from textual.binding import Binding

from tests.tui.screen import screen_text, told
from zypher_jobs.contracts.prediction import Status
from zypher_jobs.testing import wait_until
from zypher_tui.app import Dashboard
from zypher_tui.config import Config, WrongConfig, load_config
from zypher_tui.demo_states import demo_dashboard
from zypher_tui.keymap import actions, display, keymap
from zypher_tui.opening import keys_as_file
from zypher_tui.screens.pane import Opened
from zypher_tui.screens.predictions import PredictionsPane
from zypher_tui.widgets.predictions import PredictionTable


@pytest.fixture(autouse=True)
def usual_keys() -> Iterator[None]:
    """What a test chose is chosen for itself only."""
    yield
    keymap.use(None)


def config_of(directory: Path, keys: str) -> Config:
    """A file with these lines below ``[keys]``."""
    path = directory / "dashboard.toml"
    path.write_text(f"[keys]\n{keys}", encoding="utf-8")
    return load_config(path)


def dashboard_with(directory: Path, keys: str) -> Dashboard:
    """The demo, with these keys."""
    dashboard = demo_dashboard("live")
    keymap.use(config_of(directory, keys))
    dashboard.set_keymap(keymap.for_textual)
    return dashboard


def test_every_action_has_a_name_and_says_what_it_does() -> None:
    """A name is for a file: lower case, digits and hyphens; no two actions of one class share a key.

    But for those of which one is there at a time: what waits is retried by the key that replays what ended.
    """
    never_both = {("replay", "retry-now"), ("replay-them-all", "retry-them-all-now")}
    for name, action in actions().items():
        assert name.replace("-", "").isalnum()
        assert name == name.lower()
        assert action.says
    for owner in {owner for action in actions().values() for owner in action.owners}:
        bindings = [binding for binding in owner.BINDINGS if isinstance(binding, Binding)]
        pairs = itertools.combinations(bindings, 2)
        assert {(one.id, other.id) for one, other in pairs if one.key == other.key} <= never_both, owner


def test_what_is_printed_is_a_file_that_changes_nothing(tmp_path: Path) -> None:
    """All keys as they are, read back; and those that were chosen are printed as chosen."""
    path = tmp_path / "dashboard.toml"
    path.write_text(keys_as_file(Config(path=path)), encoding="utf-8")
    keymap.use(load_config(path))
    assert {name: keymap.keys_of(action) for name, action in actions().items()} == {
        name: action.keys for name, action in actions().items()
    }
    chosen = config_of(tmp_path, 'help = ["f1", "?"]\n')
    assert 'help = ["f1", "?"]' in keys_as_file(chosen)
    assert 'quit = ["q"]' in keys_as_file(chosen)


async def test_sentences_name_the_keys_that_were_chosen(tmp_path: Path) -> None:
    """The way back from the past, and what copies the example."""
    dashboard = dashboard_with(tmp_path, 'pause = ["z"]\n')
    async with dashboard.run_test(size=(120, 36), notifications=True) as pilot:
        await wait_until(lambda: dashboard.feeds.is_reading)
        await pilot.press("4", "z", "T")
        await wait_until(lambda: "Press z to come back to now." in " ".join(told(dashboard)))
    empty = demo_dashboard("empty")
    keymap.use(config_of(tmp_path, 'copy = ["Y"]\n'))
    async with empty.run_test(size=(120, 36)) as pilot:
        await pilot.press("2")
        await wait_until(lambda: "Send one (press Y to copy)" in screen_text(empty))
    failed = dashboard_with(tmp_path, 'same-error = ["z"]\nfold = ["F"]\nbefore = ["v"]\n')
    async with failed.run_test(size=(120, 36)):
        await wait_until(lambda: failed.feeds.is_reading)
        row = next(row for row in failed.view.rows if row.status is Status.FAILED)
        failed.post_message(Opened(row.prediction_id))
        await wait_until(lambda: "(z shows them)" in screen_text(failed))
        assert "n v next" in screen_text(failed)


async def test_a_chosen_key_does_it_and_the_old_one_does_not(tmp_path: Path) -> None:
    """On a pane, in a table and everywhere; the last line shows the keys that work."""
    keys = 'time-span = ["z"]\ndown = ["n"]\npause = ["Y", "f4"]\nquit = "ctrl+x"\n10-s-back = [","]\n'
    dashboard = dashboard_with(tmp_path, keys)
    async with dashboard.run_test(size=(120, 36)) as pilot:
        await pilot.pause()
        assert " ^x quit " in screen_text(dashboard)
        assert " z span " in screen_text(dashboard)
        assert " , ] time " in screen_text(dashboard)
        assert "last 1m04s" in screen_text(dashboard)
        await pilot.press("t", "p", "down")
        await pilot.pause()
        assert "last 1m04s" in screen_text(dashboard)
        assert "‖" not in screen_text(dashboard)
        table = dashboard.query_one("#feed", PredictionTable)
        assert table.selected == dashboard.view.rows[0]
        await pilot.press("z", "n", "Y")
        await pilot.pause()
        assert "last 1m04s" not in screen_text(dashboard)
        assert "‖" in screen_text(dashboard)
        assert " Y now" in screen_text(dashboard)
        assert table.selected == dashboard.view.rows[1]
        await pilot.press("f4", "q")
        await pilot.pause()
        assert "‖" not in screen_text(dashboard)
        await pilot.press("ctrl+x")
    assert dashboard.return_value == 0


async def test_two_keys_change_places(tmp_path: Path) -> None:
    """Each gets the other's."""
    dashboard = dashboard_with(tmp_path, 'pause = ["/"]\nfilter = ["p"]\n')
    async with dashboard.run_test(size=(120, 36)) as pilot:
        await pilot.press("p")
        await pilot.pause()
        assert "Filter ·" in screen_text(dashboard)
        await pilot.press("escape", "slash")
        await pilot.pause()
        assert "‖" in screen_text(dashboard)


async def test_ctrl_c_always_leaves(tmp_path: Path) -> None:
    """Whatever the file says."""
    dashboard = dashboard_with(tmp_path, 'quit = ["f10"]\n')
    async with dashboard.run_test() as pilot:
        await pilot.press("ctrl+c")
    assert dashboard.return_value == 0


@pytest.mark.parametrize(
    ("keys", "parts"),
    [
        ('pouse = ["x"]', ("line 2", "pouse is not an action", "Did you mean pause?")),
        ('\nxyzzy = ["x"]', ("line 3", "zypher tui --keys")),
        ('quit = ["x"]\npause = ["ctrl+"]', ("line 3", "'ctrl+' is not a key")),
        ('pause = ["pgeup"]', ("line 2", "'pgeup' is not a key", "Did you mean pageup?")),
        ('pause = ["crtl+x"]', ("line 2", "'crtl+x' is not a key")),
        ('pause = [""]', ("line 2", "'' is not a key")),
        ("pause = []", ("line 2", "pause has no key")),
        ("pause = 3", ("line 2", "takes a list of keys")),
        ("pause = [3]", ("line 2", "takes a list of keys")),
        ('pause = ["q"]', ("line 2", "q would do two things on one screen: pause and quit")),
        ('pause = ["t"]', ("line 2", "t would do two things on one screen: pause and time-span")),
        ('pause = ["x"]\nhelp = ["x"]', ("line 2", "pause and help")),
        ('mark = ["j"]', ("line 2", "mark and down")),
    ],
)
def test_a_mistake_stops_the_start(keys: str, parts: tuple[str, ...], tmp_path: Path) -> None:
    """With the file, the line and the way out."""
    with pytest.raises(WrongConfig) as said:
        keymap.use(config_of(tmp_path, keys))
    assert [part for part in (str(tmp_path), *parts) if part not in said.value.message] == []


def test_keys_of_two_screens_may_be_the_same(tmp_path: Path) -> None:
    """Only one of them is open."""
    keymap.use(config_of(tmp_path, 'mark = ["t"]\n'))
    assert keymap.shown("space", PredictionsPane) == "t"


def test_a_key_is_written_as_it_is_shown() -> None:
    """Short, and as on the keyboard."""
    shown = {"question_mark": "?", "ctrl+t": "^t", "enter": "⏎", "pageup": "pgup", "G": "G", "ctrl+shift+a": "shift+^a"}
    assert {key: display(key) for key in shown} == shown


def test_the_example_of_the_documentation_is_accepted(tmp_path: Path) -> None:
    """As it stands there, also when keys are added."""
    documented = Path("docs/dashboard.md").read_text(encoding="utf-8").split("```toml\n")[1].split("```")[0]
    path = tmp_path / "dashboard.toml"
    path.write_text(documented, encoding="utf-8")
    keymap.use(load_config(path))
    assert keymap.keys_of(actions()["pause"]) == ("f4", "z")
