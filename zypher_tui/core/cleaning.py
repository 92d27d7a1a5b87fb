"""Text from callers, models and hosts, made harmless before anything draws it.

A terminal obeys what it is sent: ``ESC ]0;`` sets its title, ``U+202E`` turns the rest of a line around, a newline
tears a table. Textual passes all of it on. So every string is cleaned once, where it enters (``sources``), and what
is inside is clean by construction. Nothing vanishes unseen but variation selectors: they only choose between looks.

=====================================  =======================================
control characters                     their pictures: ``␛``, ``␀``, newline ``↵``
C1, bidi controls, lone surrogates,    their escapes: ``\\x9b``, ``\\u202e``,
private use, unassigned                ``\\ud800``
zero-width characters, emoji joiners   ``·``
and modifiers, stacked accents
flag letters                           plain letters
spaces of every kind                   one space
=====================================  =======================================
"""

import unicodedata
from enum import Enum
from typing import Any, TypeVar, cast

import msgspec
from rich.cells import get_character_cell_size

T = TypeVar("T")

HIDDEN = "·"
"""Stands for a character without a width of its own that terminals do not agree on."""

BIDI_CONTROLS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_MAX_ACCENTS = 2
"""Combining marks kept on one character; scripts in use need no more, "zalgo" text does."""
_MAX_TABLE = 16_384


class _Visible(dict[int, str]):
    """Code point → harmless form, filled as characters turn up and emptied before hostile text could make it large."""

    def __missing__(self, code: int) -> str:
        if len(self) >= _MAX_TABLE:
            self.clear()
        form = self[code] = _visible(code)
        return form


def _visible(code: int) -> str:
    if (form := _FORMS.get(code)) is not None:
        return form
    character = chr(code)
    category = unicodedata.category(character)
    if category in ("Cc", "Cs", "Co", "Cn"):
        return _escape(code)
    if category == "Zs":
        return " "
    if category in ("Cf", "Me") or (category != "Mn" and get_character_cell_size(character) == 0):
        return HIDDEN
    return character


def _escape(code: int) -> str:
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


_FORMS: dict[int, str] = {
    **{code: chr(0x2400 + code) for code in range(0x20)},  # control pictures
    0x7F: "␡",
    **dict.fromkeys((0x0A, 0x2028, 0x2029), "↵"),
    **{ord(control): _escape(ord(control)) for control in BIDI_CONTROLS},
    **dict.fromkeys((*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)), ""),  # variation selectors
    **{0x1F1E6 + letter: chr(ord("A") + letter) for letter in range(26)},  # flags are pairs of these
    **dict.fromkeys(range(0x1F3FB, 0x1F400), HIDDEN),  # skin tones
}


_VISIBLE = _Visible()


def clean(text: str) -> str:
    """The text in one line that any terminal shows without obeying it; clean text comes back as it is."""
    if text.isascii() and text.isprintable():
        return text
    text = unicodedata.normalize("NFC", text.replace("\r\n", "\n")).translate(_VISIBLE)
    if text.isascii():
        return text
    kept: list[str] = []
    accents = _MAX_ACCENTS if text and unicodedata.category(text[0]) == "Mn" else 0  # nothing to sit on
    for character in text:
        if unicodedata.category(character) != "Mn":
            accents = 0
        elif (accents := accents + 1) > _MAX_ACCENTS:
            if accents == _MAX_ACCENTS + 1:
                kept.append(HIDDEN)
            continue
        kept.append(character)
    return "".join(kept)


def clean_lines(text: str, *, max_chars: int) -> list[str]:
    """Text of several lines, each cleaned; past ``max_chars`` one line says how much is not shown."""
    rest = len(text) - max_chars
    lines = [clean(line.expandtabs(4)) for line in text[:max_chars].replace("\r\n", "\n").split("\n")]
    return [*lines, f"… {rest:,} characters more"] if rest > 0 else lines


def cleaned(value: T, *, max_chars: int | None = None) -> T:
    """The same value with every string in it cleaned: Structs, lists, tuples and dicts, at any depth; enums stay.

    With ``max_chars`` strings are cut there first.
    """
    return cast("T", _cleaned(value, max_chars))


def _cleaned(value: Any, max_chars: int | None) -> Any:
    if isinstance(value, Enum):
        return value
    if isinstance(value, str):
        return clean(value[:max_chars])
    if isinstance(value, msgspec.Struct):
        return type(value)(**{name: _cleaned(getattr(value, name), max_chars) for name in value.__struct_fields__})
    if isinstance(value, dict):
        entries = cast("dict[Any, Any]", value)
        return {_cleaned(key, max_chars): _cleaned(entry, max_chars) for key, entry in entries.items()}
    if isinstance(value, (list, tuple)):
        items = [_cleaned(item, max_chars) for item in cast("list[Any]", value)]
        return items if isinstance(value, list) else tuple(items)
    return value
