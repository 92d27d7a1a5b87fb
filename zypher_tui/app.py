"""The dashboard: what the sources bring folds into the store, and the pane on the screen shows its view."""

import asyncio
import contextlib
import gc
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen
from textual.widgets import ContentSwitcher

from zypher_tui.commands import commands_for
from zypher_tui.config import Config, keep_columns, keep_theme
from zypher_tui.core import formats
from zypher_tui.core.choosing import USUAL
from zypher_tui.core.cleaning import clean
from zypher_tui.core.filters import parse
from zypher_tui.core.items import Screen
from zypher_tui.core.readings import SourceName
from zypher_tui.core.store import Store
from zypher_tui.core.troubles import Addresses, Trouble, troubles_of
from zypher_tui.core.view import Link, View
from zypher_tui.deeds import Deeds
from zypher_tui.feeds import INTERVAL_S, Feeds, Opener
from zypher_tui.keymap import Keyed, keymap
from zypher_tui.load.desk import ClosedDesk, Desk
from zypher_tui.pace import PacedApp
from zypher_tui.palette import palette
from zypher_tui.panes import Panes
from zypher_tui.recordist import Recordist
from zypher_tui.screens.asked import Acted, Asked, QueueAsked
from zypher_tui.screens.jumping import JumpScreen, leaps
from zypher_tui.screens.load import LoadPane
from zypher_tui.screens.pane import Copied, Filtered, Led, Opened, Pane
from zypher_tui.screens.prediction import PredictionScreen
from zypher_tui.screens.predictions import ColumnsChosen, PredictionsPane
from zypher_tui.sources.operator import Operator
from zypher_tui.sources.source import READ_ONLY
from zypher_tui.terminal import end_with_terminal, end_within
from zypher_tui.textual_theme import textual_theme, variables_of
from zypher_tui.themes import DARK, NONE, THEMES, Theme
from zypher_tui.typed_ahead import KeysInOrder
from zypher_tui.widgets.commands import Command, CommandDialog
from zypher_tui.widgets.dialogs import Dialog
from zypher_tui.widgets.header import Header, Notice
from zypher_tui.widgets.help import HelpDialog
from zypher_tui.widgets.keys import KeyLine
from zypher_tui.widgets.predictions import PredictionTable, curl
from zypher_tui.widgets.small import LEAST_COLUMNS, LEAST_ROWS, TooSmall
from zypher_tui.widgets.table import Table
from zypher_tui.widgets.tabs import TabLine
from zypher_tui.widgets.time_bar import TimeBar
from zypher_tui.widgets.troubles import TroubleDialog, TroublePanel, command_of

TERMINATE_S = 5.0
"""After SIGTERM, for what takes its time at the end."""
LEAVE_S = 1.0
"""At the end, for what is being asked to be given up."""
CONNECTING_S = 1.0
"""Before that, an empty screen says enough: most answer sooner."""
FRAME_S = 0.5
"""Least time between two frames; what comes in meanwhile is drawn together."""
NO_DESK = "Nothing can be sent from here: this dashboard only shows what was seen."


