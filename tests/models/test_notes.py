"""``Notes``: gathered from any thread, taken on the loop, bounded, harmless."""

import asyncio
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from zypher_jobs.errors import ModelError
from zypher_jobs.models.notes import LINE_CHARS, MESSAGE_CHARS, UNTAKEN_BYTES, Note, Notes


def plain(notes: list[Note]) -> list[tuple[str, Any]]:
    """Kind and data."""
    return [(note.kind, msgspec.json.decode(note.data)) for note in notes]


def unheard(_: Notes) -> None:
    """Told, and that is all."""


async def test_of_progress_the_newest_is_taken_in_its_place() -> None:
    """All else in the order in which it was said; the next round begins empty."""
    notes = Notes(asyncio.get_running_loop(), unheard)
    notes.progress(0.1, "a")
    notes.progress(0.2, "b")
    notes.chunk(1)
    notes.progress(0.3, "c")
    notes.chunk([2])
    dropped, taken = notes.take()
    (_, first), (kind, progress), (_, last) = plain(taken)
    assert (first, kind, last) == (1, "progress", [2])
    assert (progress["progress"], progress["message"]) == (0.3, "c")
    assert abs(datetime.fromisoformat(progress["at"]) - datetime.now(UTC)) < timedelta(minutes=1)
    assert dropped == 0
    assert notes.take() == (0, [])
    notes.log("behind")
    assert [note.kind for note in notes.take()[1]] == ["log"]


async def test_whoever_takes_is_told_once_for_all_that_is_said_meanwhile() -> None:
    """On the loop, from any thread; again only for what comes after."""
    told: list[Notes] = []
    notes = Notes(asyncio.get_running_loop(), told.append)
    threads = [threading.Thread(target=lambda: [notes.chunk(n) for n in range(1000)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    await asyncio.sleep(0)
    assert told == [notes]
    assert len(notes.take()[1]) == 4000
    notes.chunk(1)
    await asyncio.sleep(0)
    assert told == [notes, notes]


async def test_of_what_nobody_takes_the_oldest_is_dropped() -> None:
    """And counted: the newest stay, and what is missing is missing before them."""
    notes = Notes(asyncio.get_running_loop(), unheard)
    many = 3 * UNTAKEN_BYTES // 1000
    for number in range(many):
        notes.chunk(str(number).rjust(1000))
    dropped, taken = notes.take()
    assert UNTAKEN_BYTES - 2000 < sum(note.size for note in taken) <= UNTAKEN_BYTES
    assert [int(data) for _, data in plain(taken)] == list(range(dropped, many))
    notes.chunk("x" * UNTAKEN_BYTES)
    assert notes.take() == (1, [])
    notes.chunk("again")
    assert plain(notes.take()[1]) == [("output", "again")]


async def test_no_text_breaks_it() -> None:
    """Too long, or with halves of characters: cut, or replaced."""
    notes = Notes(asyncio.get_running_loop(), unheard)
    notes.log("a" * 10_000)
    notes.log("\ud800 half")
    notes.progress(float("nan"), "m" * 1000)
    _, (long, half, progress) = notes.take()
    assert len(msgspec.json.decode(long.data)["line"]) == LINE_CHARS
    assert msgspec.json.decode(half.data)["line"] == "? half"
    assert len(msgspec.json.decode(progress.data)["message"]) == MESSAGE_CHARS


async def test_a_chunk_that_json_cannot_hold_is_the_models_failure() -> None:
    """Said where it was yielded."""
    notes = Notes(asyncio.get_running_loop(), unheard)
    with pytest.raises(ModelError, match="JSON cannot hold"):
        notes.chunk(object())
    assert not notes.has_untaken


async def test_a_closed_one_hears_nothing() -> None:
    """A thread goes on after its prediction has ended."""
    notes = Notes(asyncio.get_running_loop(), unheard)
    notes.close()
    notes.chunk(1)
    assert notes.take() == (0, [])


def test_a_loop_that_is_gone_does_not_matter() -> None:
    """A hung thread may outlive it."""
    loop = asyncio.new_event_loop()
    notes = Notes(loop, unheard)
    loop.close()
    notes.chunk(1)
