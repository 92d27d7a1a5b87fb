"""The dashboard on a real terminal, over a real stack that is full of hostile text: the screen stays whole."""

import asyncio
import re
from pathlib import Path

import httpx
import pytest

from tests.process.stack import COMMAND, Up
from tests.terminals.terminal import Terminal

SEQUENCES = "\x1b]0;owned\x07\x1b[2J\x1b[31mred\x1b[0m\x9b31m\x1bP+q\x1b\\\x1b[?1049l\r\n\t\x00\x7f\u2028"
MARKUP = "[/red] [bold]x[/bold] [link=http://x]y[/] $primary {{x}}"
DIRECTIONS = "abc \u202e\u2066 שלום עולם مرحبا \u200f"
WIDE = "模型 👩\u200d👧 🇩🇪 ｡ é\u0301\u0301\u0301 \ue000 \ud7ff"
TEXTS = [SEQUENCES, MARKUP, DIRECTIONS, WIDE, "x" * 900_000, "\x1b[31m" * 20_000, "模" * 200_000]
NEVER = [b"\x1b]0;owned", b"owned\x07", "\x9b31m".encode(), b"\x1bP+q", "\u202e".encode(), "\u2066".encode()]
"""What no terminal may be sent, however it is cut."""
SIZES = [(80, 24), (120, 36), (200, 60)]


@pytest.mark.parametrize(("columns", "rows"), SIZES)
async def test_no_text_breaks_the_screen_or_reaches_the_terminal(tmp_path: Path, columns: int, rows: int) -> None:
    """Inputs, outputs, errors, progress and log lines; every screen, a prediction of each kind, its editor."""
    up = Up(tmp_path, models="tests.models.hostile:Hostile", max_body_bytes=4_000_000)
    try:
        await up.start_and_wait()
        async with httpx.AsyncClient(base_url=up.url, timeout=60) as client:
            ids = [await _asked(client, {"text": text, "fails": fails}) for text in TEXTS for fails in (False, True)]
            for each in ids:
                assert (await client.get(f"/predict/{each}", params={"wait": 30})).json()["finished_at"]
            await _asked(client, {"text": SEQUENCES, "waits": True})
        await asyncio.to_thread(_visit, up, columns, rows)
    finally:
        up.kill_everything()


async def _asked(client: httpx.AsyncClient, value: dict[str, object]) -> str:
    answer = await client.post("/models/hostile/predict", json=value, headers={"Async-Mode": "true"})
    return str(answer.raise_for_status().json()["prediction_id"])


def _visit(up: Up, columns: int, rows: int) -> None:
    terminal = Terminal([*COMMAND, "tui"], columns=columns, rows=rows, environment=up.environ)
    try:
        terminal.wait(lambda text: "API ● up" in text and "✗ failed" in text)
        for key, word in (
            ("2", "Predictions · "),
            ("3", "Workers · "),
            ("4", "Models"),
            ("5", ""),
            ("6", ""),
            ("1", ""),
        ):
            terminal.type(key)
            terminal.wait(lambda text, word=word: word in text)
            _see_it_whole(terminal)
        terminal.type("2")
        terminal.wait(lambda text: "╭─ Predictions · " in text)
        for number in range(2 * len(TEXTS) + 1):
            terminal.type("\r")
            terminal.wait(lambda text: "╭─ Prediction ─" in text and "◌ reading" not in text)
            _see_it_whole(terminal)
            if number % 5 == 1:
                terminal.type("e")
                terminal.wait(lambda text: "ctrl+s sends" in text or "cannot be edited" in text or "too long" in text)
                terminal.type("\x1b")
                terminal.wait(lambda text: "ctrl+s sends" not in text)
            terminal.type("\x1b")
            terminal.wait(lambda text: "╭─ Predictions · " in text)
            terminal.type("j")
        terminal.type("\x03")
        assert terminal.wait_for_end() == 0
        assert [each for each in NEVER if each in terminal.output] == []
    finally:
        terminal.close()


def _see_it_whole(terminal: Terminal) -> None:
    """Frames close where they began: no line is longer, shorter, or pushed aside by what stands in it."""
    terminal.wait(lambda _: all(re.search(r"[│╮╯▁-█]\s*$", line) for line in terminal.lines if line[0] in "│╭╰"))
