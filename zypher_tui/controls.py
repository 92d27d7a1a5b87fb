"""What a person can ask for, on every screen: each key, click and choice is handed to the part that it is for."""

from functools import partial
from typing import ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen

from zypher_tui.choices import Choices
from zypher_tui.commands import commands_for, run_behind
from zypher_tui.core import formats
from zypher_tui.core.absence import Absence
from zypher_tui.core.times import Times
from zypher_tui.deeds import Deeds
from zypher_tui.frames import Frames
from zypher_tui.guide import Guide
from zypher_tui.keymap import Keyed
from zypher_tui.pace import PacedApp
from zypher_tui.panes import Panes
from zypher_tui.recordist import Recordist
from zypher_tui.screens.asked import Acted, Asked, QueueAsked
from zypher_tui.screens.jumping import JumpScreen, leaps
from zypher_tui.screens.pane import Copied, Filtered, Led, Opened
from zypher_tui.screens.predictions import ColumnsChosen
from zypher_tui.typed_ahead import KeysInOrder
from zypher_tui.widgets.commands import CommandDialog
from zypher_tui.widgets.help import HelpDialog
from zypher_tui.widgets.keys import KeyLine
from zypher_tui.widgets.predictions import PredictionTable, curl
from zypher_tui.widgets.table import Table
from zypher_tui.widgets.tabs import TabLine
from zypher_tui.widgets.time_bar import TimeBar
from zypher_tui.widgets.troubles import TroubleDialog, command_of


class Controls(Keyed, KeysInOrder, PacedApp[int]):
    """Decides nothing. Textual finds actions and messages by their methods here; the parts are the dashboard's."""

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

    api_url: str
    choices: Choices
    times: Times
    panes: Panes
    absence: Absence
    frames: Frames
    guide: Guide
    deeds: Deeds
    recordist: Recordist

    async def action_quit(self) -> None:
        """Leave with exit code 0."""
        self.exit(0)

    def action_help(self) -> None:
        """Show what has the focus means, and the keys."""
        self.push_screen(HelpDialog((self.focused or self.screen).ancestors_with_self))

    def action_jump(self) -> None:
        """Put letters on all that can be jumped to; on a pane that is not yet drawn there is no place for any."""
        if not isinstance(self.screen, ModalScreen) and any(leaps(self.screen)):
            self.push_screen(JumpScreen(self.screen), lambda leap: leap() if leap is not None else None)

    def action_commands(self) -> None:
        """Find something to do by a few letters."""
        focused = (self.focused or self.screen).ancestors_with_self
        overview = self.times.view.overview
        commands = commands_for(self, focused, guide=self.guide, choices=self.choices, overview=overview)
        self.push_screen(CommandDialog(commands, partial(run_behind, self)))

    def action_next_theme(self) -> None:
        """Other colours, also the next time."""
        self.choices.choose_next_theme()

    def action_open_pane(self, index: int) -> None:
        """Show another pane."""
        self.guide.open_pane(index)

    def action_filter(self) -> None:
        """Filter predictions, wherever it was asked for."""
        self.guide.open_predictions().action_filter()

    def action_details(self) -> None:
        """Open what is selected."""
        table = self.panes.shown.first
        if isinstance(table, PredictionTable):
            table.action_choose()

    def action_copy(self) -> None:
        """Put the selected prediction's id, the example call, or the way out of a trouble on the clipboard."""
        if self.frames.is_blank:
            if command := command_of(self.absence.troubles):
                self.post_message(Copied(command, "the command"))
            return
        table = self.panes.shown.first
        row = table.selected if isinstance(table, PredictionTable) else None
        self.copy_to_clipboard(row.prediction_id if row else curl(self.api_url))
        self.notify("Copied the prediction's id." if row else "Copied the example call.", timeout=2, markup=False)

    def action_pause(self) -> None:
        """Stop at this time, or go on."""
        self.times.turn()
        self.frames.draw()

    def action_step(self, seconds: int) -> None:
        """Show a time so much before the one that is shown, or after it."""
        self.times.step(seconds)
        self.frames.draw()

    def action_bound(self, step: int) -> None:
        """Show the first time of which something is known, or the last."""
        self.times.show_bound(step)
        self.frames.draw()

    def action_trouble(self, step: int) -> None:
        """Show when something began to need attention, the last time before this one or the next."""
        moment = self.times.next_moment(step)
        if moment is None:
            which = "later" if step > 0 else "earlier"
            self.notify(f"Nothing is known that began to need attention {which}.", timeout=4, markup=False)
            return
        self.times.show(moment.at_s)
        self.frames.draw()
        self.notify(moment.item.sentence, timeout=6, markup=False)

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
        self.push_screen(TroubleDialog(lambda: self.absence.troubles))

    @on(TimeBar.Sought)
    def seek(self, message: TimeBar.Sought) -> None:
        """The bar of times was clicked."""
        self.times.go_to(message.at_s)
        self.frames.draw()

    @on(TabLine.Opened)
    def open_tab(self, message: TabLine.Opened) -> None:
        """A tab was clicked."""
        self.guide.open_pane(message.index)

    @on(KeyLine.Pressed)
    def press_key(self, message: KeyLine.Pressed) -> None:
        """A key of the last line was clicked."""
        self.simulate_key(message.key)

    @on(Filtered)
    def open_filtered(self, message: Filtered) -> None:
        """Show the predictions that a filter keeps."""
        self.guide.open_filtered(message.text)

    @on(Led)
    def follow_item(self, message: Led) -> None:
        """Show what an item is about."""
        self.guide.follow(message.target)

    @on(Table.Chosen, "#predictions, #feed")
    def choose_prediction(self, message: Table.Chosen) -> None:
        """Show all of the chosen prediction."""
        self.guide.open_prediction(message.key)

    @on(Opened)
    def open_prediction(self, message: Opened) -> None:
        """Show all of a prediction."""
        self.guide.open_prediction(message.prediction_id, origin=message.origin)

    @on(Copied)
    def copy_text(self, message: Copied) -> None:
        """Put it on the clipboard, and say how much that was."""
        self.copy_to_clipboard(message.text)
        size = formats.size_bytes(len(message.text))
        self.notify(f"Copied {message.what}, {size}.", timeout=2, markup=False)

    @on(ColumnsChosen)
    def keep_columns(self, message: ColumnsChosen) -> None:
        """The list of predictions has them, also the next time."""
        self.choices.keep_columns(message.names)

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