class Dashboard(Keyed, KeysInOrder, PacedApp[int]):
    """``openers`` make the sources; they run in a thread after the first frame, for their imports are slow."""

    CSS_PATH = "dashboard.tcss"
    TITLE = "Zypher"
    ENABLE_COMMAND_PALETTE = False
    HORIZONTAL_BREAKPOINTS = [(0, "-slim"), (LEAST_COLUMNS, "-narrow"), (160, "-wide")]  # noqa: RUF012  # as Textual types it
    VERTICAL_BREAKPOINTS = [(0, "-flat"), (LEAST_ROWS, "-short"), (30, "-tall"), (50, "-vast")]  # noqa: RUF012
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q", "quit", "Quit"),
        Binding("ctrl+c", "quit", show=False, priority=True, system=True),
        Binding("question_mark", "help", "Help", key_display="?"),
        *[Binding(str(number), f"open_pane({number - 1})", f"Screen {number}") for number in range(1, 7)],
        Binding("p", "pause", "Pause"),
        Binding("left_square_bracket", "step(-10)", "10 s back", key_display="["),
        Binding("right_square_bracket", "step(10)", "10 s on", key_display="]"),
        Binding("left_curly_bracket", "step(-300)", "5 min back", key_display="{"),
        Binding("right_curly_bracket", "step(300)", "5 min on", key_display="}"),
        Binding("left_parenthesis", "trouble(-1)", "Trouble before", key_display="("),
        Binding("right_parenthesis", "trouble(1)", "Next trouble", key_display=")"),
        Binding("ctrl+home", "bound(-1)", "Begin of what is known"),
        Binding("ctrl+end", "bound(1)", "End of what is known"),
        Binding("tab", "app.focus_next", "Next table", key_display="tab"),
        Binding("enter", "details", "Details", key_display="⏎"),
        Binding("c", "copy", "Copy"),
        Binding("slash", "filter", "Filter", key_display="/"),
        Binding("colon,ctrl+k", "commands", "Commands", key_display=":"),
        Binding("ctrl+o", "jump", "Jump", key_display="^o"),
        Binding("P", "queues", "Pause, purge a queue"),
        Binding("A", "deeds", "Last actions"),
        Binding("W", "record", "Record, or end the recording"),
        Binding("exclamation_mark", "troubles", "What is wrong", key_display="!"),
        Binding("ctrl+l", "redraw", "Draw all again", key_display="^l"),
        Binding("ctrl+t", "next_theme", "Next theme", key_display="^t"),
    ]

    def __init__(
        self,
        openers: Mapping[SourceName, Opener],
        *,
        api_url: str,
        store: Store | None = None,
        interval_s: float = INTERVAL_S,
        clock_s: Callable[[], float] = time.monotonic,
        config: Config | None = None,
        theme: Theme = DARK,
        desk: Desk | None = None,
        operator: Callable[[], Operator] | None = None,
        read_only: bool = False,
        closed: str = "",
        addresses: Addresses | None = None,
    ) -> None:
        """``theme`` is what it begins with; ``NO_COLOR`` has no colours, whatever it says. ``desk`` starts loads.

        ``operator`` makes what acts; without one nothing can be changed from here. ``closed`` is why, as a sentence,
        whatever is shown.
        """
        no_color = bool(os.environ.get("NO_COLOR"))
        super().__init__(ansi_color=True if no_color else None)
        self.animation_level = "none"  # a page down is there at once, and a slow link gets no frames on the way
        for each in THEMES.values():
            self.register_theme(textual_theme(each))
        self.use_theme(NONE if no_color else theme)
        self._config = config
        keymap.use(config)
        self.set_keymap(keymap.for_textual)
        self.store = store or Store(expected=openers)
        self.feeds = Feeds(
            openers,
            self.store,
            changed=self._note_change,
            interval_s=interval_s,
            clock_s=clock_s,
        )
        self._why_closed = READ_ONLY if read_only else closed
        self.deeds = Deeds(self, operator, closed=self._why_closed, view=lambda: self.view, changed=self._take_in)
        self.recordist = Recordist(self, self.store, clock_s=clock_s, changed=self._note_change)
        self._api_url = clean(api_url)
        self.addresses = addresses or Addresses(api_url=self._api_url)
        self._interval_s = interval_s
        self._clock_s = clock_s
        self.began_s = clock_s()
        self._changed = True
        self._drawn_at_s = float("-inf")
        self._has_drawn_figures = False
        self._has_process = False
        """Whether nothing else runs in this process."""
        self._at_s: float | None = None
        """The time in the past that is shown."""
        self._header_line = Header(id="header")
        self._tab_line = TabLine(id="tabs")
        self._notice_line = Notice(id="notice")
        self._time_bar = TimeBar(id="time")
        self._trouble_panel = TroublePanel(id="troubles")
        self._key_line = KeyLine(id="keys")
        chosen = config.columns if config else None
        self.panes = Panes(
            self.feeds,
            self.store,
            api_url=self._api_url,
            columns=chosen or USUAL,
            closed=self._why_closed,
            desk=desk or ClosedDesk(self._why_closed or NO_DESK),
            clock_s=clock_s,
            changed=self._note_change,
        )

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """What ``dashboard.tcss`` needs before a theme is chosen."""
        return variables_of(DARK)

    def use_theme(self, theme: Theme) -> None:
        """Draw everything in these colours."""
        palette.use(theme)
        self.theme = textual_theme(theme).name
        if self.is_running:
            self._draw()
            for screen in self.screen_stack:
                if isinstance(screen, Dialog):
                    screen.fill()
                for widget in screen.walk_children():
                    widget.refresh()

    def compose(self) -> ComposeResult:
        """Header, tabs, notice, time, the open pane, keys."""
        yield TooSmall(id="small")
        yield self._header_line
        yield self._tab_line
        yield self._notice_line
        yield self._time_bar
        with ContentSwitcher(initial=self.pane.id, id="panes"):
            yield from self.panes.all
        yield self._trouble_panel
        yield self._key_line

    def on_mount(self) -> None:
        """Begin to ask, and to draw."""
        self._set_breakpoints()
        self._show_pane()
        with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):  # not in the main thread: a test
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, self._terminate)
        self._draw()
        self.set_interval(self.frame_s, self._frame)
        for name, loop in self.feeds.loops().items():
            self.run_worker(loop(), name=name, exit_on_error=False)

    def _set_breakpoints(self) -> None:
        """Textual sets these classes with the first resize, after a first frame in the wrong layout."""
        for dimension, breakpoints in (
            (self.size.width, self.HORIZONTAL_BREAKPOINTS),
            (self.size.height, self.VERTICAL_BREAKPOINTS),
        ):
            self.screen.add_class(next(name for least, name in reversed(breakpoints or []) if dimension >= least))

    async def on_unmount(self) -> None:
        """Let go of the sources, once nobody asks them any more."""
        self.feeds.leave()
        await self.recordist.aclose()
        until_s = time.monotonic() + LEAVE_S
        while (asking := [each for each in self.workers if not each.is_finished]) and time.monotonic() < until_s:
            self.workers.cancel_all()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LEAVE_S / 5):
                    await asyncio.gather(*(each.wait() for each in asking), return_exceptions=True)
        await self.deeds.aclose()
        await self.feeds.aclose()

    def run_here(self) -> int:
        """Show it in this terminal, and no longer than that is there; returns the exit code."""
        self._has_process = True
        end_with_terminal()
        code = self.run() or 0
        for said in self.recordist.said:
            sys.stdout.write(f"{said}\n")
        for sentence in self.deeds.left_in_the_middle:
            sys.stderr.write(f"{sentence}\n")
        return code

    def _terminate(self) -> None:
        end_within(TERMINATE_S)
        self.exit(0)

    async def action_quit(self) -> None:
        """Leave with exit code 0."""
        self.exit(0)

    def action_help(self) -> None:
        """Show what has the focus means, and the keys."""
        inner = self.focused or self.screen
        self.push_screen(HelpDialog(inner.ancestors_with_self))

    def action_jump(self) -> None:
        """Put letters on all that can be jumped to; on a pane that is not yet drawn there is no place for any."""
        if not isinstance(self.screen, ModalScreen) and any(leaps(self.screen)):
            self.push_screen(JumpScreen(self.screen), lambda leap: leap() if leap is not None else None)

    def action_commands(self) -> None:
        """Find something to do by a few letters."""
        commands = commands_for(
            self,
            (self.focused or self.screen).ancestors_with_self,
            titles=[pane.TITLE for pane in self.panes.all],
            open_pane=self.action_open_pane,
            show=lambda text: self.post_message(Filtered(text)),
            overview=self.view.overview,
            choose_theme=self.choose_theme,
        )
        self.push_screen(CommandDialog(commands, self._run_command))

    def _run_command(self, command: Command) -> None:
        """Once the palette is gone and what it was called from has the focus again."""

        async def run() -> None:
            done = command.run()
            if isinstance(done, Awaitable):
                await done

        self.call_later(run)

    def action_next_theme(self) -> None:
        """The next one, kept in the configuration file."""
        names = [name for name in THEMES if name != NONE.name]
        if palette.theme is NONE:
            self.notify("NO_COLOR is set: there are no colours.", timeout=4, markup=False)
            return
        self.choose_theme(THEMES[names[(names.index(palette.theme.name) + 1) % len(names)]])

    def choose_theme(self, theme: Theme) -> None:
        """Draw in these colours, also the next time."""
        self.use_theme(theme)
        self._keep(f"Theme {theme.name}: {theme.says}.", lambda path: keep_theme(path, theme.name))

    @on(ColumnsChosen)
    def keep_columns(self, message: ColumnsChosen) -> None:
        """The list of predictions has them, also the next time."""
        self._keep(f"Columns: {', '.join(message.names)}.", lambda path: keep_columns(path, message.names))

    def _keep(self, said: str, write: Callable[[Path], None]) -> None:
        """Write it into the configuration file, if there is one, and say so."""
        if self._config is not None:
            try:
                write(self._config.path)
            except (OSError, UnicodeDecodeError) as error:
                said += f" It is not kept: {self._config.path} cannot be written ({type(error).__name__})."
        self.notify(clean(said), timeout=4, markup=False)

    def action_open_pane(self, index: int) -> None:
        """Show another pane; none if there is none of that number."""
        self._leave_prediction()
        if self.panes.open(index):
            self._show_pane()
        self._draw()

    def action_pause(self) -> None:
        """Stop at this time, or go back to what is now; what happens is collected either way."""
        self._at_s = self._clock_s() if self._at_s is None else None
        self._draw()

    def show_time(self, at_s: float | None) -> None:
        """Show that time of the past, or now."""
        self._at_s = at_s
        self._draw()

    def action_step(self, seconds: int) -> None:
        """Show a time so much before the one that is shown, or after it."""
        self.go_to((self._clock_s() if self._at_s is None else self._at_s) + seconds)

    @on(TimeBar.Sought)
    def seek(self, message: TimeBar.Sought) -> None:
        """The bar of times was clicked."""
        self.go_to(message.at_s)

    def go_to(self, at_s: float) -> None:
        """Show another time: stops first, and never goes beyond what is known."""
        first_s = self.store.timeline.first_s
        if first_s is not None:
            self._at_s = min(max(at_s, first_s), self._clock_s())
        self._draw()

    def action_bound(self, step: int) -> None:
        """Show the first time of which something is known, or the last."""
        self.show_time(self.store.timeline.first_s if step < 0 else self._end_s)

    def action_trouble(self, step: int) -> None:
        """Show when something began to need attention, the last time before this one or the next."""
        at_s = self._clock_s() if self._at_s is None else self._at_s
        moment = self.store.attention.nearest(at_s, later=step > 0)
        if moment is None:
            which = "later" if step > 0 else "earlier"
            self.notify(f"Nothing is known that began to need attention {which}.", timeout=4, markup=False)
            return
        self.show_time(moment.at_s)
        self.notify(moment.item.sentence, timeout=6, markup=False)

    @property
    def _end_s(self) -> float | None:
        """The last time that can be shown; ``None``: now."""
        return None

    def action_details(self) -> None:
        """Open what is selected."""
        table = self.pane.first
        if isinstance(table, PredictionTable):
            table.action_choose()

    def action_filter(self) -> None:
        """Filter predictions, wherever it was asked for."""
        self._open_predictions().action_filter()

    def action_copy(self) -> None:
        """Put the selected prediction's id, the example call, or the way out of a trouble on the clipboard."""
        if self.is_blank:
            if command := command_of(self.troubles):
                self.post_message(Copied(command, "the command"))
            return
        table = self.pane.first
        row = table.selected if isinstance(table, PredictionTable) else None
        self.copy_to_clipboard(row.prediction_id if row else curl(self._api_url))
        self.notify("Copied the prediction's id." if row else "Copied the example call.", timeout=2, markup=False)

    def action_queues(self) -> None:
        """Pause a queue, resume or purge it."""
        self.deeds.ask_for_queue()

    def action_deeds(self) -> None:
        """What was done from here."""
        self.deeds.show_notes()

    def action_record(self) -> None:
        """Write what is seen into a file, or end that."""
        self.recordist.turn()

    def action_troubles(self) -> None:
        """What is wrong with the sources, and what to do."""
        self.push_screen(TroubleDialog(lambda: self.troubles))

    @on(Asked)
    def act(self, message: Asked) -> None:
        """Do what a key asked for."""
        self.deeds.begin(message)

    @on(QueueAsked)
    def turn_queue(self, message: QueueAsked) -> None:
        """Pause a queue, or resume it."""
        self.deeds.turn_queue(message.queue, pauses=message.pauses)

    @on(Acted)
    def keep_note(self, message: Acted) -> None:
        """Something else was done from here."""
        self.deeds.note(message.sentence, is_well=message.is_well)

    @on(TabLine.Opened)
    def open_tab(self, message: TabLine.Opened) -> None:
        """A tab was clicked."""
        self.action_open_pane(message.index)

    @on(KeyLine.Pressed)
    def press_key(self, message: KeyLine.Pressed) -> None:
        """A key of the last line was clicked."""
        self.simulate_key(message.key)

    @on(Filtered)
    def open_filtered(self, message: Filtered) -> None:
        """Show the predictions that a filter keeps."""
        self._open_predictions().show_only(parse(message.text))

    @on(Led)
    def follow_item(self, message: Led) -> None:
        """Show what it is about: the prediction, its screen, or where there is none of that, those of its filter."""
        target = message.target
        index = self.panes.index_of(target.screen)
        if target.prediction_id:
            self.post_message(Opened(target.prediction_id))
        elif target.screen is not Screen.PREDICTIONS and index is not None:
            self.action_open_pane(index)
            self.pane.lead_to(target)
        else:
            self.post_message(Filtered(target.filter))

    @on(Table.Chosen, "#predictions, #feed")
    def choose_prediction(self, message: Table.Chosen) -> None:
        """Show all of the chosen prediction."""
        self.post_message(Opened(message.key))

    @on(Copied)
    def copy_text(self, message: Copied) -> None:
        """Put it on the clipboard, and say how much that was."""
        self.copy_to_clipboard(message.text)
        size = formats.size_bytes(len(message.text))
        self.notify(f"Copied {message.what}, {size}.", timeout=2, markup=False)

    @on(Opened)
    def open_prediction(self, message: Opened) -> None:
        """Show all of a prediction; behind it, what changed meanwhile."""

        def left(_: None) -> None:
            self.call_later(self._draw)

        self.push_screen(
            PredictionScreen(
                message.prediction_id,
                lambda: self.feeds.sources,
                api_url=self._api_url,
                every_s=self._interval_s,
                neighbour=self._neighbour,
                origin=message.origin,
                closed=self._why_closed,
            ),
            left,
        )
        self.call_later(self._draw)

    @property
    def frame_s(self) -> float:
        """Least time between two frames: a person's choice for a slow link, else the usual one."""
        return 1 / self._config.fps if self._config and self._config.fps else FRAME_S

    @property
    def pane(self) -> Pane:
        """The one on the screen."""
        return self.panes.shown

    @property
    def view(self) -> View:
        """What is shown: now, or the time in the past."""
        return self.store.view(self._clock_s(), at_s=self._at_s)

    @property
    def troubles(self) -> Sequence[Trouble]:
        """What keeps figures away now."""
        now_s = self._clock_s()
        return troubles_of(self.store.view(now_s), self.addresses, asked_s=now_s - self.began_s)

    @property
    def is_blank(self) -> bool:
        """Whether there is nothing to show, so that why is shown instead; a load's form needs no figures."""
        view = self.view
        if view.has_figures or view.past_s is not None or isinstance(self.pane, LoadPane):
            return False
        is_connecting = all(link.link is Link.CONNECTING for link in view.links)
        return not is_connecting or self._clock_s() - self.began_s >= CONNECTING_S

    @property
    def now_s(self) -> float:
        """The dashboard's time."""
        return self._clock_s()

    def _neighbour(self, prediction_id: str, step: int) -> str | None:
        """So many lines below a prediction in the list of the open pane, else among all of them."""
        row, table = self.store.book.get(prediction_id), self.pane.first
        if row is None:
            return None
        if isinstance(table, PredictionTable):
            return table.neighbour(row, step)
        rows = self.view.rows
        at = rows.find(row)
        return rows[at + step].prediction_id if at is not None and 0 <= at + step < len(rows) else None

    def _show_troubles(self) -> bool:
        """Instead of the panes, as long as there is nothing to show on them; whether that is so."""
        is_blank = self.is_blank
        if is_blank:
            self._trouble_panel.show_troubles(self.troubles)
        screen = self._header_line.screen
        if is_blank != screen.has_class("-blank"):
            screen.set_class(is_blank, "-blank")
            self._show_pane()
        return is_blank

    def _open_predictions(self) -> PredictionsPane:
        self.action_open_pane(self.panes.all.index(self.panes.predictions))
        return self.panes.predictions

    def _leave_prediction(self) -> None:
        """Back to the panes."""
        while isinstance(self.screen, PredictionScreen):
            self.pop_screen()

    def _show_pane(self) -> None:
        self.query_one("#panes", ContentSwitcher).current = self.pane.id
        if self._header_line.screen.has_class("-blank"):
            self._key_line.show((), type(self.pane))
            self._header_line.screen.set_focus(self._trouble_panel)
            return
        self._key_line.show(self.pane.KEYS, type(self.pane))
        if self.pane.first is not None:  # at once, not when its turn comes as by ``focus()``: the next key is its
            self._header_line.screen.set_focus(self.pane.first)

    async def _take_in(self, again: Sequence[str], gone: Sequence[str]) -> None:
        """Something was done to these: show it now."""
        await self.panes.take_in(again, gone)
        self._draw()

    def _note_change(self) -> None:
        self._changed = True
        if not self._has_drawn_figures:
            self._draw()  # the first ones are waited for

    def _frame(self) -> None:
        """Draw what changed; ages go on by the second with nothing new."""
        if not self.keeps_up:
            return
        table = self.pane.first
        if self._changed and isinstance(table, PredictionTable):
            # not awaited here: no key would be heard until then
            self.run_worker(partial(self._draw_with_texts, table), group="frame", exclusive=True, exit_on_error=False)
        elif self._changed or time.monotonic() - self._drawn_at_s >= 0.99:
            self._draw()

    async def _draw_with_texts(self, table: PredictionTable) -> None:
        """Rows have their texts when they are seen."""
        await self.feeds.look_up(table.upcoming(self.view))
        self._draw()

    def _draw(self) -> None:
        if not self._header_line.is_attached:  # what came in while the screen was taken down
            return
        self._changed = False
        self._drawn_at_s = time.monotonic()
        view = self.view
        if view.has_figures and not self._has_drawn_figures and self._has_process:
            gc.freeze()  # all is imported and mounted: no collection needs to walk through it, 50 ms each time
        self._has_drawn_figures = view.has_figures
        first_s, last_s = self.store.timeline.first_s, self._clock_s()
        for screen in self.screen_stack:
            if isinstance(screen, PredictionScreen):
                screen.show_view(view, first_s=first_s, last_s=last_s)
        if isinstance(self.screen, PredictionScreen):
            return  # nothing of the panes is seen
        self._header_line.show(view, self.recordist.mark)
        self._notice_line.show(view, is_told=self._show_troubles())
        moments = [each.at_s for each in self.store.attention.moments] if self._at_s is not None else ()
        self._time_bar.show(view, first_s=first_s, last_s=last_s, moments=moments)
        self._tab_line.show([(pane.TITLE, pane.count(view)) for pane in self.panes.all], self.panes.index)
        self._header_line.screen.set_class(view.stale_s is not None, "-stale")
        self.pane.show_view(view)
