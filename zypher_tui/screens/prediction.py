"""One prediction's life: what was asked, where its time went, why it failed, and what to do about it."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import ClassVar

from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import Screen

from zypher_jobs.contracts.prediction import Prediction
from zypher_tui.core.deeds import Verb, again
from zypher_tui.core.errors import kind
from zypher_tui.core.life import as_of, stand_in
from zypher_tui.core.readings import SourceName
from zypher_tui.core.rows import Row
from zypher_tui.core.times import Span
from zypher_tui.core.view import View
from zypher_tui.following import Following
from zypher_tui.keymap import Help, Keyed, keymap
from zypher_tui.screens import copying
from zypher_tui.screens.asked import Acted, Asked, is_there
from zypher_tui.screens.pane import Copied, Filtered, Opened
from zypher_tui.screens.resending import editor, taker
from zypher_tui.sources.source import Source
from zypher_tui.widgets.header import Header, Notice
from zypher_tui.widgets.keys import KeyLine
from zypher_tui.widgets.life_body import LifeBody, Seen
from zypher_tui.widgets.time_bar import TimeBar

KEYS = (
    ("esc", "back"),
    ("f", "fold"),
    ("y", "curl"),
    ("e", "edit"),
    ("r", "replay"),
    ("x", "cancel"),
    ("n b", "next"),
    ("c", "id"),
    ("o", "output"),
    ("s", "same error"),
    ("l", "last good"),
    ("t", "trace"),
    ("g", "original"),
)

Neighbour = Callable[[str, int], str | None]
"""The id of the prediction so many lines below that one in the list it was opened from."""
Sources = Callable[[], Mapping[SourceName, Source]]


class PredictionScreen(Keyed, Screen[None]):
    """All of one prediction; lies over the dashboard, which tells it each view."""

    ABOUT = Help(
        "One prediction",
        "What was asked, where its time went, why it failed, and the same error elsewhere.",
        (("◆ · ◇", "Progress, and lines of the log: what the model said, at its time"),),
    )

    PLACE = "one prediction"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", "Back", key_display="esc"),
        Binding("enter,f", "fold", "Fold", key_display="f"),
        Binding("down,j", "scroll(1)", "Scroll down", show=False),
        Binding("up,k", "scroll(-1)", "Scroll up", show=False),
        Binding("r", "ask('replay')", "Replay"),
        Binding("r", "ask('retry')", "Retry now"),
        Binding("x", "ask('cancel')", "Cancel"),
        Binding("D", "ask('drop')", "Drop"),
        Binding("y", "copy_curl", "Copy as curl"),
        Binding("e", "edit", "Edit and send"),
        Binding("c", "copy_id", "Copy the id"),
        Binding("o", "copy_output", "Copy the output"),
        Binding("t", "copy_trace", "Copy the trace's id"),
        Binding("n", "neighbour(1)", "Next"),
        Binding("b", "neighbour(-1)", "Before"),
        Binding("s", "same_errors", "Same error"),
        Binding("l", "last_good", "Last good"),
        Binding("g", "original", "Original"),
    ]

    def __init__(
        self,
        prediction_id: str,
        sources: Sources,
        *,
        api_url: str,
        every_s: float,
        neighbour: Neighbour,
        origin: str = "",
        closed: str = "",
    ) -> None:
        """``origin``: the one whose input was edited for this one. ``closed``: see ``Deeds``."""
        super().__init__()
        self._prediction_id = prediction_id
        self._origin = origin
        self._why_closed = closed
        self._sources = sources
        self._api_url = api_url
        self._every_s = every_s
        self._neighbour = neighbour
        self._following = self._follow(prediction_id)
        self._row: Row | None = None
        self._view: View | None = None
        self._span = Span()
        self._is_folded = True
        self._traced_id = ""
        """The one whose traceback was asked for."""
        self._header_line = Header(id="header")
        self._notice_line = Notice(id="notice")
        self._time_bar = TimeBar(id="time")
        self._body = LifeBody(id="life-columns", key=lambda key: keymap.shown(key, PredictionScreen))
        self._key_line = KeyLine(id="keys", first=(), last=())
        self._says_retry = False
        self._key_line.show(KEYS, type(self))

    def compose(self) -> ComposeResult:
        """Header and time as on the dashboard, then the parts, which scroll as one."""
        yield self._header_line
        yield self._notice_line
        yield self._time_bar
        with VerticalScroll(id="life"):
            yield self._body
        yield self._key_line

    def on_mount(self) -> None:
        """Begin to read."""
        self._start()
        self._draw()

    @property
    def prediction_id(self) -> str:
        """Which one is shown."""
        return self._prediction_id

    @property
    def known(self) -> Prediction | None:
        """All that is known of it, as of the time that is shown."""
        known = self._following.whole or (None if self._row is None else stand_in(self._row))
        at_ms = None if self._view is None else self._view.as_of_ms
        return known if known is None or at_ms is None else as_of(known, at_ms)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """What waits is retried, what ended is replayed."""
        return is_there(action, parameters, self._verb_again)

    def action_ask(self, verb: str) -> None:
        """Have it done to this one."""
        self.post_message(Asked(Verb(verb), [self._prediction_id]))

    def show(self, prediction_id: str) -> None:
        """Show another one."""
        self._prediction_id = prediction_id
        self._origin = ""
        self._following = self._follow(prediction_id)
        self._row = self._view.book.get(prediction_id) if self._view else None
        self._start()
        self.query_one("#life", VerticalScroll).scroll_home(animate=False)
        self._draw()

    def show_view(self, view: View, span: Span) -> None:
        """Draw what changed; the span is that of all times that can be shown."""
        self._view, self._span = view, span
        self._row = view.book.get(self._prediction_id) or self._row
        self._draw()

    def action_back(self) -> None:
        """To the dashboard."""
        self.dismiss()

    def action_fold(self) -> None:
        """Write out what is long, or only its beginning."""
        self._is_folded = not self._is_folded
        self._draw()

    def action_scroll(self, lines: int) -> None:
        """Move by so many lines."""
        self.query_one("#life", VerticalScroll).scroll_relative(y=lines, animate=False)

    def action_copy_id(self) -> None:
        """Put the id on the clipboard."""
        self._copy(Copied(self._prediction_id, "the id"))

    def action_copy_trace(self) -> None:
        """Put the trace's id on the clipboard."""
        self._copy(copying.trace(self.known))

    def action_copy_output(self) -> None:
        """Put the whole output on the clipboard."""
        self._copy(copying.output(self._following.whole))

    def action_copy_curl(self) -> None:
        """Put the command that asks the same again on the clipboard."""
        self._copy(copying.command(self.known, self._row, self._following, api_url=self._api_url))

    def action_edit(self) -> None:
        """Change the input, and ask with that."""
        known, given = self.known, self._following.given
        source = self._why_closed or taker(self._view, self._sources().get(SourceName.API))
        if isinstance(source, str):
            self._say(source)
        elif known is None:
            return
        elif given is None or not given.is_whole:
            self._say(f"It cannot be edited: {self._following.why_no_input}.")
        elif isinstance(opened := editor(known, given.value, source), str):
            self._say(opened)
        else:
            self._dashboard.push_screen(opened, lambda new_id: self._sent(known.prediction_id, new_id))

    def action_neighbour(self, step: int) -> None:
        """Show the next one of the list, or the one before."""
        found = self._neighbour(self._prediction_id, step)
        if found is None:
            self._say("It is the last one of the list." if step > 0 else "It is the first one of the list.")
        else:
            self.show(found)

    def action_same_errors(self) -> None:
        """Show the predictions that failed in the same way."""
        row = self._row
        if row is None or not kind(row):
            self._say("It has no error.")
            return
        self.post_message(Filtered(f"fingerprint:{row.fingerprint}" if row.fingerprint else f"error:{kind(row)}"))

    def action_last_good(self) -> None:
        """Show the newest of its model that succeeded before it."""
        good = self._body.last_good
        if good is None:
            self._say("None of its model is known to have succeeded before it.")
        else:
            self.post_message(Opened(good.prediction_id))

    def action_original(self) -> None:
        """Show the one that this repeats."""
        known = self.known
        original = (known.replay_of if known else None) or self._origin
        if not original:
            self._say("It repeats no other.")
        else:
            self.post_message(Opened(original))

    @property
    def _dashboard(self) -> App[int]:
        return self.app  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]  # Textual leaves it open

    def _verb_again(self, action: str) -> Verb:  # noqa: ARG002  # there is one only
        """By how it stands."""
        return again(() if self.known is None else (self.known.status,))

    def _sent(self, origin: str, new_id: str | None) -> None:
        if new_id is not None:
            self.post_message(Acted(f"Sent the edited input of {origin[:8]} as {new_id[:8]}."))
            self.post_message(Opened(new_id, origin=origin))

    def _follow(self, prediction_id: str) -> Following:
        return Following(prediction_id, self._sources, changed=self._draw, every_s=self._every_s)

    def _start(self) -> None:
        self.run_worker(self._following.run, name="follow", exclusive=True, exit_on_error=False)

    def _say(self, sentence: str) -> None:
        self.notify(sentence, timeout=4, markup=False)

    def _copy(self, found: Copied | str) -> None:
        """Or say why there is nothing to copy."""
        if isinstance(found, str):
            self._say(found)
        else:
            self.post_message(found)

    def _draw(self) -> None:
        known, view = self.known, self._view
        if not self._body.is_attached or view is None:
            return
        fingerprint = self._row.fingerprint if self._row else ""
        if fingerprint and self._following.has_ended and self._traced_id != self._prediction_id:
            self._traced_id = self._prediction_id
            self.run_worker(partial(self._following.read_traceback, fingerprint), name="traceback", exit_on_error=False)
        if (waits := known is not None and known.due_at is not None) is not self._says_retry:
            self._says_retry = waits
            said = "retry now" if waits else "replay"
            self._key_line.show([(key, said if key == "r" else word) for key, word in KEYS], type(self))
        self._header_line.show(view)
        self._notice_line.show(view)
        self._time_bar.show(view, self._span)
        if known is None:
            self._body.show_nothing(self._prediction_id, self._following.note)
        else:
            seen = Seen(
                known=known,
                row=self._row,
                view=view,
                following=self._following,
                origin=self._origin,
            )
            self._body.show(seen, is_folded=self._is_folded)
