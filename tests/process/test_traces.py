"""OpenTelemetry: one trace across the processes, as a collector gets it."""

import signal
from collections.abc import Callable

import httpx
import pytest

from tests.process.collector import collecting
from tests.process.stack import Up
from tests.webhooks.receiver import receiving
from zypher_jobs.testing import wait_until

TRACE_ID, PARENT_ID = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
SENT = {"traceparent": f"00-{TRACE_ID}-{PARENT_ID}-01", "tracestate": "congo=t61"}


async def test_one_trace_goes_from_the_request_through_the_queue_to_the_webhook(make_up: Callable[..., Up]) -> None:
    """Each span is the child of what caused it, across API and worker; what is left is sent when they drain."""
    with collecting() as collector:
        async with receiving() as receiver:
            up = make_up(webhook_allow="127.0.0.1", auth="off")
            up.environ |= {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_BSP_SCHEDULE_DELAY": "200"}
            await up.start_and_wait()
            async with httpx.AsyncClient(base_url=up.url, timeout=30) as client:
                headers = SENT | {"Prefer": "respond-async", "Webhook-Url": receiver.url}
                accepted = await client.post("/predict", json={"input": "hello"}, headers=headers)
                prediction_id = accepted.json()["prediction_id"]
                record = (await client.get(f"/predict/{prediction_id}?wait=20")).json()
                assert (record["status"], record["trace_id"]) == ("succeeded", TRACE_ID)
                own = await client.post("/predict", json={"input": "hello"})
                assert own.status_code == 200
                await wait_until(lambda: receiver.received, timeout_s=30)
        up.signal(signal.SIGTERM)
        assert await up.ended() == 0
    spans = collector.of(TRACE_ID)
    assert {(span.part, span.name) for span in spans.values()} == {
        ("api", "POST /predict"),
        ("api", "enqueue"),
        ("worker", "queue wait"),
        ("worker", "attempt"),
        ("worker", "run mock"),
        ("worker", "webhook delivery"),
    }
    request, enqueue, attempt = spans["POST /predict"], spans["enqueue"], spans["attempt"]
    assert request.parent_id == PARENT_ID
    assert enqueue.parent_id == request.span_id
    assert {spans[name].parent_id for name in ("queue wait", "attempt", "webhook delivery")} == {enqueue.span_id}
    assert spans["run mock"].parent_id == attempt.span_id
    assert request.attributes["http.response.status_code"] == 202
    assert request.attributes["zypher.prediction_id"] == attempt.attributes["zypher.prediction_id"] == prediction_id
    assert attempt.attributes["zypher.status"] == "succeeded"
    assert not any(span.is_error for span in spans.values())
    assert all(span.took_ns >= 0 for span in spans.values())
    (received,) = receiver.received
    assert received.headers["traceparent"] == f"00-{TRACE_ID}-{spans['webhook delivery'].span_id}-01"
    assert received.headers["tracestate"] == "congo=t61"
    (without,) = [span for span in collector.spans if span.name == "POST /predict" and not span.parent_id]
    (run,) = [span for span in collector.spans if span.trace_id == without.trace_id and span.name == "run mock"]
    assert (run.part, run.parent_id) == ("api", without.span_id)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"ZYPHER_OTEL": "yes"}, "ZYPHER_OTEL"),
        ({"ZYPHER_OTEL": "on", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "OTEL_EXPORTER_OTLP_PROTOCOL=grpc"),
    ],
)
async def test_a_start_stops_at_what_cannot_be_traced(
    make_up: Callable[..., Up], settings: dict[str, str], said: str
) -> None:
    """In one sentence that names the setting."""
    up = make_up()
    up.environ |= settings
    up.start()
    assert await up.ended() == 2
    assert said in up.err.read_text()
    assert "Traceback" not in up.err.read_text()
