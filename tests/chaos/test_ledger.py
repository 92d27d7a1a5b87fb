"""The ledger complains when it should: of what a run would show if the queue did something wrong."""

from pathlib import Path
from signal import SIGKILL
from typing import Any

import msgspec
import pytest

from tests.chaos import predictions, processes
from tests.chaos.buried import exhume
from tests.chaos.faults import WorkerKill
from tests.chaos.follower import Follower, Seen
from tests.chaos.load import Accepted, Load
from tests.chaos.model import Work, done_of
from tests.chaos.part import Life
from tests.chaos.processes import Process, read_logs
from tests.chaos.records import Known
from tests.chaos.recovery import Recoveries, recovery_of
from tests.chaos.runs import Run, overlaps
from tests.chaos.schedule import KINDS, draw, must_have_come
from tests.chaos.stack import Appendfsync, Stack
from tests.chaos.troubles import REDIS, Trouble, Troubles
from zypher_jobs.contracts.prediction import Status

WORK = Work(key=1, ms=5)


def life(name: str, pid: int, directory: Path = Path(), **what: object) -> Life:
    """A worker's, from 0 s on."""
    return msgspec.structs.replace(Life(name, "worker", pid, directory / f"{name}.0.log", 0.0), **what)


def complaints_of(
    tmp_path: Path, ends_at_s: list[float], *, appendfsync: Appendfsync = "everysec", **record: Any
) -> list[str]:
    """Of one accepted prediction with these terminal events, after a SIGKILL of Redis at 100 s."""
    load = Load(Stack(tmp_path, workers=1, apis=1, lease_s=1), per_s=1, callers=1, longest_ms=1, seed=1)
    load.works[1], load.accepted["a"] = WORK, Accepted(1, 10, 10.1)
    follower = Follower(Stack(tmp_path, workers=1, apis=1, lease_s=1))
    entries = [f"{int(at_s * 1000)}-0".encode() for at_s in ends_at_s]
    follower.seen["a"] = [Seen(entry, "succeeded", 1, "host-7-ab") for entry in entries]
    follower.keep(entries)
    known = Known(
        prediction_id="a",
        status=Status.SUCCEEDED,
        worker="host-7-ab",
        key=1,
        lists=["succeeded"],
        output=msgspec.to_builtins(done_of(WORK)),
    )
    known = msgspec.structs.replace(known, **record)
    runs = {1: [Run(1, 7, 10.2, 10.3, came_to_its_end=True)]}
    return list(
        predictions.account(
            load, follower, {"a": known}, runs, appendfsync=appendfsync, redis_kills=[100.0], to_mono_s=0
        ).complaints()
    )


@pytest.mark.parametrize("appendfsync", ["always", "everysec"])
def test_exactly_one_end_is_in_order(tmp_path: Path, appendfsync: Appendfsync) -> None:
    """One terminal event is what it wants; none and two are complaints, whatever Redis syncs."""
    assert complaints_of(tmp_path, [11], appendfsync=appendfsync) == []
    (complaint,) = complaints_of(tmp_path, [], appendfsync=appendfsync)
    assert complaint.startswith("terminal without a terminal event")
    (complaint,) = complaints_of(tmp_path, [11, 12], appendfsync=appendfsync)
    assert complaint.startswith("ended twice")


@pytest.mark.parametrize(
    ("record", "words"),
    [
        ({"status": None, "worker": ""}, "lost earlier than a second before"),
        ({"lists": ["succeeded", "running"]}, "not in the list of its status alone"),
        ({"output": {"key": 1, "answer": "another"}}, "wrong output"),
        ({"worker": "host-8-ab"}, "no run of its worker came to its end"),
        ({"status": Status.CANCELED, "lists": ["canceled"]}, "nobody asked for it"),
    ],
)
def test_a_wrong_record_is_a_complaint(tmp_path: Path, record: dict[str, Any], words: str) -> None:
    """Lost, in two places, with an output of another input, of a worker that never ran it, canceled by nobody."""
    (complaint,) = complaints_of(tmp_path, [11], **record)
    assert words in complaint


