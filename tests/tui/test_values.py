"""Inputs and outputs as lines, as JSON to edit, and as a command."""

import base64
import json
import random
import shlex
import subprocess
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tui.facts import whole
from zypher_jobs.contracts.prediction import Mode, Priority
from zypher_tui.core import cells
from zypher_tui.core.cleaning import clean
from zypher_tui.core.curl import MOST_CHARS, curl_of
from zypher_tui.core.life import given_of
from zypher_tui.core.values import FOLDED, WHOLE, draft_of, harmless_json, plain_json, value_lines, written

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=5),
    max_leaves=20,
)
PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + random.Random(1).randbytes(9_000)).decode()


@pytest.mark.parametrize(
    ("value", "line"),
    [
        (PNG, "<PNG image in base64, 9.0 kB>"),
        (f"data:image/png;base64,{PNG}", "<PNG image in base64, 9.0 kB>"),
        ("data:audio/x-new;base64," + "QUFB" * 40, "<audio/x-new in base64, 120 B>"),
        (list(range(1000)), "[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, <988 more numbers, all 0 to 999>]"),
        ([[1, 2, 3]] * 28, "<28 x 3 numbers, 1 to 3>"),
        ([[[0.5, 2]]] * 8, "<8 x 1 x 2 numbers, 0.5 to 2>"),
        ([[1, 2], [3, 4]], "[[1, 2], [3, 4]]"),
        ([1, "a", None, True], '[1, "a", null, true]'),
        ("a" * 1_000_000, '"' + "a" * 300 + '" <999,700 characters more>'),
        ("\x1b]0;x\x07 [/red] \u202e", '"\\u001b]0;x\\u0007 [/red] \\u202e"'),
        ({}, "{}"),
        ([], "[]"),
        (12345678901234567890123456789, "12345678901234567890123456789"),
    ],
)
def test_what_is_long_is_named_with_its_size(value: Any, line: str) -> None:
    """Images, tensors and texts say what they are; nothing in them is obeyed."""
    assert value_lines(value, FOLDED) == [line]


def test_an_object_is_pretty_json() -> None:
    """Two spaces a level, short lists in one line, no trailing commas; folding cuts it and says so."""
    value = {"text": "hi", "tags": ["a", "b"], "box": {"x": 1}, "rows": [{"a": 1}, {"a": 2}]}
    assert json.loads("\n".join(value_lines(value, WHOLE))) == value
    assert value_lines(value, WHOLE)[:3] == ["{", '  "text": "hi",', '  "tags": ["a", "b"],']
    long = written({str(number): number for number in range(100)})
    assert long.is_long
    assert len(long.folded) == FOLDED.lines + 1
    assert long.folded[-1] == "… more lines"
    assert len(long.whole) == 102
    assert not written(value).is_long


@settings(deadline=None, max_examples=60)
@given(JSON)
def test_any_value_is_clean_lines_and_harmless_json(value: Any) -> None:
    """What a terminal gets is clean by construction, and what is edited or copied means the same."""
    for line in value_lines(value, FOLDED):
        assert clean(line) == line
    draft = draft_of(value)
    assert all(clean(line) == line for line in draft.text.split("\n"))
    assert harmless_json(draft.text) == draft.text
    assert draft.value_of(json.loads(draft.text)) == value
    assert json.loads(plain_json(value)) == value
    assert plain_json(value).isascii()
    assert plain_json(value).isprintable()


@pytest.mark.parametrize(
    "value",
    [
        "x" * 4_000_000,
        {"rows": [{"a": number} for number in range(200_000)]},
        [list(range(1000))] * 500,
        {f"key {number}": "模型" * 5_000 for number in range(200)},
        json.loads("[" * 400 + "]" * 400),
    ],
    ids=["text", "rows", "matrix", "texts", "deep"],
)
def test_a_huge_value_takes_no_time(value: Any) -> None:
    """Neither to write nor to break into lines: a frame never waits for it."""
    begun_s = time.process_time()
    draft_of(value)
    lines = written(value)
    for line in lines.whole:
        cells.wrap(line, 76)
    assert time.process_time() - begun_s < 1
    assert sum(map(len, lines.whole)) < 2 * WHOLE.chars


def test_a_draft_names_what_nobody_edits_by_hand() -> None:
    """An image, a matrix, a book; what is said of each is what it is when it is sent, wherever it stands then."""
    value = {"image": PNG, "pixels": [[0, 255] * 14] * 28, "book": "word " * 5_000, "row": [1, 2], "deep": [{"a": PNG}]}
    draft = draft_of(value)
    assert draft.text.split("\n") == [
        "{",
        '  "image": "<1: PNG image in base64, 9.0 kB>",',
        '  "pixels": "<2: 28 x 28 numbers, 0 to 255>",',
        '  "book": "<3: 25,000 characters>",',
        '  "row": [1, 2],',
        '  "deep": [',
        "    {",
        '      "a": "<4: PNG image in base64, 9.0 kB>"',
        "    }",
        "  ]",
        "}",
    ]
    edited = json.loads(draft.text)
    assert draft.value_of(edited) == value
    assert draft.value_of({"other": [edited["image"]]}) == {"other": [PNG]}
    assert draft_of("<1: x>").value_of("<1: x>") == "<1: x>"


def test_a_preview_is_the_input_only_if_it_is_all_of_it() -> None:
    """By its size and by what it says: a number that was cut is a number too."""
    assert given_of('{"a": "é"}', size_bytes=len('{"a": "é"}'.encode())).value == {"a": "é"}
    assert not given_of('{"a": "', size_bytes=7).is_whole
    cut = given_of("1" * 200, size_bytes=300)
    assert not cut.is_whole
    with pytest.raises(ValueError, match="only its beginning"):
        _ = cut.value


@pytest.mark.parametrize(
    "text", ["hello", 'it\'s $HOME `id` \\ "x" !! \n', "\x1b[31m \u202e 模型 \x7f", "a" * MOST_CHARS]
)
def test_a_shell_reads_the_copied_command_as_it_was_meant(text: str) -> None:
    """Quoted for any shell, in printable ASCII; a large body goes through a here document."""
    value = {"input": text}
    command = curl_of(whole("p"), value, api_url="http://127.0.0.1:8080/", with_key=True)
    assert command.replace("\n", "").isascii()
    assert command.replace("\n", "").isprintable()
    script = f'curl() {{ printf "%s\\0" "$@"; case "$*" in *@-*) cat;; esac; }}\nZYPHER_API_KEY=secret\n{command}\n'
    said = subprocess.run(["/bin/sh"], input=script.encode(), capture_output=True, check=True).stdout.decode()
    *arguments, body = said.rstrip("\n").removesuffix("\0").split("\0")
    assert arguments[0] == "http://127.0.0.1:8080/models/mock/versions/2/predict"
    assert "Authorization: Bearer secret" in arguments
    assert "Async-Mode: true" in arguments
    assert json.loads(body) == value


def test_the_command_names_the_priority_where_it_matters() -> None:
    """Only the route for many takes one; a synchronous one waits in no queue. No key is named where none was used."""
    queued = curl_of(whole("p", priority=Priority.HIGH), "x", api_url="http://h", with_key=False)
    arguments = shlex.split(queued)
    assert arguments[1] == "http://h/predictions"
    assert json.loads(arguments[-1]) == [{"model": "mock", "version": "2", "priority": "high", "input": "x"}]
    now = curl_of(whole("p", mode=Mode.SYNC, priority=Priority.HIGH), "x", api_url="http://h", with_key=False)
    assert "Async-Mode" not in now
    assert "ZYPHER_API_KEY" not in now
