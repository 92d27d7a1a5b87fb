"""All parts of one prediction's life, beneath each other or, on a wide screen, in two columns."""

from collections.abc import Callable

import msgspec
from textual.app import ComposeResult
from textual.containers import Container

from zypher_jobs.contracts.prediction import Prediction, Status
from zypher_tui.core import formats
from zypher_tui.core.errors import ErrorGroup, elsewhere, last_good
from zypher_tui.core.life import Fact, facts
from zypher_tui.core.rows import Row, ms_of
from zypher_tui.core.story import Told
from zypher_tui.core.values import Written
from zypher_tui.core.view import View
from zypher_tui.core.waterfall import marks_of, waterfall
from zypher_tui.following import Following
from zypher_tui.palette import palette
from zypher_tui.widgets import life
from zypher_tui.widgets.drawing import entitle
from zypher_tui.widgets.section import Lines, Section, wrapped
from zypher_tui.widgets.waterfall import WaterfallView

AS_IT_IS_NOW = " · as it is now"
NO_TIMES = "When is not known: the API tells that until a while after the end."
LOOK_EVERY_MS = 2_000
"""For the same error elsewhere."""


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What there is to show."""

    known: Prediction
    """As of the time that is shown."""
    row: Row | None
    """As it is now, if it is in the book."""
    view: View
    following: Following
    origin: str


class LifeBody(Container):
    """As high as its parts; scrolled by whatever it stands in."""

    def __init__(self, *, id: str, key: life.Key) -> None:  # noqa: A002  # Textual's name
        super().__init__(id=id)
        self._key = key
        self._is_folded = True
        self._same: tuple[object, ErrorGroup | None, Row | None] = (None, None, None)
        self._head = Section(id="life-head")
        self._waterfall = WaterfallView(id="life-waterfall")
        self._error = Section(id="life-error")
        self._elsewhere = Section(id="life-same")
        self._input = Section(id="life-input")
        self._output = Section(id="life-output")
        self._said = Section(id="life-said")

    def compose(self) -> ComposeResult:
        """What happened on the left, what went in and came out on the right."""
        yield Container(self._head, self._waterfall, self._error, self._said, self._elsewhere, id="life-left")
        yield Container(self._input, self._output, id="life-right")

    @property
    def last_good(self) -> Row | None:
        """The newest of its model that succeeded before a failed one."""
        return self._same[2]

    def show_nothing(self, prediction_id: str, note: str) -> None:
        """Of one that nobody has told of yet, say why."""
        self._head.show(
            "Prediction",
            lambda width: wrapped([prediction_id, note], width, palette.PLAIN),
            version=(prediction_id, note),
        )

    def show(self, seen: Seen, *, is_folded: bool) -> None:
        """Draw what changed."""
        self._is_folded = is_folded
        self._draw_head(seen)
        self._draw_error(seen)
        self._draw_said(seen)
        self._draw_values(seen)

    def _draw_head(self, seen: Seen) -> None:
        known, view, following = seen.known, seen.view, seen.following
        told = facts(known, caller=seen.row.caller if seen.row else "", at_ms=view.now_ms)
        if seen.origin:
            told.append(Fact("edit of", seen.origin))
        note = following.note
        if view.as_of_ms is not None and ms_of(known.created_at) > view.as_of_ms:
            note = "It had not been asked for then."
        elif view.past_s is not None and following.whole is not None:
            rest = "input and output" if all(each.at for each in _said(seen)) else "input, output and log"
            note = f"As of then; {rest} are shown as they are now."
        elif following.deliveries_note and not note and known.status.is_terminal:
            note = f"Whether webhooks were told is not known: {following.deliveries_note}."
        entitle(self._head, f"{self._key('esc')} back · {self._key('n b')} next", below=True)
        self._head.show(
            "Prediction",
            lambda width: life.head_lines(known, told, note, width),
            version=(tuple(told), known.status, known.prediction_id, note),
        )
        deliveries = () if view.past_s is not None else following.deliveries
        spans = waterfall(known, now_ms=view.now_ms, deliveries=deliveries, marks=marks_of(_said(seen)))
        entitle(self._waterfall, spans.sentence)
        self._waterfall.show(spans)

    def _draw_error(self, seen: Seen) -> None:
        known, view, row = seen.known, seen.view, seen.row
        if known.error is None and not known.past_attempts:
            self._error.show("", None, version=None)
        else:
            trace, folded = seen.following.traceback, self._is_folded
            self._error.show(
                "Error" if known.error else "Attempts before",
                lambda width: life.error_lines(known, trace, width, is_folded=folded, key=self._key),
                version=(known.prediction_id, known.error, len(known.past_attempts), trace, folded),
            )
        if row is None or known.status is not Status.FAILED:
            self._elsewhere.show("", None, version=None)
            self._same = (None, None, None)
            return
        group, good = self._find_same(row, view)
        now_ms = view.now_ms
        self._elsewhere.show(
            "The same error elsewhere",
            lambda width: life.elsewhere_lines(group, good, now_ms, width, key=self._key),
            version=(known.prediction_id, group, good and good.prediction_id, now_ms // 1000),
        )

    def _find_same(self, row: Row, view: View) -> tuple[ErrorGroup | None, Row | None]:
        """Looked for again every other second."""
        version = (row.prediction_id, row.fingerprint, view.now_ms // LOOK_EVERY_MS, view.as_of_ms)
        if self._same[0] != version:
            rows = view.book.rows if view.as_of_ms is None else view.book.rows[: view.book.until(view.as_of_ms)]
            self._same = (version, elsewhere(rows, row), last_good(rows, row))
        return self._same[1], self._same[2]

    def _draw_values(self, seen: Seen) -> None:
        known, following = seen.known, seen.following
        now = AS_IT_IS_NOW if seen.view.past_s is not None else ""
        given, why = following.given, following.why_no_input
        size = known.input_bytes or (len(given.json.encode()) if given else 0)
        title = f"Input · {formats.size_bytes(size)}" if size else "Input"
        preview = seen.row.input_preview if seen.row else ""
        draw = _text(preview or formats.UNKNOWN, f"Only its beginning: {why}.")
        if following.input is not None:
            draw, title = self._values(following.input, title)
        version = (known.prediction_id, given, why, preview, self._is_folded)
        self._input.show(title, draw, version=version)
        self._draw_output(seen, now)

    def _draw_said(self, seen: Seen) -> None:
        known, said, story = seen.known, tuple(_said(seen)), seen.following.story
        is_timed = all(each.at for each in said)
        folded = self._is_folded
        note = "" if is_timed or not seen.following.has_ended else NO_TIMES
        if story.missing:
            note = f"{formats.count(story.missing)} more that it said is kept no more."

        def lines(width: int) -> Lines:
            return life.said_lines(known, said, note, width, is_folded=folded, key=self._key)

        self._said.show(
            "Progress and log" if is_timed or seen.view.past_s is None else f"Progress and log{AS_IT_IS_NOW}",
            lines if said else None,
            version=(known.prediction_id, len(said), said[-1:], note, folded),
        )

    def _draw_output(self, seen: Seen, now: str) -> None:
        known, following, section = seen.known, seen.following, self._output
        output, said = following.output, following.story.output
        preview = seen.row.output_preview if seen.row else ""
        if output is not None:
            title = f"Output · {formats.size_bytes(known.output_bytes)}" if known.output_bytes else "Output"
            draw, title = self._values(output, title)
            section.show(title + now, draw, version=(known.prediction_id, output, self._is_folded))
        elif said and not known.status.is_terminal:
            section.show("Output so far", lambda width: wrapped([said], width, palette.PLAIN), version=said)
        elif preview and following.whole is None:
            draw = _text(preview, "Only its beginning: the whole cannot be read now.")
            section.show("Output", draw, version=(known.prediction_id, preview))
        else:
            section.show("", None, version=None)

    def _values(self, value: Written, title: str) -> tuple[Callable[[int], Lines], str]:
        texts = value.folded if self._is_folded else value.whole
        if value.is_long:
            title += f" · {self._key('f')} {'shows all' if self._is_folded else 'folds'}"
        return (lambda width: wrapped(texts, width, palette.PLAIN)), title


def _said(seen: Seen) -> list[Told]:
    """What the model has said by then, as it was heard; else the lines of the record, which have no times."""
    said, as_of_ms = seen.following.story.said, seen.view.as_of_ms
    if not said:
        return [Told(kind="log", text=text) for text in seen.known.log]
    return [each for each in said if as_of_ms is None or each.at is None or ms_of(each.at) <= as_of_ms]


def _text(text: str, note: str) -> Callable[[int], Lines]:
    return lambda width: [*wrapped([text], width, palette.PLAIN), *wrapped([note], width, palette.DIM)]
