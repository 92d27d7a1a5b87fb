"""The screen of the dashboard: the open pane, and the lines around it."""

from collections.abc import Callable, Sequence

from textual.app import ComposeResult
from textual.screen import Screen
from textual.widgets import ContentSwitcher

from zypher_tui.core.times import Span
from zypher_tui.core.troubles import Trouble
from zypher_tui.core.view import View
from zypher_tui.panes import Panes
from zypher_tui.widgets.header import Header, Mark, Notice
from zypher_tui.widgets.keys import KeyLine
from zypher_tui.widgets.small import TooSmall
from zypher_tui.widgets.tabs import TabLine
from zypher_tui.widgets.time_bar import TimeBar
from zypher_tui.widgets.troubles import TroublePanel


class Shell(Screen[None]):
    """Everything that is seen while neither a prediction nor a dialog is open."""

    def __init__(self, panes: Panes, *, draw: Callable[[], None]) -> None:
        """``draw`` is called when there is something to draw on."""
        super().__init__(id="shell")
        self.header = Header(id="header")
        self._panes = panes
        self._draw = draw
        self._tab_line = TabLine(id="tabs")
        self._notice_line = Notice(id="notice")
        self._time_bar = TimeBar(id="time")
        self._switcher = ContentSwitcher(*panes.all, initial=panes.shown.id, id="panes")
        self._trouble_panel = TroublePanel(id="troubles")
        self._key_line = KeyLine(id="keys")

    def compose(self) -> ComposeResult:
        """Header, tabs, notice, time, the open pane, keys."""
        yield TooSmall(id="small")
        yield self.header
        yield self._tab_line
        yield self._notice_line
        yield self._time_bar
        yield self._switcher
        yield self._trouble_panel
        yield self._key_line

    def on_mount(self) -> None:
        """Have something that hears keys, and something to see in the first frame."""
        self.show_pane()
        self._draw()

    def show(self, view: View, span: Span, *, mark: Mark | None, troubles: Sequence[Trouble] | None) -> None:
        """Draw what changed. ``troubles`` stand instead of the pane; ``None``: there is something to show on that."""
        self.header.show(view, mark)
        self._show_troubles(troubles)
        self._notice_line.show(view, is_told=troubles is not None)
        self._time_bar.show(view, span)
        self._tab_line.show([(pane.TITLE, pane.count(view)) for pane in self._panes.all], self._panes.index)
        self.set_class(view.stale_s is not None, "-stale")
        self._panes.shown.show_view(view)

    def show_pane(self) -> None:
        """The open one is another: it has the place, the keys of the last line, and the focus."""
        pane = self._panes.shown
        self._switcher.current = pane.id
        if self.has_class("-blank"):
            self._key_line.show((), type(pane))
            self.set_focus(self._trouble_panel)
            return
        self._key_line.show(pane.KEYS, type(pane))
        if pane.first is not None:  # at once, not when its turn comes as by ``focus()``: the next key is its
            self.set_focus(pane.first)

    def _show_troubles(self, troubles: Sequence[Trouble] | None) -> None:
        if troubles is not None:
            self._trouble_panel.show_troubles(troubles)
        is_blank = troubles is not None
        if is_blank != self.has_class("-blank"):
            self.set_class(is_blank, "-blank")
            self.show_pane()
