"""A field that is one of a few."""

from collections.abc import Sequence
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.strip import Strip

from zypher_tui.core import cells
from zypher_tui.palette import palette
from zypher_tui.widgets.drawing import LineWidget, line


class Choice(LineWidget, can_focus=True):
    """One of a few, changed with the arrows, a space or a click."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("right,space", "turn(1)", "Next choice", show=False),
        Binding("left", "turn(-1)", "Choice before", show=False),
    ]
    PLACE = "a choice"

    class Changed(Message):
        """Another one."""

    def __init__(self, *, id: str, choices: Sequence[str], value: str) -> None:  # noqa: A002  # Textual's name
        super().__init__(id=id)
        self._choices = choices
        self.value = value

    def offer(self, choices: Sequence[str]) -> None:
        """What there is to choose; the choice stays where it can."""
        self._choices = choices
        if self.value not in choices:
            self.value = choices[0] if choices else ""
            self.post_message(self.Changed())
        self.refresh()

    def action_turn(self, step: int) -> None:
        """The next one, or the one before."""
        if self._choices and not self.is_disabled:
            at = self._choices.index(self.value) if self.value in self._choices else -1
            self.value = self._choices[(at + step) % len(self._choices)]
            self.post_message(self.Changed())
            self.refresh()

    def on_click(self, event: events.Click) -> None:
        """The left arrow is the one before."""
        self.focus()
        self.action_turn(-1 if event.x < 2 else 1)

    def line_at(self, y: int) -> Strip:  # noqa: ARG002  # there is only one
        """``< constant >``."""
        width = self.size.width
        style = palette.DIM if self.is_disabled else palette.STRONG if self.has_focus else palette.PLAIN
        arrows = palette.BRAND if self.has_focus else palette.DIM
        said = cells.cut(self.value or "…", width - 4)
        return line([("< ", arrows), (said, style), (" >", arrows)], width)
