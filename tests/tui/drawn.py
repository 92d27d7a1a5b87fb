"""One widget alone on a screen."""
# pyright: reportPrivateUsage=false
# Textual has no public way to the lines that it writes to the terminal

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import TypeVar

from textual.app import App, ComposeResult
from textual.message import Message
from textual.pilot import Pilot
from textual.widget import Widget

from zypher_tui.core import cells

MessageT = TypeVar("MessageT", bound=Message)


class Alone(App[None]):
    """The widget, as large as the screen, and the messages that it sent."""

    CSS = "Screen { background: #0b0f14; } Widget { width: 100%; height: 100%; }"

    def __init__(self, widget: Widget) -> None:
        super().__init__()
        self.widget = widget
        self.heard: list[Message] = []

    def compose(self) -> ComposeResult:
        """Only the widget."""
        yield self.widget

    def on_mount(self) -> None:
        """Keys go to it."""
        self.widget.focus()

    def sent(self, kind: type[MessageT]) -> list[MessageT]:
        """The messages of that kind, in order; one that bubbles is heard by each above."""
        return list(dict.fromkeys(each for each in self.heard if isinstance(each, kind)))

    @property
    def lines(self) -> list[str]:
        """What stands on the screen, padded to its width."""
        return [strip.text for strip in self.screen._compositor.render_strips()]

    @property
    def text(self) -> str:
        """All lines, without the spaces at their ends."""
        return "\n".join(line.rstrip() for line in self.lines)

    def check_widths(self) -> None:
        """Every line is as wide as the screen, in cells, and nothing is drawn across its edge."""
        assert len(self.lines) == self.size.height
        for line in self.lines:
            assert cells.width(line) == self.size.width, line


@asynccontextmanager
async def alone(widget: Widget, size: tuple[int, int]) -> AsyncGenerator[tuple[Alone, Pilot[None]]]:
    """A running app with the widget, and a pilot for its keys; its messages are in ``sent``."""
    app = Alone(widget)
    async with app.run_test(size=size, message_hook=app.heard.append) as pilot:
        await pilot.pause()
        yield app, pilot
