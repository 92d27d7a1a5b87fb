"""``zypher load``: the same without a screen."""

import asyncio
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.api.running import RunningApi
from zypher_jobs.testing import wait_until
from zypher_tui.load.command import Load, WrongLoad, run_load


def load(api: RunningApi, texts: Mapping[str, str] | None = None, *, check: str = "", as_json: bool = False) -> Load:
    """What the command line makes of its options."""
    url = str(api.base_url)
    return Load(
        url=url, api_key=None, texts={"model": "mock", "rate": "100", "total": "20", **(texts or {})}, check=check,
        as_json=as_json, cancels=True,
    )  # fmt: skip


async def test_it_prints_a_table_and_how_conditions_stand(api: RunningApi, capsys: pytest.CaptureFixture[str]) -> None:
    """The exit code says whether all hold."""
    assert await asyncio.to_thread(run_load, load(api, check="ok==20,failed==0,p95_ms<60000")) == 0
    out = capsys.readouterr().out
    assert "sent                20 of 20 planned" in out
    assert "ok                  20" in out
    assert "ok   ok==20  is 20" in out
    assert await asyncio.to_thread(run_load, load(api, {"input": '{"x": 1}'}, check="p95_ms<0")) == 1
    out = capsys.readouterr().out
    assert "other 4xx           20" in out
    assert "20 of 422 invalid_input" in out
    assert "FAIL p95_ms<0  is unknown" in out
    assert await asyncio.to_thread(run_load, load(api, {"input": '{"x": 1}'})) == 1


async def test_it_prints_json_for_programs(api: RunningApi, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """One object in one line; what is left in the queue is canceled if asked for."""
    inputs = tmp_path / "inputs.ndjson"
    inputs.write_text('{"input": "a"}\n{"input": "b"}\n')
    asked = load(api, {"how": "async", "input": f"@{inputs}"}, check="sent>5", as_json=True)
    assert await asyncio.to_thread(run_load, asked) == 0
    out = capsys.readouterr().out
    result: Any = msgspec.json.decode(out)
    assert out.count("\n") == 1
    assert result["plan"]["how"] == "async"
    assert (result["report"]["outcomes"]["ok"], result["canceled"]) == (20, 20)
    assert result["report"]["ended"] == {"canceled": 20}
    assert result["checks"][0]["holds"] is True


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        ({"model": "mokc", "rate": "0"}, "model: There is no model 'mokc'. Did you mean mock"),
        ({"input": "@/nowhere"}, "input: /nowhere cannot be read: No such file"),
        ({"input": "{"}, "input: That is not JSON"),
    ],
)
async def test_what_cannot_be_done_is_a_sentence(api: RunningApi, texts: dict[str, str], said: str) -> None:
    """With the way out, before anything is sent."""
    with pytest.raises(WrongLoad, match=said.replace("?", r"\?")):
        await asyncio.to_thread(run_load, load(api, texts))


@pytest.mark.parametrize(
    ("url", "check", "said"),
    [
        ("http://192.0.2.1:8080", "", "is not on this machine"),
        ("http://127.0.0.1:9", "", "The API does not answer: connection refused."),
        ("http://127.0.0.1:9", "p95<3", "Did you mean p95_ms"),
    ],
)
def test_nothing_is_sent_where_it_must_not_be(url: str, check: str, said: str) -> None:
    """Nor where nobody is."""
    with pytest.raises(WrongLoad, match=said):
        run_load(Load(url=url, api_key=None, texts={"model": "mock"}, check=check))


async def test_an_interrupt_stops_it_and_prints_what_came_of_it(api: RunningApi) -> None:
    """Within a second, and with the table; it loads neither Textual nor httpx."""
    texts = {"model": "mock", "rate": "50", "for": "60s"}
    code = (
        "import sys; from zypher_tui.load.command import Load, run_load;"
        f"run_load(Load(url={str(api.base_url)!r}, api_key=None, texts={texts}));"
        "print([name for name in ('textual', 'httpx', 'litestar', 'arq', 'redis') if name in sys.modules])"
    )
    command = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE)

    async def is_under_way() -> bool:
        answered = 'zypher_http_requests_total{method="POST",route="/models/mock/predict",status="200"}'
        return await api.metric(answered) > 5

    await wait_until(is_under_way)
    command.send_signal(signal.SIGINT)
    began_s = time.monotonic()
    out, _ = await command.communicate()
    assert time.monotonic() - began_s < 5
    assert command.returncode == 0
    assert b"of 3,000 planned" in out
    assert out.endswith(b"[]\n")
