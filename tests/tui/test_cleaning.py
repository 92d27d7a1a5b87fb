"""Nothing that callers or models send can steer a terminal."""

import unicodedata

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from zypher_tui.core import cells
from zypher_tui.core.cleaning import BIDI_CONTROLS, clean, clean_lines, cleaned
from zypher_tui.core.previews import compact

HOSTILE = st.text(
    st.one_of(
        st.characters(),  # surrogates too
        st.sampled_from(
            "\x00\x07\x08\t\n\r\x1b\x7f\x85\x9b\u200b\u200d\u202e\u2066\ufeff\ufe0f\ud800\u0301\u3164👩🏽🇩"
        ),
    ),
    max_size=60,
)


def assert_harmless(text: str) -> None:
    for character in text:
        code = ord(character)
        assert code >= 0x20, f"control character {code:#x}"
        assert not 0x7F <= code <= 0x9F, f"C1 control {code:#x}"
        assert character not in BIDI_CONTROLS
        assert unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
    text.encode()  # no lone surrogate


@settings(deadline=None)
@given(HOSTILE)
def test_no_character_that_steers_a_terminal_comes_out(text: str) -> None:
    """Control characters, bidi controls, surrogates and zero-width characters never pass, in whatever company."""
    assert_harmless(clean(text))


@settings(deadline=None)
@given(HOSTILE)
def test_clean_text_stays_as_it_is(text: str) -> None:
    """Cleaning twice is cleaning once, so it cannot matter where it is done."""
    assert clean(clean(text)) == clean(text)


@settings(deadline=None)
@given(HOSTILE)
def test_a_preview_is_harmless_after_its_json_is_undone(text: str) -> None:
    """The escapes of JSON are no way around the cleaning."""
    escaped = "".join(f"\\u{ord(c):04x}" for c in text if ord(c) < 0xD800)
    assert_harmless(compact(clean(f'{{"input":"{escaped}"}}')))


@settings(deadline=None)
@given(st.text(st.characters(blacklist_categories=["Cs"])), st.integers(0, 40))
def test_a_cell_text_has_exactly_the_width_it_was_given(text: str, width: int) -> None:
    """Cut or filled up, it takes that many cells by the table Textual draws with."""
    shown = clean(text)
    assert cell_len(cells.fit(shown, width)) == width
    assert cell_len(cells.fit(shown, width, "right")) == width
    assert cell_len(cells.cut_start(shown, width)) <= width


@settings(deadline=None)
@given(st.text(st.characters(blacklist_categories=["Cs"])), st.integers(2, 40))
def test_wrapping_loses_nothing_and_keeps_the_width(text: str, width: int) -> None:
    """Lines are at most that wide and hold every character but the spaces they were broken at."""
    shown = clean(text)
    lines = cells.wrap(shown, width)
    assert all(cell_len(line) <= width for line in lines)
    assert "".join(lines).replace(" ", "") == shown.replace(" ", "")


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("\x1b]0;owned\x07", "␛]0;owned␇"),
        ("a\r\nb\nc", "a↵b↵c"),
        ("\x9b31m", "\\x9b31m"),
        ("invoice\u202efdp.exe", "invoice\\u202efdp.exe"),
        ("admin\u200b", "admin·"),
        ("\ud83d alone", "\\ud83d alone"),
        ("👩\u200d👧", "👩·👧"),
        ("❤\ufe0f", "❤"),
        ("🇩🇪", "DE"),
        ("e\u0301", "é"),
        ("z" + "\u0310\u0311\u0312\u0313\u0314", "z\u0310\u0311·"),
        ("模型 мир été", "模型 мир été"),
        ("plain [/red] text", "plain [/red] text"),
    ],
)
def test_what_is_taken_away_is_seen(hostile: str, shown: str) -> None:
    """Each kind of harmful character has a visible form; what does no harm stays."""
    assert clean(hostile) == shown


def test_every_string_of_a_struct_is_cleaned() -> None:
    """Whatever field is added later is clean too: keys, lists and nested Structs."""

    class Inner(msgspec.Struct):
        names: list[str]

    class Outer(msgspec.Struct):
        text: str
        inner: Inner
        table: dict[str, str]
        number: int

    given_ = Outer(text="\x1b", inner=Inner(names=["\x07"]), table={"\n": "\x00"}, number=3)
    assert cleaned(given_) == Outer(text="␛", inner=Inner(names=["␇"]), table={"↵": "␀"}, number=3)


def test_a_text_too_long_says_how_much_is_missing() -> None:
    """A megabyte is cut before it is looked at."""
    lines = clean_lines("a\x1b\nb" + "x" * 1_000_000, max_chars=10)
    assert lines == ["a␛", "bxxxxxx", "… 999,994 characters more"]


@pytest.mark.parametrize(
    ("preview", "given_", "shown"),
    [
        ('{"input":"hello"}', "", "hello"),
        ('{"digit":7,"confidence":0.98}', "", "digit 7 · confidence 0.98"),
        ('{"input":"hello","result":"2cf2"}', '{"input":"hello"}', "2cf2"),
        ('{"input":"hello"}', '{"input":"hello"}', "hello"),
        ('{"input":"cut sho', "", '"cut sho'),
        ("[1,2]", "", "[1,2]"),
        ("", "", ""),
        ("{}", "", "{}"),
        ('{"a":{"b":1}}', "", '{"b":1}'),
    ],
)
def test_a_preview_shows_values_first(preview: str, given_: str, shown: str) -> None:
    """A narrow column holds what differs, not the punctuation around it."""
    assert compact(preview, given=given_) == shown
