"""The dashboard over a slow line: keys answer, frames become fewer, nothing piles up."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.terminals.slow_link import SlowLink

SLOW = 2_000
FRAME_BYTES = 12_000
"""More than any one frame of it, were all of the screen drawn anew."""


def link_of(directory: Path, *, answers: bool) -> SlowLink:
    """The simulated system at the end of a line that is fast at first."""
    command = [sys.executable, "-m", "zypher_jobs.cli", "tui", "--demo"]
    link = SlowLink(command, answers=answers, environment=os.environ | {"XDG_CONFIG_HOME": str(directory)})
    link.wait(lambda text: "Latest predictions ·" in text)
    return link


@pytest.fixture
def link(tmp_path: Path) -> Iterator[SlowLink]:
    """Of a terminal that answers, as all do."""
    opened = link_of(tmp_path, answers=True)
    yield opened
    opened.close()


def test_a_key_answers_as_soon_as_what_was_before_is_taken(link: SlowLink) -> None:
    """At 2 kB/s: the line never stands idle until the effect is there, behind one frame at most."""
    link.bytes_per_s = SLOW
    link.until(lambda: link.waiting_bytes > 500)
    for title in ("Latency · run", "Latency · wait", "Latency · total"):
        idle_s, taken = link.idle_s, link.taken_bytes
        link.type("w")
        link.wait(lambda text, title=title: title in text)
        assert link.idle_s - idle_s < 1  # 0.2 s and less where nothing else runs
        assert link.taken_bytes - taken < 2 * FRAME_BYTES


def test_a_line_that_stands_still_holds_nothing_up(link: SlowLink) -> None:
    """One frame waits, however long; the process grows by nothing, and with a fast line again it is all there."""
    before_mb = link.resident_mb
    link.bytes_per_s = 0
    written = -1

    def stands_still() -> bool:
        nonlocal written
        before, written = written, link.waiting_bytes
        return written == before > 0

    for _ in range(20):
        link.until(stands_still)
    link.type("w")
    assert link.waiting_bytes < FRAME_BYTES
    link.bytes_per_s, taken = None, link.taken_bytes
    link.wait(lambda text: "Latency · run" in text)
    assert link.taken_bytes - taken < 2 * FRAME_BYTES
    frames = link.frames
    link.until(lambda: link.frames >= frames + 3, timeout_s=8)
    assert link.resident_mb < before_mb + 20


def test_a_slow_line_gets_fewer_frames_and_time_to_rest(link: SlowLink) -> None:
    """Between two of them the line is free for what a key does."""
    link.bytes_per_s = SLOW
    frames = link.frames
    link.until(lambda: link.frames >= frames + 2)  # now it is known how slow it is
    taken, idle_s, frames = link.taken_bytes, link.idle_s, link.frames
    link.until(lambda: link.frames >= frames + 2)
    assert link.idle_s - idle_s > 0.3
    assert link.taken_bytes - taken < 3 * FRAME_BYTES


def test_a_terminal_that_never_answers_is_served_as_far_as_its_buffer_goes(tmp_path: Path) -> None:
    """And is asked no more after a few times."""
    link = link_of(tmp_path, answers=False)
    try:
        link.until(lambda: link.frames >= 5)
        link.bytes_per_s = 20_000
        link.type("w")
        link.wait(lambda text: "Latency · run" in text)
        assert link.frames == 5
        link.type("q")
        link.bytes_per_s = None
        assert link.wait_for_end() == 0
    finally:
        link.close()


def test_it_leaves_no_answer_to_whoever_has_the_terminal_next(link: SlowLink) -> None:
    """What was asked is heard before it ends."""
    link.bytes_per_s = 20_000
    link.type("q")
    assert link.wait_for_end() == 0


def test_what_another_program_wrote_is_drawn_over(link: SlowLink) -> None:
    """By ctrl+l: only what changes is written otherwise."""

    def stands_there() -> bool:
        link.scribble("Broadcast message from root")
        return link.lines[0].startswith("Broadcast")  # not if it came into the middle of a sequence

    link.until(stands_there)
    link.type("\x0c")
    link.wait(lambda text: text.startswith(" Zypher"))
