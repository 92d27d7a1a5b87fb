"""One prediction's life: what was asked, where its time went, why it failed, and what to do about it."""

from collections.abc import Callable, Mapping
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, VerticalScroll
from textual.screen import Screen

from zypher_jobs.contracts.prediction import Prediction, Status
from zypher_tui.core import formats
from zypher_tui.core.curl import curl_of
from zypher_tui.core.errors import ErrorGroup, elsewhere, kind, last_good
from zypher_tui.core.life import as_of, facts, stand_in
from zypher_tui.core.readings import SourceName
from zypher_tui.core.rows import Row
from zypher_tui.core.values import Written, plain_json
from zypher_tui.core.view import View
from zypher_tui.core.waterfall import waterfall
from zypher_tui.following import Following
from zypher_tui.keymap import Help, Keyed
from zypher_tui.palette import palette
from zypher_tui.screens.pane import Copied, Filtered, Opened
from zypher_tui.sources.source import Source
from zypher_tui.widgets import life
from zypher_tui.widgets.drawing import entitle
from zypher_tui.widgets.header import Header, Notice
from zypher_tui.widgets.keys import KeyLine
from zypher_tui.widgets.section import Lines, Section, wrapped
from zypher_tui.widgets.time_bar import TimeBar
from zypher_tui.widgets.waterfall import WaterfallView

KEYS = (
    ("esc", "back"),
    ("f", "fold"),
    ("y", "curl"),
    ("n b", "next"),
    ("c", "id"),
    ("o", "output"),
    ("s", "same error"),
    ("l", "last good"),
    ("t", "trace"),
    ("g", "original"),
)
AS_IT_IS_NOW = " · as it is now"

Neighbour = Callable[[str, int], str | None]
"""The id of the prediction so many lines below that one in the list it was opened from."""
Sources = Callable[[], Mapping[SourceName, Source]]


