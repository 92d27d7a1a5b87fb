"""``traceparent``, from the request to the model, the record, the log lines and the next server."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import msgspec
import pytest

from tests.api.log_lines import ATTEMPTS, log_lines
from tests.api.running import RunningApi, running_api
from zypher_jobs.contracts.trace import read_trace
from zypher_jobs.settings import Settings
from zypher_jobs.testing import free_port, wait_until

TRACE_ID, PARENT_ID = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TRACEPARENT = f"00-{TRACE_ID}-{PARENT_ID}-01"
TRACE = {"traceparent": TRACEPARENT, "tracestate": "congo=t61"}
LATER = {"Async-Mode": "true"}


@pytest.fixture
def api_settings(settings: Settings) -> Settings:
    """Models that say in which trace they run."""
    return msgspec.structs.replace(
        settings, models=("tests.api.traced_models:Traced", "tests.api.traced_models:TracedApart")
    )


async def test_a_synchronous_predictions_trace_is_its_models_and_stands_in_its_record(api: RunningApi) -> None:
    """In the log line of the request too."""
    with log_lines() as lines:
        answer = await api.post("/models/traced/predict", json={"text": ""}, headers=TRACE)
        line = await lines.line(request_id=answer.headers["request-id"])
    assert answer.json() == {"text": f"{TRACEPARENT} congo=t61"}
    assert line["trace_id"] == TRACE_ID

    async def recorded() -> httpx.Response | None:
        read = await api.get(f"/predict/{answer.headers['prediction-id']}")
        return read if read.status_code == 200 else None

    record = await wait_until(recorded)
    assert record is not None
    assert record.json()["trace_id"] == TRACE_ID


@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize("model", ["traced", "traced-apart"])
async def test_a_queued_predictions_trace_goes_with_it(api: RunningApi, model: str) -> None:
    """To the model, in a thread or a process; it is in the 202's record and in the line of the attempt."""
    with log_lines(ATTEMPTS) as lines:
        accepted = await api.post(f"/models/{model}/predict", json={"text": ""}, headers=TRACE | LATER)
        prediction_id = accepted.json()["prediction_id"]
        record = (await api.get(f"/predict/{prediction_id}?wait=20")).json()
        line = await lines.line(prediction_id=prediction_id)
    assert record["status"] == "succeeded", record["error"]
    assert record["output"] == {"text": f"{TRACEPARENT} congo=t61"}
    assert record["trace_id"] == line["trace_id"] == TRACE_ID


async def test_the_trace_of_what_waits_is_known(api: RunningApi) -> None:
    """Before any worker has seen it; of several that were asked for at once, each has it."""
    accepted = await api.post("/models/traced/predict", json={"text": ""}, headers=TRACE | LATER)
    request = {"inputs": [{"name": "text", "datatype": "BYTES", "shape": [2], "data": ["a", "b"]}]}
    many = await api.post("/v2/models/traced/infer", json=request, headers=TRACE | LATER)
    assert many.status_code == 202, many.text
    ids = [accepted.json()["prediction_id"], *(each["prediction_id"] for each in many.json()["predictions"])]
    assert len(ids) == 3
    for prediction_id in ids:
        record = (await api.get(f"/predict/{prediction_id}")).json()
        assert (record["status"], record["trace_id"]) == ("queued", TRACE_ID)


async def test_the_inference_protocol_carries_it_too(api: RunningApi) -> None:
    """Synchronous: the model of each prediction in the request sees it."""
    request = {"inputs": [{"name": "text", "datatype": "BYTES", "shape": [1], "data": ["a"]}]}
    answer = await api.post("/v2/models/traced/infer", json=request, headers=TRACE)
    assert answer.json()["outputs"][0]["data"] == [f"{TRACEPARENT} congo=t61"]


@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize("sent", [[], [TRACEPARENT.upper()], ["00-0-0-00"], [TRACEPARENT, TRACEPARENT]])
async def test_without_a_traceparent_that_can_be_read_there_is_no_trace(api: RunningApi, sent: list[str]) -> None:
    """None is made up, and nothing is refused; two are none."""
    headers = [("traceparent", each) for each in sent]
    with log_lines() as lines:
        now = await api.post("/models/traced/predict", json={"text": ""}, headers=headers)
        line = await lines.line(request_id=now.headers["request-id"])
    later = await api.post("/models/traced/predict", json={"text": ""}, headers=[*headers, *LATER.items()])
    record = (await api.get(f"/predict/{later.json()['prediction_id']}?wait=20")).json()
    assert now.json() == record["output"] == {"text": ""}
    assert record["trace_id"] is None
    assert "trace_id" not in line


@pytest.fixture
async def near(
    api: RunningApi, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[RunningApi]:
    """A Zypher before the API."""
    (tmp_path / "zypher.toml").write_text(
        f'[model.far]\nruntime = "remote"\nurl = "http://127.0.0.1:{api.settings.port}"\nremote_name = "traced"\n'
    )
    monkeypatch.chdir(tmp_path)
    ours = msgspec.structs.replace(
        settings, port=free_port(), redis_url=f"{settings.redis_url}?db=1", data_dir=tmp_path / "near"
    )
    async with running_api(ours) as running:
        yield running


async def test_a_remote_models_server_is_told(near: RunningApi) -> None:
    """The same trace and state, under a parent id of that exchange."""
    answer = await near.post("/models/far/predict", json={"text": ""}, headers=TRACE)
    assert answer.status_code == 200, answer.text
    traceparent, tracestate = answer.json()["text"].split(" ")
    told = read_trace(traceparent)
    assert told is not None
    assert (told.trace_id, told.flags, tracestate) == (TRACE_ID, 1, "congo=t61")
    assert told.parent_id != PARENT_ID