def recovery_after(began_again: list[float]) -> Recoveries:
    """One kill at 10 s of a worker with one victim; another worker serves."""
    killed, other = life("worker0", 7, ended_s=10.0, told=SIGKILL), life("worker1", 8)
    runs = {1: [Run(1, 7, 9.9), *(Run(1, 8, at_s, at_s + 1, came_to_its_end=True) for at_s in began_again)]}
    logs = [Process(killed, ready_s=1), Process(other, ready_s=1)]
    each = recovery_of(WorkerKill(killed, 10.0), runs, logs, Troubles(), lambda _: None, lease_s=2)
    return Recoveries(each=[each], bound_s=3)


def test_a_victim_has_its_bound() -> None:
    """Within lease + 1 s is in order; later is not, and never is no 0 s."""
    assert list(recovery_after([11.9]).complaints()) == []
    assert "later than 3 s" in next(recovery_after([13.1]).complaints())
    never = recovery_after([])
    assert never.of("another worker served") == []
    assert "never ran again" in next(never.complaints())


def test_runs_at_the_same_time_are_told_apart() -> None:
    """A killed worker's run ended with it; a frozen worker could not be heard; on live workers nothing explains it."""
    lives, troubles = [life("worker0", 7), life("worker1", 8)], Troubles()
    runs = [Run(1, 7, 10, 15, came_to_its_end=True), Run(1, 8, 14, 16, came_to_its_end=True)]
    (found,) = overlaps(runs, lives, troubles, lease_s=2)
    assert not found.why
    troubles.all.append(Trouble("frozen", "worker0", 11, 14.5))
    (found,) = overlaps(runs, lives, troubles, lease_s=2)
    assert found.silent
    killed = [life("worker0", 7, ended_s=12.0), lives[1]]
    assert overlaps([Run(1, 7, 10), runs[1]], killed, troubles, lease_s=2) == []


def test_poison_is_explained_by_deaths_only() -> None:
    """A claim whose reply was lost is no death of a worker."""
    lives = [life("worker0", 7, ended_s=10.5, told=SIGKILL), life("worker1", 8, ended_s=13.0, told=SIGKILL)]
    seen = [Seen(f"{at_s}000-0".encode(), "running", 1, f"host-{pid}-ab") for at_s, pid in ((10, 7), (12, 8), (14, 9))]
    known = Known(prediction_id="a", status=Status.FAILED, code="poison")
    runs = [Run(1, 7, 10.001), Run(1, 8, 12.001)]
    assert exhume(known, seen, runs, lives, Troubles(), to_mono_s=0).is_explained
    lives[1] = life("worker1", 8)
    buried = exhume(known, seen, runs[:1], lives, Troubles(), to_mono_s=0)
    assert not buried.is_explained
    assert "never began" in str(buried)


@pytest.mark.parametrize(
    ("said", "is_away", "complaints"),
    [
        ("The worker cannot start: Redis cannot be reached. Check ZYPHER_REDIS_URL.\n", True, 0),
        ("The worker cannot start: Redis cannot be reached. Check ZYPHER_REDIS_URL.\n", False, 1),
        ("Traceback (most recent call last):\n  at all\nKeyError: 'a'\n", True, 4),
        ("", True, 1),
    ],
)
def test_an_end_by_itself_is_a_complaint(tmp_path: Path, said: str, is_away: bool, complaints: int) -> None:
    """But for a worker that says why it cannot start while Redis is away; each line of a traceback is one, too."""
    ended = life("worker0", 7, tmp_path, ended_s=2.0, code=1)
    ended.log.write_text(said)
    troubles = Troubles()
    if is_away:
        troubles.all.append(Trouble("killed", REDIS, 0, 2))
    account = processes.account(read_logs([ended]), troubles, keepers_killed=0)
    account.attempts = 1
    assert len(list(account.complaints())) == complaints


def test_a_schedule_follows_from_its_seed() -> None:
    """The same again, another for another seed, and each kind that the run is long enough for."""
    planned = draw(1, seconds=300, gap_s=2)
    assert planned == draw(1, seconds=300, gap_s=2)
    assert planned != draw(2, seconds=300, gap_s=2)
    assert {one.kind.name for one in planned} == {kind.name for kind in KINDS}
    assert len(must_have_come(seconds=300, gap_s=2)) == len(KINDS)
