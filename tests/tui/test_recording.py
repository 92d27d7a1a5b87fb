"""Recordings: what is written is read again, whatever happened to the file, and whoever made it."""

import gzip
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tui.facts import NOW, health, histogram, overview, reading, summary
from tests.tui.recordings import HEADER, an_incident, recorded, taped
from zypher_jobs.contracts.event import Event
from zypher_jobs.contracts.prediction import Mode, PredictionFailure, PredictionSummary, Status
from zypher_jobs.errors import StartError
from zypher_tui.core import unpacking
from zypher_tui.core.cleaning import clean
from zypher_tui.core.durations import WrongTime, seconds_of, time_of
from zypher_tui.core.readings import Fault, SourceName
from zypher_tui.core.recording import (
    MAX_CHARS,
    EventsLine,
    FrameLine,
    Line,
    RowsLine,
    WrongRecording,
    read_line,
    readings_of,
    write_line,
)
from zypher_tui.core.store import Store
from zypher_tui.core.tape import Tape
from zypher_tui.core.view import Link
from zypher_tui.sources import recording_file, replayed
from zypher_tui.sources.recording_file import RecordingFile, RecordingFull
from zypher_tui.sources.replay import Replay

TERMINAL = [status for status in Status if status.is_terminal]

ids = st.sampled_from(["a", "b", "c", "d"])
texts = st.text(max_size=30).map(clean)
times = st.datetimes(datetime(1971, 1, 1), datetime(2199, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
numbers = st.floats(0, 2**52)
summaries = st.builds(
    PredictionSummary,
    prediction_id=ids,
    status=st.sampled_from(Status),
    model=texts,
    mode=st.sampled_from(Mode),
    input_preview=texts,
    output_preview=texts,
    error=st.none() | st.builds(PredictionFailure, code=texts, message=texts),
    progress=st.none() | numbers,
    created_at=times,
    started_at=st.none() | times,
    wait_ms=st.none() | numbers,
    worker=st.none() | texts,
)
events = st.builds(
    Event,
    event_id=texts,
    at=times,
    prediction_id=ids,
    status=st.sampled_from([*map(str, Status), "lost"]),
    worker=texts,
)
counts = st.dictionaries(st.sampled_from(Status), st.integers(0, 3))
latencies = st.lists(
    st.builds(histogram, st.sampled_from(["wait", "run"]), st.lists(st.integers(0, 2), min_size=4, max_size=4)),
    max_size=2,
    unique_by=lambda each: each.kind,
)
api_readings = st.builds(
    reading,
    st.just(SourceName.API),
    st.just(0.0),
    error=st.none() | texts,
    latency_ms=st.none() | numbers,
    overview=st.none() | st.builds(overview, depth=st.integers(0, 2**40), counts=counts, latencies=latencies),
    overview_error=st.none() | texts,
    fault=st.none() | st.sampled_from(Fault),
    health=st.none() | st.builds(health, redis_ok=st.booleans()),
)
redis_readings = st.builds(
    reading, st.just(SourceName.REDIS), st.just(0.0), overview=st.none() | st.just(overview(depth=3))
)
ticks = st.tuples(st.lists(summaries), st.lists(events), st.tuples(api_readings, redis_readings))


def packed(path: Path, *lines: Any) -> Path:
    """A file made by somebody else: the header, and lines that are bytes or become JSON."""
    texts = [line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines]
    path.write_bytes(gzip.compress(write_line(HEADER) + b"".join(text + b"\n" for text in texts)))
    return path


def rows_of(lines: list[Line]) -> Iterator[PredictionSummary]:
    """All rows in them."""
    for line in lines:
        if isinstance(line, RowsLine):
            yield from line.rows


@settings(deadline=None, max_examples=60)
@given(script=st.lists(ticks, max_size=6))
def test_what_is_written_is_read_again(script: list[Any], tmp_path_factory: pytest.TempPathFactory) -> None:
    """Whatever sources say in whatever order: frames, events, and of each prediction each change."""
    path = tmp_path_factory.mktemp("any") / "any"
    tape, written, last = Tape(previews=True), list[Line](), dict[str, PredictionSummary]()
    for second, (seen, happened, readings) in enumerate(script):
        tape.see(seen)
        tape.hear(happened)
        written += taped(tape, second, *readings)
        for each in seen:
            if each.status.is_terminal or not (
                each.prediction_id in last and last[each.prediction_id].status.is_terminal
            ):
                last[each.prediction_id] = each
    recorded(path, *written)
    replay = Replay(path)
    lines = list(replay.lines())
    assert (replay.header, replay.amiss) == (HEADER, None)
    assert [line for line in lines if not isinstance(line, FrameLine)] == [
        line for line in written if not isinstance(line, FrameLine)
    ]
    found: dict[str, PredictionSummary] = {}
    for row in rows_of(lines):
        assert found.get(row.prediction_id) != row
        found[row.prediction_id] = row
    assert found == last
    assert [e for line in lines if isinstance(line, EventsLine) for e in line.events] == [
        e for t in script for e in t[1]
    ]
    for (_, _, (api, _)), line in zip(script, [line for line in lines if isinstance(line, FrameLine)], strict=True):
        again = readings_of(line)[0]
        assert msgspec.structs.replace(again, at_s=0.0) == api


@settings(deadline=None, max_examples=60)
@given(script=st.lists(ticks, max_size=8), wanted=st.sets(st.integers(0, 7)), spaced=st.booleans())
def test_frames_that_are_skipped_take_nothing_with_them(
    script: list[Any], wanted: set[int], spaced: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Those that are wanted are as if all had been, whoever wrote the file."""
    path = tmp_path_factory.mktemp("some") / "some"
    tape, written = Tape(previews=True), list[Line]()
    for second, (_, _, readings) in enumerate(script):
        written += taped(tape, second, *readings)
    lines = [write_line(line).rstrip(b"\n") for line in written]
    packed(path, *[line.replace(b'{"kind":', b'{"kind": ', 1) if spaced else line for line in lines])
    ats = {NOW + timedelta(seconds=second) for second in wanted}
    some = list(Replay(path).lines(lambda frame: frame.at in ats))
    assert some == [line for line in Replay(path).lines() if line.at in ats]


def test_what_was_only_glanced_at_is_clean_and_checked(tmp_path: Path) -> None:
    """Counters of a frame that nobody wants reach a later one: no escape sequence, and no count below zero."""
    frame = json.loads(write_line(an_incident()[-1]))
    counts = {"mode": "sync", "status": "failed"}
    first = [counts | {"model": "\x1b[31m", "count": 1}, counts | {"model": "odd", "count": -1}]
    frames = [
        write_line(msgspec.convert(frame | {"at": f"2026-11-03T09:00:0{second}Z"}, FrameLine | RowsLine)).rstrip()
        for second in (0, 1)
    ]
    changed = [json.loads(each) for each in frames]
    changed[0]["overview"]["counts"], changed[1]["overview"]["counts"] = first, []
    changed[0].pop("is_whole", None)
    changed[1]["is_whole"] = False
    texts = [json.dumps(each, separators=(",", ":")).encode() for each in changed]
    replay = Replay(packed(tmp_path / "odd", *texts))
    (line,) = [each for each in replay.lines(lambda frame: frame.at.second == 1) if isinstance(each, FrameLine)]
    assert line.overview is not None
    assert [(each.model, each.count) for each in line.overview.counts] == [(clean("\x1b[31m"), 1)]
    assert replay.amiss == "1 of its lines are damaged and left out."


@pytest.mark.parametrize("end", ["whole", "cut"])
def test_the_end_of_a_long_file_is_found_without_reading_it(
    end: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its writer began anew now and then; where it never did, nothing is found, and nothing wrong."""
    for anew_bytes, is_found in ((2_000, True), (10**9, False)):
        monkeypatch.setattr(recording_file, "ANEW_BYTES", anew_bytes)
        path = tmp_path / f"long-{anew_bytes}"
        file = RecordingFile(path, HEADER, overwrite=True, max_bytes=1e9)
        tape = Tape(previews=True)
        for second in range(200):
            tape.see([summary(f"p{second * 7919}", created_at=NOW + timedelta(seconds=second))])
            file.write(*taped(tape, second, reading(SourceName.API, 0, overview=overview(depth=second))))
        if end == "whole":
            file.close()
        content = path.read_bytes()
        lines = gzip.decompress(content).splitlines() if end == "whole" else []
        found = unpacking.last_lines(content[-8_000:])
        assert bool(found) is is_found
        assert not lines or lines[len(lines) - len(found) :] == found
        assert Replay(path).end_s() == (NOW + timedelta(seconds=199)).timestamp()


@given(st.binary(max_size=2_000))
def test_a_foreign_end_is_no_end(tail: bytes) -> None:
    """Whatever is there, it is looked at without harm."""
    assert unpacking.last_lines(b"\x00\x00\xff\xff" + tail) == []


def test_a_file_that_was_cut_anywhere_reads_up_to_there(tmp_path: Path) -> None:
    """At every byte: the lines before it, and a sentence."""
    recorded(tmp_path / "whole", *an_incident())
    whole = list(Replay(tmp_path / "whole").lines())
    content = (tmp_path / "whole").read_bytes()
    most = 0
    for length in range(len(content)):
        cut = tmp_path / "cut"
        cut.write_bytes(content[:length])
        try:
            replay = Replay(cut)
        except WrongRecording:  # its first line is not whole
            assert most == 0
            continue
        lines = list(replay.lines())
        assert lines == whole[: len(lines)]
        assert len(lines) >= most
        most = len(lines)
        assert replay.amiss == "It has no end: its writer was killed, or is still at it."
    assert most == len(whole)


def test_each_frame_can_be_read_at_once(tmp_path: Path) -> None:
    """A writer that is killed loses nothing that it wrote."""
    file = RecordingFile(tmp_path / "live", HEADER, overwrite=False, max_bytes=1e9)
    for number, line in enumerate(an_incident(), start=1):
        file.write(line)
        assert len(list(Replay(tmp_path / "live").lines())) == number
    file.close()


def test_damage_in_the_middle_is_said(tmp_path: Path) -> None:
    """Never a traceback: what can be read is shown, or the file is refused."""
    recorded(tmp_path / "whole", *an_incident())
    content = (tmp_path / "whole").read_bytes()
    for place in range(len(content)):
        damaged = bytearray(content)
        damaged[place] ^= 0x55
        (tmp_path / "damaged").write_bytes(damaged)
        try:
            replay = Replay(tmp_path / "damaged")
            list(replay.lines())
        except WrongRecording:
            continue
        assert replay.amiss or place < 12  # a header of gzip says nothing that matters


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "there is nothing in it"),
        (b"hello", "not packed with gzip"),
        (gzip.compress(b"", mtime=0), "there is nothing in it"),
        (gzip.compress(b'{"a":1}\n', mtime=0), "does not begin with what it is"),
        (gzip.compress(b"\xff\xfe\n", mtime=0), "does not begin with what it is"),
        (
            gzip.compress(b'{"zypher_recording":2,"version":"9.0.0"}\n', mtime=0),
            "of format 2, written by Zypher 9.0.0; this version",
        ),
        (gzip.compress(b'{"zypher_recording":1,"version":"1"}\n', mtime=0), "first line is damaged: .*started_at"),
        (gzip.compress(b"[" * 10_000_000, mtime=0), "longer than 8 MiB"),
        (gzip.compress(write_line(HEADER) + b"x\n" * 1000, mtime=0), "Most of it cannot be understood"),
    ],
)
def test_what_is_no_recording_is_refused(content: bytes, said: str, tmp_path: Path) -> None:
    """With a sentence that says why."""
    (tmp_path / "other").write_bytes(content)
    with pytest.raises(WrongRecording, match=said):
        list(Replay(tmp_path / "other").lines())


