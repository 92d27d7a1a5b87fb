"""Inputs and outputs for reading: JSON in lines; images, long texts and long lists are named, not written out."""

import json
import math
from collections.abc import Iterator, Sequence
from typing import Any, cast

import msgspec

from zypher_tui.core.cleaning import clean
from zypher_tui.core.encoded import encoded

DEEPEST = 24
"""Levels that are written out."""
INLINE_CHARS = 60
"""A list or an object of plain values is one line up to here."""
MOST_MEMBERS = 200
MOST_DIMENSIONS = 6


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How much is written out."""

    text_chars: int
    """Of one text."""
    numbers: int
    """Of one list of plain values."""
    lines: int
    chars: int
    """Of all lines."""


EDITED_CHARS = 10_000
"""Of a text that stands in an editor."""
EDITED_NUMBERS = 64
FOLDED = Limits(text_chars=300, numbers=12, lines=24, chars=3_000)
WHOLE = Limits(text_chars=10_000, numbers=400, lines=4_000, chars=100_000)

_EVERYTHING = Limits(text_chars=2**31, numbers=2**31, lines=2**31, chars=2**31)


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """A value as lines, twice."""

    folded: list[str]
    whole: list[str]

    @property
    def is_long(self) -> bool:
        """Whether folding leaves something out."""
        return self.folded != self.whole


def written(value: Any) -> Written:
    """Both ways to show it."""
    return Written(folded=value_lines(value, FOLDED), whole=value_lines(value, WHOLE))


def value_lines(value: Any, limits: Limits) -> list[str]:
    """The value in clean lines; what is left out is counted. Bounded work, whatever the value holds."""
    lines: list[str] = []
    chars = 0
    for text in _lines(value, limits, "", "", 0):
        if len(lines) == limits.lines or chars > limits.chars:
            return [*lines, "… more lines"]
        lines.append(clean(text))
        chars += len(text)
    return lines


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """A value as JSON for an editor; what nobody edits by hand stands there as a name."""

    text: str
    """What would not be shown as it is stands there as ``\\uXXXX``."""
    kept: dict[str, Any]
    """What is meant by each name: ``<1: PNG image in base64, 9.0 kB>``."""

    def value_of(self, edited: Any) -> Any:
        """With what the names in it mean."""
        if isinstance(edited, str):
            return self.kept.get(edited, edited)
        if isinstance(edited, list):
            return [self.value_of(each) for each in cast("list[Any]", edited)]
        if isinstance(edited, dict):
            return {name: self.value_of(each) for name, each in cast("dict[str, Any]", edited).items()}
        return edited


def draft_of(value: Any) -> Draft:
    """Data in base64, long lists of numbers and very long texts are named."""
    kept = dict[str, Any]()
    short = _shortened(value, kept)
    text = "\n".join(_lines(short, _EVERYTHING, "", "", 0))
    try:
        is_same = json.loads(text) == short
    except ValueError:
        is_same = False
    return Draft(text=harmless_json(text if is_same else json.dumps(short, indent=2, ensure_ascii=False)), kept=kept)


def _shortened(value: Any, kept: dict[str, Any]) -> Any:
    if isinstance(value, dict):
        return {name: _shortened(each, kept) for name, each in cast("dict[str, Any]", value).items()}
    name = ""
    whole: Any = value
    if isinstance(value, str):
        rest = f"<{len(value):,} characters>" if len(value) > EDITED_CHARS else ""
        name = (encoded(value) or rest)[1:]
    elif isinstance(value, list):
        items = cast("list[Any]", value)
        shape = _shape(items)
        if shape is None or math.prod(shape) <= EDITED_NUMBERS:
            return [_shortened(each, kept) for each in items]
        name = f"{' x '.join(f'{each:,}' for each in shape)} numbers, {_range(_flat(items))}>"
    if not name:
        return whole
    name = f"<{len(kept) + 1}: {name}"
    kept[name] = whole
    return name


def harmless_json(text: str) -> str:
    """The JSON with each character that a terminal must not get as its escape; it means the same."""
    if text.isascii() and text.replace("\n", "").isprintable():
        return text
    return "".join(each if each == "\n" or clean(each) == each else _escaped(each) for each in text)


def plain_json(value: Any) -> str:
    """JSON in one line of printable ASCII."""
    return json.dumps(value, separators=(",", ":")).replace("\x7f", "\\u007f")


def _escaped(character: str) -> str:
    if character == "\t":
        return "\\t"
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{int.from_bytes(units[at : at + 2]):04x}" for at in range(0, len(units), 2))


def _lines(value: Any, limits: Limits, before: str, after: str, depth: int) -> Iterator[str]:
    """``before`` stands in front of the first line: the indent and the member's name; ``after`` is a comma, or not."""
    if isinstance(value, dict):
        members = cast("dict[str, Any]", value)
        yield from _object(members, limits, before, after, depth)
    elif isinstance(value, list):
        yield from _list(cast("list[Any]", value), limits, before, after, depth)
    else:
        yield before + _plain(value, limits) + after


