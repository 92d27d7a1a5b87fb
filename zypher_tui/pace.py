"""Frames no faster than the terminal takes them: one is on its way at most, what changes meanwhile is in the next.

Whether it was taken, the terminal itself is asked behind each frame (``CSI 6 n``, where is the cursor: every terminal
answers that, also at the other end of a slow line). Of one that never answers it is only known what the system's
buffer has taken.
"""
# ruff: noqa: SLF001
# pyright: reportPrivateUsage=false, reportUnknownMemberType=false
# Textual has no public way to what it draws, nor to what it writes

import asyncio
import select
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from rich.color import ColorSystem
from rich.console import RenderableType
from rich.control import Control
from textual import events
from textual._compositor import ChopsUpdate, CompositorUpdate, LayoutUpdate
from textual.app import App
from textual.driver import Driver
from textual.drivers.linux_driver import LinuxDriver
from textual.message import Message
from textual.screen import Screen

from zypher_tui.canvas import Canvas, Piece

T = TypeVar("T")

ASK = "\x1b[6n"
UNANSWERED = 5
"""After so many questions without any answer, none is asked."""
QUICK_S = 0.05
"""A terminal that answers within this is sent more without waiting."""
REST_S = 0.5
"""Longest rest between two frames: a line that was slow is found to be quick again within it."""
LOST_S = 30.0
"""An answer that takes longer does not come."""
LEAVE_S = 1.0
"""Longest wait for answers at the end: whoever has the terminal next would take them for something typed."""
LOOK_EVERY_S = 0.05
"""While a frame is owed."""
_SYNC = ("\x1b[?2026h", "\x1b[?2026l")


class PacedDriver(LinuxDriver):
    """Textual's, which knows whether the terminal has taken what it was sent."""

    taken: Callable[[], None] | None = None
    """Called from another thread when it has."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._unanswered = 0
        self._asked_s: deque[float] = deque()
        self._took_s = 0.0
        self._taken_at_s = 0.0
        self._answers = False
        self._all_taken = threading.Event()

    def show(self, frame: str) -> None:
        """Write a frame, and ask whether it was taken."""
        if self._answers or self._unanswered < UNANSWERED:
            self._unanswered += 1
            self._all_taken.clear()
            self._asked_s.append(time.monotonic())
            frame += ASK
        self.write(frame)

    @property
    def is_behind(self) -> bool:
        """Whether it still has something to take."""
        if self._writer_thread is None:
            return False
        oldest_s = self._asked_s[0] if self._answers and self._asked_s else None
        if oldest_s is not None:
            waited_s = time.monotonic() - oldest_s
            if waited_s < LOST_S:
                return not (self._took_s < QUICK_S and waited_s < QUICK_S)
            self._asked_s.clear()
        return self._writer_thread._queue.qsize() > 0 or not _has_room(self._writer_thread.fileno())

    @property
    def has_rested(self) -> bool:
        """Whether it had nothing to take for as long as it took the last frame, or long enough."""
        return self._took_s < QUICK_S or time.monotonic() - self._taken_at_s >= min(self._took_s, REST_S)

    def process_message(self, message: Message) -> None:
        """Its answer is for nobody else."""
        if not isinstance(message, events.CursorPosition):
            super().process_message(message)
            return
        self._answers, self._unanswered = True, 0
        if self._asked_s:
            self._taken_at_s = time.monotonic()
            self._took_s = self._taken_at_s - self._asked_s.popleft()
        if not self._asked_s:
            self._all_taken.set()
            if self.taken is not None:
                self.taken()

    def disable_input(self) -> None:
        """Hear what was asked first."""
        if self._answers and self._asked_s and not self.exit_event.is_set():
            self._all_taken.wait(LEAVE_S)
        super().disable_input()


def _has_room(descriptor: int) -> bool:
    """Whether the system would take more for the terminal."""
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    return bool(poll.poll(0))


class PacedApp(App[T]):
    """Draws only what changed, and owes a frame while the terminal has not taken the one before."""

    _canvas: Canvas | None = None
    _owes = False

    def get_driver_class(self) -> type[Driver]:
        """The one above on a terminal of its own."""
        found = super().get_driver_class()
        return PacedDriver if found is LinuxDriver else found

    @property
    def is_behind(self) -> bool:
        """Whether what would be drawn now had to wait."""
        return isinstance(self._driver, PacedDriver) and self._driver.is_behind

    @property
    def keeps_up(self) -> bool:
        """Whether it may draw what nobody asked for: some of a slow line's time is left free, for what a key does."""
        return not isinstance(self._driver, PacedDriver) or (not self._driver.is_behind and self._driver.has_rested)

    def action_redraw(self) -> None:
        """Write all of the screen again: another program wrote there."""
        if self._canvas is not None:
            self._canvas.forget()
        self.refresh(layout=True)

    def _display(self, screen: Screen[Any], renderable: RenderableType | None) -> None:
        driver = self._driver
        is_shown = self._running and not self._closed and not self._batch_count
        if not isinstance(driver, PacedDriver) or not isinstance(renderable, CompositorUpdate) or not is_shown:
            super()._display(screen, renderable)
        else:
            self._show(driver, renderable)
            self.post_display_hook()

    def _show(self, driver: PacedDriver, update: CompositorUpdate) -> None:
        if driver.is_behind:
            self._owe()
        elif frame := self._frame_of(update):
            if driver.taken is None:
                driver.taken = self._when_taken(asyncio.get_running_loop())
            driver.show(frame)

    def _owe(self) -> None:
        if not self._owes:
            self._owes = True
            self.set_timer(LOOK_EVERY_S, self._look_again)

    def _look_again(self) -> None:
        if self._owes and self.is_behind:
            self.set_timer(LOOK_EVERY_S, self._look_again)
        else:
            self._catch_up()

    def _catch_up(self) -> None:
        """Draw what is owed, as it is by now."""
        if self._owes and not self.is_behind and self._running and not self._batch_count:
            self._owes = False
            update = self.screen._compositor.render_update(full=True, screen_stack=self._background_screens)
            self._display(self.screen, update)

    def _when_taken(self, loop: asyncio.AbstractEventLoop) -> Callable[[], None]:
        def taken() -> None:
            if self._owes and not loop.is_closed():
                loop.call_soon_threadsafe(self._catch_up)

        return taken

    def _frame_of(self, update: CompositorUpdate) -> str:
        if self._canvas is None:
            self._canvas = Canvas(self.console._color_system or ColorSystem.TRUECOLOR)
        drawn = self._canvas.draw(self.size, _pieces(update))
        if not drawn:
            return ""
        cursor = Control.move_to(*self.screen.outer_size.clamp_offset(self.cursor_position)).segment.text
        begin, end = _SYNC if self._sync_available else ("", "")
        return f"{begin}{drawn}{cursor}{end}"


def _pieces(update: CompositorUpdate) -> Iterator[Piece]:
    """What Textual would write, and where."""
    if isinstance(update, LayoutUpdate):
        for y, strips in enumerate(update.strips, update.region.y):
            x = update.region.x
            for strip in strips:
                yield y, x, strip
                x += strip.cell_length
    elif isinstance(update, ChopsUpdate):
        for y, first, last in update.spans:
            for end, (x, strip) in zip(update.chop_ends[y], update.chops[y].items(), strict=False):
                if strip is not None and x <= last and end > first:
                    yield y, x, strip if x >= first and end <= last else strip.crop(0, min(end, last) - x)
