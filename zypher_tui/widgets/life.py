"""The parts of one prediction's life as lines."""

from collections.abc import Callable, Sequence

from rich.style import Style

from zypher_jobs.contracts.prediction import PastAttempt, Prediction
from zypher_tui.core import cells, formats
from zypher_tui.core.concerns import times
from zypher_tui.core.errors import ErrorGroup
from zypher_tui.core.life import Fact, Tone
from zypher_tui.core.rows import Row, at_of
from zypher_tui.core.story import Told
from zypher_tui.palette import palette
from zypher_tui.widgets.drawing import Part, length
from zypher_tui.widgets.section import Lines, wrapped
from zypher_tui.widgets.waterfall import MARKS

NAME_CELLS = 10
LEAST_FACT = 36
"""Cells of a column of facts."""
MESSAGE_CHARS = 4_000
FOLDED_LOG = 8
AFTER_CELLS = 7
ROOMY = 60
FOLDED_TRACEBACK = 6


Key = Callable[[str], str]
"""What a person presses, for the key that it is by default."""


def head_lines(known: Prediction, told: Sequence[Fact], note: str, width: int) -> Lines:
    """Status and id, then the facts in as many columns as there is room for."""
    glyph, style = palette.STATUS[known.status]
    lines: Lines = [[(f" {glyph} {known.status.value}  ", style), (known.prediction_id, palette.STRONG)]]
    columns = max((width - 1) // LEAST_FACT, 1)
    room = (width - 1) // columns
    line: list[Part] = []
    for fact in told:
        value = cells.cut(fact.value, max(columns * room - NAME_CELLS - 1, 1))
        parts: list[Part] = [(f" {fact.name:<{NAME_CELLS - 1}}", palette.DIM), (value, _style(fact.tone))]
        taken = -(-(length(parts) + 1) // room) * room
        if line and length(line) + taken > columns * room:
            lines.append(line)
            line = []
        line += [*parts, (" " * (taken - length(parts)), palette.PLAIN)]
    if line:
        lines.append(line)
    return lines + (wrapped([note], width, palette.WARNING) if note else [])


def error_lines(known: Prediction, traceback: Sequence[str], width: int, *, is_folded: bool, key: Key) -> Lines:
    """Why it failed, where in the model that was, and why its attempts before did."""
    lines: Lines = []
    if known.error is not None:
        lines += wrapped([f"{cut(known.error.message)} ({known.error.code})"], width, palette.ERROR)
        if is_folded and len(traceback) > FOLDED_TRACEBACK + 1:
            before = times(len(traceback) - FOLDED_TRACEBACK, "line")
            lines.append([(f" … {before} before, {key('f')} shows all", palette.DIM)])
            traceback = traceback[-FOLDED_TRACEBACK:]
        lines += wrapped(list(traceback), width, palette.DIM)
    for past in known.past_attempts:
        lines += _past_lines(past, width)
    return lines


def said_lines(known: Prediction, said: Sequence[Told], note: str, width: int, *, is_folded: bool, key: Key) -> Lines:
    """What the model said, in order: when, how long after the request, and its text."""
    kept = said[-FOLDED_LOG:] if is_folded and len(said) > FOLDED_LOG + 1 else said
    lines: Lines = []
    if len(kept) < len(said):
        lines.append([(f" … {len(said) - len(kept):,} before, {key('f')} shows all", palette.DIM)])
    for each in kept:
        is_step = each.kind == "progress"
        mark: list[Part] = [(" " + _when(each, known, width), palette.DIM), (f"{MARKS[each.kind]} ", palette.BRAND)]
        text = formats.progress(each.progress or 0.0, each.text) if is_step else cut(each.text)
        for number, part in enumerate(cells.wrap(text, max(width - length(mark) - 1, 8))):
            start: list[Part] = mark if number == 0 else [(" " * length(mark), palette.PLAIN)]
            lines.append([*start, (part, palette.DIM if is_step else palette.PLAIN)])
    return lines + (wrapped([note], width, palette.DIM) if note else [])


def _when(told: Told, known: Prediction, width: int) -> str:
    """The time and ``+1.2 s``; that alone where there is little room, nothing where no time is told."""
    if told.at is None:
        return ""
    after = "+" + formats.duration_ms((told.at - known.created_at).total_seconds() * 1000)
    return f"{formats.clock(told.at)} {after:>{AFTER_CELLS}} " if width >= ROOMY else f"{after:>{AFTER_CELLS}} "


def elsewhere_lines(group: ErrorGroup | None, good: Row | None, now_ms: int, width: int, *, key: Key) -> Lines:
    """How often the same went wrong, since when and where; and what went well last."""
    texts: list[str] = []
    if group is None:
        texts.append("No other prediction that is known here failed like this one.")
    else:
        others = "1 other" if group.count == 1 else f"{formats.count(group.count)} others"
        first, last = formats.clock(at_of(group.first_ms)), formats.clock(at_of(group.last_ms))
        texts.append(f"{others} failed like this one: first {first}, last {last} ({key('s')} shows them).")
        texts.append(f"Models: {', '.join(group.models) or formats.UNKNOWN}.")
        texts.append(f"Workers: {', '.join(group.workers) or formats.UNKNOWN}.")
    if good is None:
        texts.append("None of this model is known to have succeeded before it.")
    else:
        ago = f", {formats.duration_ms(now_ms - good.finished_ms)} ago" if good.finished_ms and now_ms else ""
        texts.append(f"The last good one of this model: {good.prediction_id}{ago} ({key('l')} opens it).")
    return wrapped(texts, width, palette.PLAIN)


def cut(text: str) -> str:
    """A message that is no book."""
    rest = len(text) - MESSAGE_CHARS
    return text if rest <= 0 else f"{text[:MESSAGE_CHARS]} … {rest:,} characters more"


def _past_lines(past: PastAttempt, width: int) -> Lines:
    took = (past.finished_at - past.started_at).total_seconds() * 1000
    where = f" on {past.worker}" if past.worker else ""
    title = f"attempt {past.number} at {formats.clock(past.started_at)}, {formats.duration_ms(took)}{where}:"
    message = f"{cut(past.error.message)} ({past.error.code})"
    return [*wrapped([title], width, palette.DIM), *wrapped([f"  {message}"], width, palette.PLAIN)]


def _style(tone: Tone) -> Style:
    return {"plain": palette.PLAIN, "dim": palette.DIM, "strong": palette.STRONG, "error": palette.ERROR}[tone]
