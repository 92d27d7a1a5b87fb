"""An input is edited, checked while it is, and sent."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.screen import ModalScreen
from textual.strip import Strip
from textual.timer import Timer

from zypher_tui.core import cells
from zypher_tui.core.fitting import Misfit, misfit
from zypher_tui.core.values import Draft, plain_json
from zypher_tui.keymap import Help, Keyed
from zypher_tui.palette import palette
from zypher_tui.sources.source import Intake, Refused, SourceAway
from zypher_tui.widgets.drawing import LineWidget, Part, entitle, line

CHECK_AFTER_S = 0.15
"""Since the last key."""
MOST_CHARS = 100_000
"""Of an input that is edited here."""
LINES = 2

Send = Callable[[str, Intake | None], Awaitable[str]]
"""Takes the JSON; returns the new prediction's id, or raises ``Refused`` or ``SourceAway``."""


class EditScreen(Keyed, ModalScreen[str | None]):
    """Lies over a prediction; is left with the id of the one that was sent, or with nothing."""

    ABOUT = Help(
        "An input",
        "JSON, checked against what the model takes while it is typed. What is pasted is made harmless.",
    )
    PLACE = "the editor of an input"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "send", "Send", priority=True),
        Binding("escape", "drop", "Drop the edit"),
        Binding("ctrl+c", "app.quit", show=False, priority=True, system=True),
    ]

    def __init__(self, draft: Draft, *, title: str, intake: Callable[[], Awaitable[Intake]], send: Send) -> None:
        super().__init__()
        self._draft = draft
        self._title = title
        self._read_intake = intake
        self._send = send
        self._intake: Intake | None = None
        self._is_sending = False
        self._is_leaving = False
        self._due: Timer | None = None
        from zypher_tui.widgets.json_area import JsonArea  # noqa: PLC0415  # takes 3 MiB, and few ever edit

        self._area = JsonArea(draft.text, id="edit-area", show_line_numbers=True)
        self._said = _Said(id="edit-said")

    def compose(self) -> ComposeResult:
        """The text, and below it what is wrong with it."""
        entitle(self._area, self._title)
        entitle(self._area, "ctrl+s sends · esc drops", below=True)
        with Container(id="edit-box"):
            yield self._area
            yield self._said

    def on_mount(self) -> None:
        """Ask what the model takes."""
        self._area.focus()
        self._said.show("◌ reading what the model takes…", is_bad=False)
        self.run_worker(self._learn, exit_on_error=False)

    def on_text_area_changed(self) -> None:
        """Check it once no key is pressed."""
        self._is_leaving = False
        if self._due is not None:
            self._due.stop()
        self._due = self.set_timer(CHECK_AFTER_S, self._start_check)

    def action_drop(self) -> None:
        """Leave; a second time, if something was changed."""
        if self._area.text != self._draft.text and not self._is_leaving:
            self._is_leaving = True
            self._said.show("▲ It was changed: esc again drops that, ctrl+s sends it.", is_bad=True)
            return
        self.dismiss(None)

    def action_send(self) -> None:
        """Send it, if it fits."""
        if not self._is_sending:
            self._is_sending = True
            self.run_worker(self._send_it, group="send", exit_on_error=False)

    def _start_check(self) -> None:
        self.run_worker(self._check, group="check", exclusive=True, exit_on_error=False)

    async def _learn(self) -> None:
        try:
            self._intake = await self._read_intake()
        except SourceAway as error:
            self._said.show(f"▲ What the model takes cannot be read ({error}); the server checks it.", is_bad=False)
            return
        await self._check()

    async def _check(self) -> Misfit | None:
        wrong = await self._wrong()
        if wrong is not None:
            self._said.show(f"✗ {wrong.sentence}", is_bad=True)
        else:
            named = "; what stands in <…> is sent as it was" if self._draft.kept else ""
            self._said.show(f"● {'fits' if self._schema else 'is JSON'}{named}", is_bad=False)
        return wrong

    async def _wrong(self) -> Misfit | None:
        return await asyncio.to_thread(misfit, self._area.text, self._schema, self._draft)

    @property
    def _schema(self) -> Mapping[str, Any]:
        return self._intake.schema if self._intake else {}

    async def _send_it(self) -> None:
        try:
            if await self._check() is not None:
                return
            self._said.show("◐ sending…", is_bad=False)
            value = self._draft.value_of(json.loads(self._area.text))
            self.dismiss(await self._send(plain_json(value), self._intake))
        except Refused as error:
            self._said.show(f"✗ It was refused: {error}", is_bad=True)
        except SourceAway as error:
            self._said.show(
                f"✗ The API is away ({error}): look whether it came there before you send it again.", is_bad=True
            )
        finally:
            self._is_sending = False


class _Said(LineWidget):
    """Whether it fits, in ``LINES`` lines."""

    def __init__(self, *, id: str) -> None:  # noqa: A002  # Textual's name
        super().__init__(id=id)
        self._sentence = ""
        self._is_bad = False

    def show(self, sentence: str, *, is_bad: bool) -> None:
        """Say it."""
        self._sentence, self._is_bad = sentence, is_bad
        self.refresh()

    def line_at(self, y: int) -> Strip:
        """A line of it."""
        width = self.size.width
        lines = cells.wrap(self._sentence, max(width - 2, 8))
        if len(lines) > LINES:
            lines = [*lines[: LINES - 1], cells.cut(lines[LINES - 1] + " …", width - 2)]
        style = palette.ERROR if self._is_bad else palette.PLAIN
        parts: list[Part] = [(f" {lines[y]}", style)] if y < len(lines) else []
        return line(parts, width)