class PredictionScreen(Keyed, Screen[None]):
    """All of one prediction; lies over the dashboard, which tells it each view."""

    ABOUT = Help(
        "One prediction",
        "What was asked, where its time went, why it failed, and the same error elsewhere.",
    )

    PLACE = "one prediction"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", "Back", key_display="esc"),
        Binding("enter,f", "fold", "Fold", key_display="f"),
        Binding("down,j", "scroll(1)", "Scroll down", show=False),
        Binding("up,k", "scroll(-1)", "Scroll up", show=False),
        Binding("y", "copy_curl", "Copy as curl"),
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
        self, prediction_id: str, sources: Sources, *, api_url: str, every_s: float, neighbour: Neighbour
    ) -> None:
        super().__init__()
        self._prediction_id = prediction_id
        self._sources = sources
        self._api_url = api_url
        self._every_s = every_s
        self._neighbour = neighbour
        self._following = self._follow(prediction_id)
        self._row: Row | None = None
        self._view: View | None = None
        self._is_folded = True
        self._heard = 0
        self._same: tuple[object, ErrorGroup | None, Row | None] = (None, None, None)

    def compose(self) -> ComposeResult:
        """Header and time as on the dashboard, then the parts, which scroll as one."""
        yield Header(id="header")
        yield Notice(id="notice")
        yield TimeBar(id="time")
        with VerticalScroll(id="life"), Container(id="life-columns"):
            with Container(id="life-left"):
                yield Section(id="life-head")
                yield WaterfallView(id="life-waterfall")
                yield Section(id="life-error")
                yield Section(id="life-same")
            with Container(id="life-right"):
                yield Section(id="life-input")
                yield Section(id="life-output")
                yield Section(id="life-log")
        keys = KeyLine(id="keys", first=KEYS, last=())
        keys.show((), type(self))
        yield keys

    def on_mount(self) -> None:
        """Begin to read."""
        self._start()

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

    def show(self, prediction_id: str) -> None:
        """Show another one."""
        self._prediction_id = prediction_id
        self._following = self._follow(prediction_id)
        self._row = None
        self._start()
        self.query_one("#life", VerticalScroll).scroll_home(animate=False)
        if self._view is not None:
            self.show_view(self._view, first_s=None, last_s=None)

    def show_view(self, view: View, *, first_s: float | None, last_s: float | None) -> None:
        """Draw what changed; the times are the first and the last that are known."""
        self._view = view
        self.query_one("#header", Header).show(view)
        self.query_one("#notice", Notice).show(view)
        if last_s is not None:
            self.query_one("#time", TimeBar).show(view, first_s=first_s, last_s=last_s)
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
        self._copy(self._prediction_id, "the id")

    def action_copy_trace(self) -> None:
        """Put the trace's id on the clipboard."""
        known = self.known
        if known is None or not known.trace_id:
            self._say("It has no trace: its caller sent no traceparent.")
        else:
            self._copy(known.trace_id, "the trace's id")

    def action_copy_output(self) -> None:
        """Put the whole output on the clipboard."""
        whole = self._following.whole
        if whole is None or whole.output is None:
            self._say("It has no output." if whole and whole.status.is_terminal else "It has no output yet.")
        else:
            self._copy(plain_json(whole.output), "the output")

    def action_copy_curl(self) -> None:
        """Put the command that asks the same again on the clipboard."""
        given, known = self._following.given, self.known
        if known is None or given is None or not given.is_whole:
            self._say(f"It cannot be copied: {self._why_no_input}.")
            return
        with_key = bool(self._row and self._row.caller)
        command = curl_of(known, given.value, api_url=self._api_url, with_key=with_key)
        self._copy(command, "a command for the shell")

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
        good = self._same[2]
        if good is None:
            self._say("None of its model is known to have succeeded before it.")
        else:
            self.post_message(Opened(good.prediction_id))

    def action_original(self) -> None:
        """Show the one that this repeats."""
        known = self.known
        if known is None or not known.replay_of:
            self._say("It repeats no other.")
        else:
            self.post_message(Opened(known.replay_of))

    @property
    def _why_no_input(self) -> str:
        following = self._following
        if following.given is not None:
            return "its input is longer than what is kept of it for lists"
        return following.given_note or "its input is still being read"

    def _follow(self, prediction_id: str) -> Following:
        return Following(prediction_id, self._sources, changed=self._note_change, every_s=self._every_s)

    def _start(self) -> None:
        self.run_worker(self._following.run(), name="follow", exclusive=True, exit_on_error=False)

    def _note_change(self) -> None:
        self._heard += 1
        self._draw()

    def _say(self, sentence: str) -> None:
        self.notify(sentence, timeout=4, markup=False)

    def _copy(self, text: str, what: str) -> None:
        self.post_message(Copied(text, what))

    def _draw(self) -> None:
        known, view = self.known, self._view
        if not self.is_attached or known is None or view is None:
            return
        self._draw_head(known, view)
        self._draw_error(known, view)
        self._draw_values(known, view)

    def _draw_head(self, known: Prediction, view: View) -> None:
        following = self._following
        told = facts(known, caller=self._row.caller if self._row else "", at_ms=view.now_ms)
        note = following.note
        if view.past_s is not None and following.whole is not None:
            note = "As of then; input, output and log are shown as they are now."
        elif following.deliveries_note and not note and known.status.is_terminal:
            note = f"Whether webhooks were told is not known: {following.deliveries_note}."
        section = self.query_one("#life-head", Section)
        entitle(section, "esc back · n b next", below=True)
        section.show(
            "Prediction",
            lambda width: life.head_lines(known, told, note, width),
            version=(tuple(told), known.status, known.prediction_id, note),
        )
        deliveries = () if view.past_s is not None else following.deliveries
        seen = waterfall(known, now_ms=view.now_ms, deliveries=deliveries)
        shown = self.query_one("#life-waterfall", WaterfallView)
        entitle(shown, seen.sentence)
        shown.show(seen)

    def _draw_error(self, known: Prediction, view: View) -> None:
        section = self.query_one("#life-error", Section)
        if known.error is None and not known.past_attempts:
            section.show("", None, version=None)
        else:
            version = (known.prediction_id, known.error, len(known.past_attempts))
            title = "Error" if known.error else "Attempts before"
            section.show(title, lambda width: life.error_lines(known, width), version=version)
        same = self.query_one("#life-same", Section)
        row = self._row
        if row is None or known.status is not Status.FAILED:
            same.show("", None, version=None)
            return
        group, good = self._find_same(row, view)
        now_ms = view.now_ms
        same.show(
            "The same error elsewhere",
            lambda width: life.elsewhere_lines(group, good, now_ms, width),
            version=(known.prediction_id, group, good and good.prediction_id, now_ms // 1000),
        )

    def _find_same(self, row: Row, view: View) -> tuple[ErrorGroup | None, Row | None]:
        """Looked for again every other second."""
        version = (row.prediction_id, row.fingerprint, view.now_ms // 2000, view.as_of_ms)
        if self._same[0] != version:
            rows = view.book.rows if view.as_of_ms is None else view.book.rows[: view.book.until(view.as_of_ms)]
            self._same = (version, elsewhere(rows, row), last_good(rows, row))
        return self._same[1], self._same[2]

    def _draw_values(self, known: Prediction, view: View) -> None:
        following = self._following
        now = AS_IT_IS_NOW if view.past_s is not None else ""
        given, why = following.given, self._why_no_input
        size = known.input_bytes or (len(given.json.encode()) if given else 0)
        title = f"Input · {formats.size_bytes(size)}" if size else "Input"
        preview = self._row.input_preview if self._row else ""
        draw = _text(preview or formats.UNKNOWN, f"Only its beginning: {why}.")
        if following.input is not None:
            draw, title = self._values(following.input, title)
        version = (known.prediction_id, given, why, preview, self._is_folded)
        self.query_one("#life-input", Section).show(title, draw, version=version)
        self._draw_output(known, now)
        heard = () if following.has_ended else tuple(following.story.lines)
        folded = self._is_folded
        self.query_one("#life-log", Section).show(
            f"Log{now}",
            (lambda width: life.log_lines(known, heard, width, is_folded=folded)) if heard or known.log else None,
            version=(known.prediction_id, len(heard), heard[-1:], tuple(known.log), folded),
        )

    def _draw_output(self, known: Prediction, now: str) -> None:
        section = self.query_one("#life-output", Section)
        output, said = self._following.output, self._following.story.output
        preview = self._row.output_preview if self._row else ""
        if output is not None:
            title = f"Output · {formats.size_bytes(known.output_bytes)}" if known.output_bytes else "Output"
            draw, title = self._values(output, title)
            section.show(title + now, draw, version=(known.prediction_id, output, self._is_folded))
        elif said and not known.status.is_terminal:
            section.show("Output so far", lambda width: wrapped([said], width, palette.PLAIN), version=said)
        elif preview and self._following.whole is None:
            draw = _text(preview, "Only its beginning: the whole cannot be read now.")
            section.show("Output", draw, version=(known.prediction_id, preview))
        else:
            section.show("", None, version=None)

    def _values(self, value: Written, title: str) -> tuple[Callable[[int], Lines], str]:
        texts = value.folded if self._is_folded else value.whole
        if value.is_long:
            title += " · f shows all" if self._is_folded else " · f folds"
        return (lambda width: wrapped(texts, width, palette.PLAIN)), title


def _text(text: str, note: str) -> Callable[[int], Lines]:
    return lambda width: [*wrapped([text], width, palette.PLAIN), *wrapped([note], width, palette.DIM)]
