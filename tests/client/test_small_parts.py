"""Where the client calls, and what it shows."""

import io
import pickle
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from tests.client.scripted import Scripted, says
from zypher_api.client import (
    AsyncClient,
    Client,
    Invalid,
    Prediction,
    PredictionFailed,
    ProgressLine,
    Retries,
    SomeRefused,
    Status,
    WaitTimeout,
)
from zypher_api.client.answers import FAILURES
from zypher_jobs import errors
from zypher_jobs.contracts.prediction import PredictionFailure

RUNNING = Prediction(
    prediction_id="9490ca8fd77b0dff",
    status=Status.RUNNING,
    model="digits",
    mode="async",  # type: ignore[arg-type]
    progress=0.5,
    progress_message="page 3\x1b]0;\n",
    created_at=datetime(2026, 11, 25, tzinfo=UTC),
)


class Terminal(io.StringIO):
    """Says that it is one."""

    def isatty(self) -> bool:
        """Yes."""
        return True


def shown(**changes: Any) -> str:
    """What a terminal gets of it."""
    terminal = Terminal()
    ProgressLine(terminal)(msgspec.structs.replace(RUNNING, **changes))
    return terminal.getvalue()


def test_a_progress_line() -> None:
    """One line, written over the last one, without what a model could do to a terminal; nothing of it stays."""
    assert shown() == "\r\x1b[Kdigits  9490ca8f  running  [##########..........]  50%  page 3 ]0; "
    queued = {"status": Status.QUEUED, "queue_position": 1200, "estimated_wait_ms": 2500.0, "progress_message": None}
    assert shown(**queued) == "\r\x1b[Kdigits  9490ca8f  queued  1,200 ahead  about 2 s"
    assert shown(status=Status.SUCCEEDED) == "\r\x1b[K"


def test_a_progress_line_is_no_longer_than_the_terminal() -> None:
    """It would not be written over."""
    assert len(shown(progress_message="x" * 500)) <= len("\r\x1b[K") + 80


def test_where_there_is_no_terminal_nothing_is_shown() -> None:
    """Logs stay clean."""
    output = io.StringIO()
    ProgressLine(output)(RUNNING)
    assert output.getvalue() == ""


async def test_the_environment_says_where_to_call(server: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    """``ZYPHER_URL`` and ``ZYPHER_API_KEY``; what is given wins. A path in front of the routes stays."""
    monkeypatch.setenv("ZYPHER_URL", f"{server.url}/zypher/")
    monkeypatch.setenv("ZYPHER_API_KEY", "zk_1_2")
    server.answers = [says(200, 1, connection="close"), says(200, 2, connection="close")]
    async with AsyncClient() as client:
        assert await client.predict("x") == 1
    async with AsyncClient(server.url, api_key="zk_3_4") as client:
        assert await client.predict("x") == 2
    assert [asked.path for asked in server.asked] == ["/zypher/predict", "/predict"]
    assert [asked.headers["authorization"] for asked in server.asked] == ["Bearer zk_1_2", "Bearer zk_3_4"]
    assert server.asked[0].headers["user-agent"].startswith("zypher-client/")


async def test_this_machine_is_called_past_any_proxy(server: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    """One of the environment could not reach its loopback."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    server.answers = [says(200, 1)]
    async with AsyncClient(server.url, retries=Retries(call_s=0)) as client:
        assert await client.predict("x") == 1


def test_errors_come_out_of_other_processes() -> None:
    """Pickled and made again, with all that they say."""
    failure = PredictionFailure(code="model_error", message="no")
    for error in (
        PredictionFailed(failure, prediction_id="p1"),
        Invalid("no", code="invalid_input", status=422, field="$.input"),
        WaitTimeout("late", prediction_id="p1"),
        SomeRefused([None, "p1"], {0: Invalid("no", code="invalid_input", status=422)}),
    ):
        again = pickle.loads(pickle.dumps(error))
        assert (type(again), repr(again), repr(again.__dict__)) == (type(error), repr(error), repr(error.__dict__))


def test_every_failure_of_a_prediction_is_known() -> None:
    """A code that the base gets for one is a ``PredictionFailed`` of the client too."""
    assert {errors.PredictionFailed.code, *(each.code for each in subclasses(errors.PredictionFailed))} <= FAILURES


def subclasses(of: type[Exception]) -> Iterator[Any]:
    """All, at any depth."""
    for each in of.__subclasses__():
        yield each
        yield from subclasses(each)


@pytest.mark.parametrize("url", ["localhost:8080", "ftp://x", "http://", "/predict"])
def test_a_url_that_is_none(url: str) -> None:
    """Is refused at once, with one that is."""
    with pytest.raises(ValueError, match=r"must be like http://127\.0\.0\.1:8080"):
        Client(url)


def test_a_version_is_one_of_a_model() -> None:
    """Which has to be named."""
    with Client() as client, pytest.raises(ValueError, match="version= needs model="):
        client.predict({}, version="1")