def _object(members: dict[str, Any], limits: Limits, before: str, after: str, depth: int) -> Iterator[str]:
    if not members:
        yield before + "{}" + after
        return
    if depth >= DEEPEST:
        yield f"{before}<an object of {len(members):,}>{after}"
        return
    yield before + "{"
    indent = "  " * (depth + 1)
    last = len(members) - 1
    for number, (name, value) in enumerate(members.items()):
        if number == MOST_MEMBERS:
            yield f"{indent}<{len(members) - number:,} more members>"
            break
        title = _plain(name, limits) + ": "
        yield from _lines(value, limits, indent + title, "," if number < last else "", depth + 1)
    yield "  " * depth + "}" + after


def _list(items: list[Any], limits: Limits, before: str, after: str, depth: int) -> Iterator[str]:
    if (numbers := _numbers(items, limits)) is not None:
        yield before + numbers + after
        return
    if depth >= DEEPEST:
        yield f"{before}<a list of {len(items):,}>{after}"
        return
    yield before + "["
    indent = "  " * (depth + 1)
    for number, item in enumerate(items[: limits.numbers]):
        yield from _lines(item, limits, indent, "," if number < len(items) - 1 else "", depth + 1)
    if len(items) > limits.numbers:
        yield f"{indent}<{len(items) - limits.numbers:,} more>"
    yield "  " * depth + "]" + after


def _numbers(items: list[Any], limits: Limits) -> str | None:
    """A list that is one line: of numbers, however many, or a short one of plain values."""
    shape = _shape(items)
    if shape is not None and len(shape) > 1 and math.prod(shape) <= limits.numbers:
        return json.dumps(items)
    if shape is not None and len(shape) > 1:
        return f"<{' x '.join(f'{each:,}' for each in shape)} numbers, {_range(_flat(items))}>"
    is_all_numbers = shape is not None
    if not is_all_numbers and not all(isinstance(each, (str, bool, int, float, type(None))) for each in items):
        return None
    texts = [_plain(each, limits) for each in items[: limits.numbers]]
    text = ", ".join(texts)
    if len(items) <= limits.numbers and (is_all_numbers or len(text) <= INLINE_CHARS):
        return f"[{text}]"
    if not is_all_numbers:
        return None
    return f"[{text}, <{len(items) - len(texts):,} more numbers, all {_range(items)}>]"


def _shape(items: Sequence[Any], depth: int = 0) -> tuple[int, ...] | None:
    """Of nested lists of numbers, all alike in length; ``None`` for anything else."""
    if not items or depth > MOST_DIMENSIONS:
        return None
    first = items[0]
    if _is_number(first):
        return (len(items),) if all(map(_is_number, items)) else None
    if not isinstance(first, list):
        return None
    inner = _shape(cast("list[Any]", first), depth + 1)
    if inner is None or not all(_shape_of(each, depth + 1) == inner for each in items):
        return None
    return (len(items), *inner)


def _shape_of(value: Any, depth: int) -> tuple[int, ...] | None:
    return _shape(cast("list[Any]", value), depth) if isinstance(value, list) else None


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _flat(items: list[Any]) -> list[float]:
    while items and isinstance(items[0], list):
        items = [each for inner in items for each in inner]
    return items


def _range(numbers: Sequence[float]) -> str:
    low, high = min(numbers), max(numbers)
    return f"{low:g}" if low == high else f"{low:g} to {high:g}"


def _plain(value: Any, limits: Limits) -> str:
    if not isinstance(value, str):
        return json.dumps(value)[: limits.text_chars]
    if (named := encoded(value)) is not None:
        return named
    rest = len(value) - limits.text_chars
    if rest <= 0:
        return json.dumps(value, ensure_ascii=False)
    return json.dumps(value[: limits.text_chars], ensure_ascii=False) + f" <{rest:,} characters more>"