def test_a_bomb_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A small file that unpacks to more than a recording ever holds."""
    monkeypatch.setattr(unpacking, "MAX_TOTAL_BYTES", 1_000_000)
    bomb = packed(tmp_path / "bomb", *[{"kind": "new"}] * 100_000)
    assert bomb.stat().st_size < 10_000
    with pytest.raises(WrongRecording, match="unpacks to more than"):
        list(Replay(bomb).lines())


def test_a_file_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    """And a directory is none."""
    with pytest.raises(WrongRecording, match="no such file"):
        Replay(tmp_path / "none")
    with pytest.raises(WrongRecording, match="is a directory"):
        Replay(tmp_path)


def a_row(**fields: Any) -> dict[str, Any]:
    """A row as somebody may write it."""
    row = {
        "prediction_id": "a",
        "status": "queued",
        "model": "mock",
        "mode": "sync",
        "created_at": "2026-11-03T09:00:00Z",
    }
    return row | fields


def a_rows_line(*rows: Any) -> dict[str, Any]:
    """Those in a line."""
    return {"kind": "rows", "at": "2026-11-03T09:00:00Z", "rows": rows}


def test_what_a_newer_version_adds_is_skipped(tmp_path: Path) -> None:
    """Kinds of lines and fields that nobody knows yet: no complaint."""
    newer = packed(tmp_path / "newer", {"kind": "picture", "at": 1}, a_rows_line(a_row(mood="good")))
    replay = Replay(newer)
    assert [row.prediction_id for row in rows_of(list(replay.lines()))] == ["a"]
    assert replay.amiss is None


@pytest.mark.parametrize("text", ["\x1b]0;owned\x07", "\u202egnp.exe", "\x9b31m", "a\nb", "\x7f", "x" * 1_000_000])
def test_hostile_strings_are_harmless(text: str, tmp_path: Path) -> None:
    """However they are escaped, in every field."""
    row = a_row(prediction_id=text, model=text, input_preview=text, error={"code": text, "message": text}, worker=text)
    (found,) = rows_of(list(Replay(packed(tmp_path / "hostile", a_rows_line(row))).lines()))
    assert found.error is not None
    for string in (found.prediction_id, found.model, found.input_preview, found.error.code, found.worker or ""):
        assert string == clean(text[:MAX_CHARS])


@pytest.mark.parametrize(
    "line",
    [
        a_rows_line(a_row(created_at="2026-11-03T09:00:00")),
        a_rows_line(a_row(created_at="0001-01-01T00:00:00Z")),
        a_rows_line(a_row(run_ms=1e300)),
        a_rows_line(a_row(attempts=-1)),
        a_rows_line(a_row(status="asleep")),
        a_rows_line(a_row() | {"x": 1}) | {"at": "2026-11-03T09:00:00"},
        {"kind": "frame", "at": "2026-11-03T09:00:00Z", "sources": {"sun": {}}},
        b'{"kind":"frame","x":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        a_rows_line(a_row(model="\ud800")),
        b"\xff",
        b"",
    ],
)
def test_what_cannot_be_is_left_out(line: Any, tmp_path: Path) -> None:
    """And said; the rest is read."""
    replay = Replay(packed(tmp_path / "odd", line, a_rows_line(a_row())))
    assert [row.prediction_id for row in rows_of(list(replay.lines()))] == ["a"]
    assert replay.amiss == "1 of its lines are damaged and left out."


def test_a_histogram_must_fit_its_bounds(tmp_path: Path) -> None:
    """A frame with one that does not is left out."""
    odd = {"model": "m", "mode": "sync", "kind": "run", "bounds_ms": [1], "counts": [1, 2, 3], "sum_ms": 0}
    frame = json.loads(write_line(an_incident()[-1]))
    for good, histograms in ((True, [odd | {"counts": [1, 2]}]), (False, [odd])):
        frame["overview"]["latencies"] = histograms
        lines = list(Replay(packed(tmp_path / "odd", frame)).lines())
        assert bool(lines) is good


def test_inputs_and_outputs_can_be_left_out() -> None:
    """Errors stay."""
    tape = Tape(previews=False)
    error = PredictionFailure(code="model_error", message="no digit")
    tape.see([summary("a", input_preview="secret", output_preview="secret", error=error)])
    (row,) = rows_of(taped(tape, 0, reading(SourceName.API, 0)))
    assert (row.input_preview, row.output_preview, row.error) == ("", "", error)


@pytest.mark.parametrize("status", TERMINAL)
def test_the_end_of_a_prediction_is_asked_for_once(status: Status) -> None:
    """Unless a list said it already."""
    tape = Tape(previews=True)
    tape.see([summary("seen", status=status), summary("runs", status=Status.RUNNING)])
    for each in ("seen", "runs", "new"):
        tape.hear([Event(event_id="1-0.1", at=NOW, prediction_id=each, status=status.value)])
    assert tape.take_ended() == ["new", "runs"]
    assert tape.take_ended() == []


def test_a_file_is_not_overwritten_by_accident(tmp_path: Path) -> None:
    """Only when asked; and only its owner can read it."""
    path = tmp_path / "kept"
    recorded(path)
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(StartError, match="exists already"):
        RecordingFile(path, HEADER, overwrite=False, max_bytes=1e9)
    with pytest.raises(StartError, match="cannot be written: no such file"):
        RecordingFile(tmp_path / "no" / "where", HEADER, overwrite=False, max_bytes=1e9)
    RecordingFile(path, HEADER, overwrite=True, max_bytes=1e9).close()


def test_a_file_stays_below_its_limit(tmp_path: Path) -> None:
    """It says so when it is full, and what is in it is whole."""
    file = RecordingFile(tmp_path / "full", HEADER, overwrite=False, max_bytes=2_000)
    lines = an_incident() * 1_000
    with pytest.raises(RecordingFull):
        any(file.write(line) for line in lines)
    file.close()
    replay = Replay(tmp_path / "full")
    assert list(replay.lines())
    assert replay.amiss is None
    assert file.size_bytes == (tmp_path / "full").stat().st_size < 2_500


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("5m", 300), ("5min", 300), ("1.5h", 5400), ("2d", 172_800)]
)
def test_durations(text: str, seconds: float) -> None:
    """As people write them."""
    assert seconds_of(text) == seconds
    assert time_of(f"+{text}", NOW) == NOW + timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "5", "m", "-5m", "2026-11-03T09:00:00", "yesterday", "+5"])
def test_what_is_no_time_is_refused(text: str) -> None:
    """With an example of each form."""
    with pytest.raises(WrongTime, match=r"write \+5m \(after its begin\) or 2026-11-03T09:00:00Z"):
        time_of(text, NOW)


def test_a_time_with_a_zone_is_an_instant() -> None:
    """In any zone."""
    assert time_of("2026-11-03T10:00:00+01:00", NOW) == NOW


def test_a_long_recording_is_loaded_in_bounded_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of many frames some, evenly, and those at which a source went away or came back; the last of each prediction."""
    monkeypatch.setattr(replayed, "MOST_FRAMES", 20)
    tape, lines = Tape(previews=True), list[Line]()
    for second in range(400):
        tape.see([summary(f"p{second}", status=Status.SUCCEEDED, created_at=NOW + timedelta(seconds=second))])
        tape.hear([Event(event_id=f"{second}-0.1", at=NOW, prediction_id="only heard", status="running", model="m")])
        api = reading(SourceName.API, 0, overview=overview(depth=second, counts={Status.SUCCEEDED: second}))
        away = reading(SourceName.API, 0, error="connection refused")
        lines += taped(tape, second, away if second in (333, 334) else api)
    loaded = replayed.load(recorded(tmp_path / "long", *lines))
    store, first_s = loaded.store, NOW.timestamp()
    assert 20 <= len(store.timeline) <= 26
    assert (loaded.first_s, loaded.last_s >= first_s + 380, loaded.amiss) == (first_s, True, None)
    assert len(store.book) == 401
    heard = store.book.get("only heard")
    assert heard is not None
    assert heard.status is Status.RUNNING
    for second, link in ((332, Link.UP), (333, Link.AWAY), (335, Link.UP)):
        view = store.view(loaded.last_s, at_s=first_s + second)
        assert view.links[0].link is link
        assert len(view.rows) <= second + 2
    frame = store.timeline.at(first_s + 335)
    assert frame is not None
    assert frame.overview is not None
    assert [count.count for count in frame.overview.counts] == [335]


def test_nothing_can_be_shown_of_a_file_without_frames(tmp_path: Path) -> None:
    """Its writer was killed at once."""
    with pytest.raises(WrongRecording, match="There is nothing to show in it"):
        replayed.load(recorded(tmp_path / "short"))


def test_an_api_that_wanted_a_key_wants_it_in_the_replay_too() -> None:
    """What kind of trouble it was is in the file; one that this version does not know is none."""
    store = Store()
    state = {"latency_ms": 1.0, "overview_error": "it asks for a key (401)", "fault": "key"}
    for fault, link in (("key", Link.REFUSING), ("of-another-version", Link.UP)):
        line = {"kind": "frame", "at": NOW.isoformat(), "sources": {"api": state | {"fault": fault}}}
        frame = read_line(json.dumps(line).encode())
        assert isinstance(frame, FrameLine)
        store.fold(*readings_of(frame))
        assert store.view(frame.at.timestamp()).links[0].link is link
