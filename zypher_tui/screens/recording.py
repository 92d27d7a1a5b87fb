"""Asks what is to be recorded: into which file, from when on, until when, and whether inputs and outputs are in it."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from zypher_jobs.errors import StartError
from zypher_tui.core import cells, formats
from zypher_tui.core.cleaning import clean
from zypher_tui.core.known import EVER
from zypher_tui.core.store import Store
from zypher_tui.keymap import Help, Keyed, keymap
from zypher_tui.palette import palette
from zypher_tui.saving import Wanted
from zypher_tui.sources.recording_file import RecordingThere
from zypher_tui.widgets.choice import Choice
from zypher_tui.widgets.dialogs import Lines
from zypher_tui.widgets.drawing import Part, entitle

ALL, NOW = "all that is known", "now"
BACK_S = {ALL: float("inf"), "an hour ago": 3600.0, "a quarter of an hour ago": 900.0, NOW: 0.0}
THERE, ON = "now: save what is known", "this key again"
WITH, WITHOUT = "as lists show them", "left out"
REFUSE, OVERWRITE = "ask again", "overwrite it"
ROW_BYTES = 110
FRAME_BYTES = 420
"""What a prediction and a frame take in a file, more or less."""


def default_name(at: datetime) -> str:
    """With the time in it, so that none is overwritten and all stand in order."""
    return f"zypher-{at:%Y%m%d-%H%M%S}.zyr"


class RecordScreen(Keyed, ModalScreen[None]):
    """Lies over the dashboard until it is begun, or left."""

    ABOUT = Help(
        "A recording",
        "What this dashboard shows, as a file that shows it anywhere: with what it knows already of the last hours.",
        (
            ("begin", "An incident is mostly noticed after it began: what is known of before is in the file too"),
            ("inputs", "What lists show of them; messages of errors stay, and may quote one"),
        ),
    )
    PLACE = "before a recording"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "begin", "Begin the recording", priority=True),
        Binding("escape", "leave", "Record nothing", priority=True),
        Binding("up", "app.focus_previous", "Field before", show=False),
        Binding("down", "app.focus_next", "Next field", show=False),
        Binding("ctrl+c", "app.quit", show=False, priority=True, system=True),
    ]

    def __init__(self, store: Store, *, now_s: float, begin: Callable[[Wanted], None]) -> None:
        """``begin`` raises ``StartError``."""
        super().__init__()
        self._store = store
        self._now_s = now_s
        self._begin = begin
        self._directory = Path.cwd()
        self._wrong = ""
        name = default_name(datetime.now().astimezone())
        self._file = Input(name, id="record-file", compact=True, select_on_focus=False)
        self._choices = {
            "begin": Choice(id="record-begin", choices=self._begins(), value=self._begins()[0]),
            "until": Choice(id="record-until", choices=[ON, THERE], value=ON),
            "inputs": Choice(id="record-inputs", choices=[WITH, WITHOUT], value=WITH),
            "if it exists": Choice(id="record-exists", choices=[REFUSE, OVERWRITE], value=REFUSE),
        }
        self._lines = Lines(id="record-lines")
        self._lines.can_focus = False

    def compose(self) -> ComposeResult:
        """The fields, and what will be in the file."""
        with Container(id="record-box") as box:
            entitle(box, "Record an incident")
            entitle(box, "enter begins · esc leaves · ↓ next field", below=True)
            with Container(id="record-fields"):
                yield Static("file", markup=False)
                yield self._file
                for label, choice in self._choices.items():
                    yield Static(label, markup=False)
                    yield choice
            yield self._lines

    def on_mount(self) -> None:
        """Begin with the name."""
        self._file.focus()
        self.call_after_refresh(self._show)

    def on_resize(self) -> None:
        """Break the lines anew."""
        self.call_after_refresh(self._show)

    @on(Input.Changed)
    @on(Choice.Changed)
    def take_in(self, message: Input.Changed | Choice.Changed) -> None:
        """Say what will be in it."""
        message.stop()
        self._wrong = ""
        self._show()

    def action_leave(self) -> None:
        """Record nothing."""
        self.dismiss()

    def action_begin(self) -> None:
        """Begin, or say why it cannot."""
        chosen = {name: choice.value for name, choice in self._choices.items()}
        if not self._file.value.strip():
            self._refuse("A recording needs a name.", "record-file")
            return
        if (chosen["begin"], chosen["until"]) == (NOW, THERE):
            self._refuse("From now until now there is nothing; let it begin earlier, or go on.", "record-begin")
            return
        wanted = Wanted(
            path=self._directory / Path(self._file.value.strip()).expanduser(),
            since_s=self._since_s,
            goes_on=chosen["until"] == ON,
            previews=chosen["inputs"] == WITH,
            overwrite=chosen["if it exists"] == OVERWRITE,
        )
        try:
            self._begin(wanted)
        except RecordingThere:
            name = clean(self._file.value.strip())
            self._refuse(f"{name} exists already: choose another name, or overwrite it below.", "record-file")
        except (StartError, ValueError) as error:
            self._refuse(clean(str(error)), "record-file")
        else:
            self.dismiss()

    def _refuse(self, why: str, field: str) -> None:
        self._wrong = why
        self.query_one(f"#{field}").focus()
        self._show()

    def _begins(self) -> list[str]:
        """Only times of which something is known."""
        first_s = self._store.timeline.first_s
        known_s = 0.0 if first_s is None else self._now_s - first_s
        return [name for name, back_s in BACK_S.items() if name in (ALL, NOW) or back_s < known_s]

    @property
    def _since_s(self) -> float | None:
        """On the dashboard's clock; ``None``: now."""
        begin = self._choices["begin"].value
        if begin == NOW:
            return None
        return EVER if begin == ALL else self._now_s - BACK_S[begin]

    def _show(self) -> None:
        width = max(self._lines.size.width - 2, 10)
        lines: list[list[Part]] = [[(f" {text}", palette.DIM)] for text in cells.wrap(self._says(), width)]
        if self._wrong:
            lines += [[(f" {text}", palette.WARNING)] for text in cells.wrap(f"▲ {self._wrong}", width)]
        self._lines.show(lines)

    def _says(self) -> str:
        since_s, view = self._since_s, self._store.view(self._now_s)
        said = "It begins now"
        if since_s is not None:
            times = self._store.timeline.times(since_s, self._now_s)
            begins_s = times[0] if times else self._now_s
            before_ms = 0 if since_s == EVER else view.now_ms - round(1000 * (self._now_s - since_s))
            count = len(self._store.book) - self._store.book.until(before_ms)  # those that ran then are few
            size = formats.size_bytes(count * ROW_BYTES + len(times) * FRAME_BYTES)
            said = (
                f"It begins {formats.age_s(self._now_s - begins_s)} ago, with {formats.count(count)} predictions: "
                f"about {size}"
            )
        if self._choices["until"].value == ON:
            said += f", and goes on until {keymap.shown('W')} is pressed again"
        return f"{said}. Only you can read the file. Directory: {clean(str(self._directory))}"
