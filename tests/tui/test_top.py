"""``zypher top --once``: the same facts with no terminal and no Textual."""

import asyncio
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from tests.api.running import running_api, running_worker
from tests.tui.facts import reading
from tests.tui.recordings import an_incident, recorded, taped
from zypher_jobs.settings import Settings
from zypher_jobs.testing import free_port
from zypher_tui.core import checks
from zypher_tui.core.readings import SourceName
from zypher_tui.core.recording import WrongRecording
from zypher_tui.core.tape import Tape
from zypher_tui.core.view import View
from zypher_tui.top import Moment, Snapshot, Sources, check_once, print_once

NOWHERE = "http://127.0.0.1:9"


async def test_it_prints_what_the_api_says(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    """As text for people: one screen, no escape sequence."""
    url = f"http://127.0.0.1:{settings.port}"
    async with running_api(settings) as api, running_worker(api):
        await api.post("/predict", json={"input": "hello \x1b[31m"}, headers={"Async-Mode": "true"})
        code = await asyncio.to_thread(print_once, Sources(api_url=url, redis_url=None), as_json=False)
    out = capsys.readouterr().out
    assert code == 0
    assert "API up" in out
    assert "Redis up" in out
    assert "hello ␛[31m" in out
    assert "\x1b" not in out


async def test_it_prints_json_for_programs(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    """One object: sources, health, overview."""
    url = f"http://127.0.0.1:{settings.port}"
    async with running_api(settings):
        code = await asyncio.to_thread(print_once, Sources(api_url=url, redis_url=settings.redis_url), as_json=True)
    snapshot = msgspec.json.decode(capsys.readouterr().out, type=Snapshot)
    assert code == 0
    assert {name: part.status for name, part in snapshot.sources.items()} == {"api": "up", "redis": "up"}
    assert snapshot.figures_from == "api"
    assert snapshot.health is not None
    assert snapshot.overview is not None


def test_with_the_api_away_it_asks_redis(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    """And says so."""
    assert print_once(Sources(api_url=NOWHERE, redis_url=settings.redis_url), as_json=False) == 0
    out = capsys.readouterr().out
    assert "API away: connection refused. Figures come straight from Redis." in out
    assert "No predictions yet." in out


def test_with_nothing_there_it_fails_with_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    """On stderr, and exit code 1."""
    redis_url = f"redis://127.0.0.1:{free_port()}"
    assert print_once(Sources(api_url=NOWHERE, redis_url=redis_url), as_json=True) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == (
        "Nothing answers (API: connection refused; Redis: connection refused). `zypher up` starts everything.\n"
    )


def test_it_loads_neither_textual_nor_a_web_framework() -> None:
    """It starts fast for what it does not load."""
    code = (
        "import sys; from zypher_tui.top import Sources, print_once;"
        f"print_once(Sources(api_url={NOWHERE!r}, redis_url=None), as_json=False);"
        "print([name for name in ('textual', 'httpx', 'litestar', 'arq', 'redis') if name in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "[]\n"


def test_the_dashboard_loads_neither_litestar_nor_arq() -> None:
    """Also once it reads from both sources."""
    code = (
        "import sys; from zypher_tui.opening import openers_of;"
        "[opener() for opener in openers_of('http://127.0.0.1:9', 'redis://127.0.0.1:9').values()];"
        "print([name for name in ('litestar', 'arq', 'uvicorn', 'zypher_jobs.worker') if name in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "[]\n"


async def test_conditions_are_checked(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    """Each is printed with its figure; the exit code says whether all hold."""
    sources = Sources(api_url=f"http://127.0.0.1:{settings.port}", redis_url=settings.redis_url)
    async with running_api(settings) as api:
        await api.post("/predict", json={"input": "x"}, headers={"Async-Mode": "true"})
        holds = await asyncio.to_thread(check_once, sources, "depth<=1, dead==0,p95_ms<300,redis==1")
        out = capsys.readouterr().out
        does_not = await asyncio.to_thread(check_once, sources, "depth==0,workers>=1,api==1")
    assert (holds, does_not) == (0, 1)
    assert out.splitlines()[:2] == ["ok   depth<=1  is 1", "ok   dead==0  is 0"]
    assert capsys.readouterr().out.splitlines() == [
        "FAIL depth==0  is 1",
        "FAIL workers>=1  is 0",
        "ok   api==1  is 1",
    ]


def test_nothing_is_checked_where_nothing_answers(capsys: pytest.CaptureFixture[str]) -> None:
    """A code of its own: the conditions may hold or not."""
    assert check_once(Sources(api_url=NOWHERE, redis_url=None), "dead==0") == 3
    assert capsys.readouterr().err.startswith("Nothing answers")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "'' is no condition"),
        ("dead=0", "'dead=0' is no condition"),
        ("p95_ms<", "'p95_ms<' is no condition"),
        ("p95<300", "There is no figure 'p95'. Did you mean"),
        ("dead==0,,depth<5", "'' is no condition"),
    ],
)
def test_a_condition_that_cannot_be_understood(text: str, said: str) -> None:
    """It says which, and the way out."""
    with pytest.raises(checks.WrongCheck, match=said):
        checks.parse(text)


def test_what_is_not_known_does_not_hold() -> None:
    """Whatever the condition: silence is no good news."""
    (outcome,) = checks.check(checks.parse("dead==0"), View(now_s=0), None)
    assert (outcome.value, outcome.holds) == (None, False)


def test_a_recording_shows_each_of_its_times(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As it was then: figures, sources, predictions; what lies outside of it is refused."""
    path = tmp_path / "incident"
    recorded(path, *an_incident())
    for at, said in {
        None: "API up 1 ms · Redis up",
        "+1s": "API away · Redis up",
        "2026-11-03T09:00:01.9Z": "API away: connection refused. Figures come straight from Redis.",
        "+2s": " a   mock   async  succeeded",
        "+30s": " a   mock   async  succeeded",
    }.items():
        assert print_once(Moment(path=path, at=at), as_json=False) == 0
        assert said in capsys.readouterr().out
    assert check_once(Moment(path=path, at="+1s"), "api==1") == 1
    for at, said in {
        "2026-11-03T08:59:59Z": "begins at 2026-11-03T09:00:00Z",
        "+5m": "ends at 2026-11-03T09:00:02Z",
    }.items():
        with pytest.raises(WrongRecording, match=said):
            print_once(Moment(path=path, at=at), as_json=False)


def test_nothing_is_checked_at_a_time_when_nothing_answered(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The exit code is that of now; printed, it is shown."""
    path = tmp_path / "incident"
    recorded(path, *taped(Tape(previews=True), 0, reading(SourceName.API, 0, error="connection refused")))
    assert check_once(Moment(path=path), "dead==0") == 3
    assert capsys.readouterr().err == "Nothing answered at that time (API: connection refused).\n"
    assert print_once(Moment(path=path), as_json=False) == 0
    assert "API away" in capsys.readouterr().out
