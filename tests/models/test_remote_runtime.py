"""Models of another Open Inference v2 server: what is asked of it, and what becomes of whatever it answers."""

import asyncio
import json
import struct
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.models.remote_server import TRITON, Asked, reply, scripted, served_by, sums
from zypher_jobs.contracts.model import ModelManifest
from zypher_jobs.errors import (
    InvalidInput,
    ModelNotReady,
    PredictionCanceled,
    PredictionFailed,
    PredictionTimeout,
    RemoteFailed,
    RemoteRefused,
    RemoteUnavailable,
)
from zypher_jobs.models import ServedModel
from zypher_jobs.models.call import Call
from zypher_jobs.models.runtimes.from_manifest import runtime_of
from zypher_jobs.models.runtimes.remote import server as remote_server
from zypher_jobs.testing import wait_until


async def ask(served: ServedModel, *, timeout_s: float = 20, **tensors: Any) -> Any:
    """One prediction, as plain values."""
    assert served.error is None, served.error
    output = await served.run(served.decode(msgspec.json.encode(tensors)), timeout_s=timeout_s)
    return msgspec.json.decode(served.encode(output))


async def test_a_caller_sends_one_item_and_gets_its_output() -> None:
    """Fields, sizes and ranges are those of the server's metadata; its batch dimension is not the caller's."""
    async with scripted() as server, served_by(server) as served:
        assert served.info.input_schema["properties"]["x"] == {
            "type": "array",
            "description": "FP32 tensor of shape [3].",
            "items": {"type": "number", "minimum": -3.4028234663852886e38, "maximum": 3.4028234663852886e38},
            "minItems": 3,
            "maxItems": 3,
        }
        assert (served.info.input_example, served.info.output_example) == ({"x": [0.0, 0.0, 0.0]}, {"sum": 0.0})
        assert await ask(served, x=[1, 2, 3.5]) == {"sum": 6.5}
        with pytest.raises(InvalidInput, match=r"Field 'x' must have exactly 3 items\."):
            served.decode(b'{"x": [1, 2]}')
        assert server.inferred[0].json == {
            "inputs": [{"name": "x", "shape": [1, 3], "datatype": "FP32", "data": [1.0, 2.0, 3.5]}]
        }


async def test_predictions_that_come_together_are_one_request() -> None:
    """Stacked along the first dimension, and each caller gets its own row."""
    async with scripted() as server, served_by(server) as served:
        outputs = await asyncio.gather(*(ask(served, x=[number, 0, 0]) for number in range(5)))
        assert outputs == [{"sum": float(number)} for number in range(5)]
        assert [asked.json["inputs"][0]["shape"] for asked in server.inferred] == [[5, 3]]


async def test_tensors_travel_as_bytes_where_the_server_takes_them() -> None:
    """It says so among its extensions."""

    def answer(asked: Asked) -> bytes:
        head = len(json.dumps(asked.json, separators=(",", ":")))
        values = struct.unpack("<3f", asked.body[head:])
        output = {"name": "sum", "datatype": "FP32", "shape": [1, 1], "parameters": {"binary_data_size": 4}}
        described = json.dumps({"model_name": "sums", "outputs": [output]}).encode()
        body = described + struct.pack("<f", sum(values))
        return reply(body, inference_header_content_length=str(len(described)))

    async with scripted(extensions=("classification", "binary_tensor_data")) as server, served_by(server) as served:
        server.infer = answer
        assert await ask(served, x=[0.5, 1, 2]) == {"sum": 3.5}
        (asked,) = server.inferred
        assert asked.headers["content-type"] == "application/octet-stream"
        assert asked.json["parameters"] == {"binary_data_output": True}
        assert asked.json["inputs"][0]["parameters"] == {"binary_data_size": 12}


async def test_the_largest_batch_is_what_triton_says() -> None:
    """Its extension for configurations says it; 0 is a model whose first dimension is part of the prediction."""
    async with scripted(extensions=("model_configuration",)) as server:
        server.answers["/v2/models/sums/config"] = reply({"name": "sums", "max_batch_size": 2})
        async with served_by(server) as served:
            await asyncio.gather(*(ask(served, x=[number, 0, 0]) for number in range(4)))
            assert [asked.json["inputs"][0]["shape"][0] for asked in server.inferred] == [2, 2]
        server.answers["/v2/models/sums/config"] = reply({"name": "sums", "max_batch_size": 0})
        async with served_by(server) as served:
            assert served.info.input_example == {"x": [[0.0, 0.0, 0.0]]}


async def test_a_model_without_a_batch_dimension_gets_one_prediction_per_request() -> None:
    """All of the tensor is the caller's."""
    metadata = {
        "name": "sums",
        "inputs": [{"name": "x", "datatype": "INT64", "shape": [2, 2]}],
        "outputs": [{"name": "sum", "datatype": "INT64", "shape": [1]}],
    }

    def answer(asked: Asked) -> bytes:
        (tensor,) = asked.json["inputs"]
        output = {"name": "sum", "datatype": "INT64", "shape": [1], "data": [sum(tensor["data"])]}
        return reply({"model_name": "sums", "outputs": [output]})

    async with scripted(metadata) as server, served_by(server) as served:
        server.infer = answer
        outputs = await asyncio.gather(*(ask(served, x=[[number, 1], [1, 1]]) for number in range(3)))
        assert outputs == [{"sum": number + 3} for number in range(3)]
        assert len(server.inferred) == 3


async def test_texts_of_any_length_are_stacked_by_their_sizes() -> None:
    """What differs in size cannot be one tensor; what is of one size is."""
    metadata = {
        "name": "sums",
        "inputs": [{"name": "words", "datatype": "BYTES", "shape": [-1, -1]}],
        "outputs": [{"name": "joined", "datatype": "BYTES", "shape": [-1]}],
    }

    def answer(asked: Asked) -> bytes:
        (tensor,) = asked.json["inputs"]
        rows, size = tensor["shape"]
        joined = [" ".join(tensor["data"][row * size : (row + 1) * size]) for row in range(rows)]
        return reply(
            {
                "model_name": "sums",
                "outputs": [{"name": "joined", "datatype": "BYTES", "shape": [rows], "data": joined}],
            }
        )

    async with scripted(metadata) as server, served_by(server) as served:
        server.infer = answer
        outputs = await asyncio.gather(*(ask(served, words=words) for words in (["a", "é"], ["b"], ["c", "d"])))
        assert outputs == [{"joined": "a é"}, {"joined": "b"}, {"joined": "c d"}]
        assert sorted(asked.json["inputs"][0]["shape"] for asked in server.inferred) == [[1, 1], [2, 2]]


@pytest.mark.parametrize(
    ("answer", "kind", "sentence"),
    [
        (
            reply({"error": "no \x1b[31mred\x07 rows\n, please."}, 400),
            RemoteRefused,
            "The server of model 'sums' refused the input: it answered 400: no [31mred rows , please.",
        ),
        (reply({"error": "x" * 10_000}, 422), RemoteRefused, f"it answered 422: {'x' * 300}…."),
        (reply({"detail": [{"loc": "x"}]}, 422), RemoteRefused, 'it answered 422: [{"loc":"x"}].'),
        (reply({"error": "who are you"}, 401), RemoteFailed, "The server of model 'sums' answered 401: who are you."),
        (reply(b"oops", 500), RemoteFailed, "The server of model 'sums' answered 500: oops."),
        (reply(b"<html>", 500, content_type="text/html"), RemoteFailed, "The server of model 'sums' answered 500."),
        (
            reply(b"", 302, location="http://elsewhere/"),
            RemoteFailed,
            "answered 302: a redirect, which is not followed.",
        ),
        (reply(b"{", 200), RemoteFailed, "cannot be used: The answer is no inference response: "),
        (reply(b"[" * 100_000, 200), RemoteFailed, "cannot be used: The answer is no inference response: "),
        (reply(b"\xff\xfe", 200), RemoteFailed, "cannot be used: The answer is no inference response: "),
        (reply({"model_name": "sums", "outputs": []}), RemoteFailed, "cannot be used: output 'sum' is missing."),
        (
            reply({"model_name": "sums", "outputs": []}, inference_header_content_length="x1"),
            RemoteFailed,
            "its header Inference-Header-Content-Length is no number of bytes.",
        ),
        (
            b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ninference-header-content-length: \xb2\r\n\r\n{}",
            RemoteFailed,
            "its header Inference-Header-Content-Length is no number of bytes.",
        ),
        (
            reply({"model_name": "sums", "outputs": []}, inference_header_content_length="999"),
            RemoteFailed,
            "says that the JSON has 999 bytes, but the body has only 37.",
        ),
        (reply(b"\x1f\x8b", 200, content_encoding="gzip"), RemoteFailed, "it is encoded as gzip, which was not asked"),
        (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", RemoteUnavailable, "The server of model 'sums' does not answer ("),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{", RemoteUnavailable, "does not answer ("),
        (reply({"error": "busy"}, 429), RemoteUnavailable, "The server of model 'sums' answered 429: busy; try again"),
        (reply(b"", 503), RemoteUnavailable, "The server of model 'sums' answered 503; try again shortly."),
    ],
)
async def test_what_a_server_should_not_answer(answer: bytes, kind: type[PredictionFailed], sentence: str) -> None:
    """Each is an error that says what came, in one printable line; the next prediction is answered."""
    async with scripted() as server, served_by(server) as served:

        def infer(asked: Asked) -> bytes:
            server.infer = sums
            return answer

        server.infer = infer
        server.closes = answer.endswith(b"\r\n\r\n{") or answer.startswith(b"SSH")
        with pytest.raises(kind) as failed:
            await ask(served, x=[1, 2, 3])
        assert sentence in failed.value.message
        assert failed.value.message.isprintable()
        assert served.retries.covers(failed.value) == (kind is RemoteUnavailable)
        await wait_until(lambda: served.ready)
        assert await ask(served, x=[1, 2, 3]) == {"sum": 6.0}


def output(**changes: Any) -> dict[str, Any]:
    """An output tensor that is not quite right."""
    return {"name": "sum", "datatype": "FP32", "shape": [1, 1], "data": [1.5], **changes}


@pytest.mark.parametrize(
    ("tensor", "sentence"),
    [
        (output(shape=[2, 1], data=[1, 2]), "output 'sum' has the shape [2, 1] for 1 predictions"),
        (output(shape=[]), "output 'sum' has the shape [] for 1 predictions"),
        (output(shape=[1, 2], data=[1, 2]), "it is not what was described: Field 'sum' must be a number, got array"),
        (output(datatype="BYTES", data=["a"]), "it is not what was described: Field 'sum' must be a number, got str"),
        (output(datatype="FP128"), "Tensor 'sum' has no known datatype: 'FP128'"),
        (output(data=[1, 2]), "Tensor 'sum' of shape [1, 1] has 1 elements, and 2 were sent"),
        (output(data=["NaN"]), "must be a number, got str"),
        (output(shape=[1, 10**9, 0], data=[]), "output 'sum' is empty, of shape [1, 1000000000, 0]"),
        (output(shape=[1, -1]), "The answer is no inference response: "),
    ],
)
async def test_tensors_that_are_not_what_the_server_described(tensor: dict[str, Any], sentence: str) -> None:
    """The model failed; which tensor, and how, is said."""
    async with scripted() as server, served_by(server) as served:
        server.infer = lambda _: reply({"model_name": "sums", "outputs": [tensor]})
        with pytest.raises(RemoteFailed) as failed:
            await ask(served, x=[1, 2, 3])
        assert sentence in failed.value.message
        assert served.ready


@pytest.mark.parametrize("is_declared", [True, False])
async def test_an_answer_that_is_too_large_is_not_read(is_declared: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether it says so, or only goes on; memory stays bounded."""
    monkeypatch.setattr(remote_server, "MOST_ANSWER_BYTES", 1000)
    chunk = b"3e8\r\n" + b"x" * 1000 + b"\r\n"
    endless = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + chunk * 100
    huge = b"HTTP/1.1 200 OK\r\ncontent-length: 100000000000\r\n\r\n" + b"x" * 1000
    async with scripted() as server, served_by(server) as served:
        server.infer = lambda _: huge if is_declared else endless
        with pytest.raises(RemoteFailed, match=r"cannot be used: it is larger than 1,000 bytes\."):
            await ask(served, x=[1, 2, 3])


async def test_one_bad_input_fails_alone() -> None:
    """A request that was refused, or failed, is split."""

    def answer(asked: Asked) -> bytes:
        is_bad = 13 in asked.json["inputs"][0]["data"]
        return reply({"error": "13 is unlucky"}, 400) if is_bad else sums(asked)

    async with scripted() as server, served_by(server) as served:
        server.infer = answer
        asked = [ask(served, x=[number, 0, 0]) for number in (1, 13, 3)]
        first, second, third = await asyncio.gather(*asked, return_exceptions=True)
        assert (first, third) == ({"sum": 1.0}, {"sum": 3.0})
        assert isinstance(second, RemoteRefused)


async def test_a_batch_of_a_server_that_is_away_is_not_split() -> None:
    """No input is to blame: one request, and each of its predictions fails with a reason of its own."""
    async with scripted() as server, served_by(server) as served:
        server.infer = lambda _: reply(b"", 503)
        asked = [ask(served, x=[number, 0, 0]) for number in range(4)]
        failed = await asyncio.gather(*asked, return_exceptions=True)
        assert [type(each).__mro__[1] for each in failed] == [RemoteUnavailable] * 4
        assert len(server.inferred) == 1


async def test_the_deadline_ends_the_request() -> None:
    """A server that never answers costs its caller the time-out, and the connection is closed."""
    async with scripted() as server, served_by(server) as served:
        server.infer = lambda _: None
        with pytest.raises(PredictionTimeout, match=r"Model 'sums' did not answer within 0.2 s\."):
            await ask(served, x=[1, 2, 3], timeout_s=0.2)
        await wait_until(lambda: server.lost == 1)
        assert len(server.inferred) == 1
        assert served.ready


async def test_a_cancel_ends_the_request() -> None:
    """The connection is closed, so that the server can stop too."""
    async with scripted() as server, served_by(server) as served:
        server.infer = lambda _: None
        call = Call(served.decode(b'{"x": [1, 2, 3]}'), timeout_s=20)
        running = asyncio.create_task(served.run_call(call))
        await wait_until(lambda: server.inferred)
        running.cancel()
        with pytest.raises((asyncio.CancelledError, PredictionCanceled)):
            await running
        await wait_until(lambda: server.lost == 1)


async def test_connections_are_kept() -> None:
    """One is enough for one prediction after the other."""
    async with scripted() as server, served_by(server) as served:
        before = server.connections
        for number in range(5):
            await ask(served, x=[number, 0, 0])
        assert server.connections == before + 1


async def test_a_kept_connection_that_was_closed_costs_nobody_an_answer() -> None:
    """Servers close theirs at any time, those on uvicorn behind each 500: the request goes again, over a new one."""

    def close(_: Asked) -> bytes:
        server.infer = sums
        return b""

    async with scripted() as server, served_by(server) as served:
        await ask(served, x=[1, 2, 3])
        server.infer = close
        assert await ask(served, x=[1, 2, 3]) == {"sum": 6.0}
        assert len(server.inferred) == 3


async def test_a_new_connection_that_breaks_is_not_tried_again() -> None:
    """It may be the input that ended the server."""
    async with scripted() as server, served_by(server) as served:
        server.infer = lambda _: b""
        with pytest.raises(
            RemoteUnavailable, match=r"does not answer \(Server disconnected without sending a response\)"
        ):
            await ask(served, x=[1, 2, 3])
        assert len(server.inferred) == 1


async def test_no_more_requests_at_once_than_concurrency() -> None:
    """The others wait for their turn, and make a fuller batch."""
    async with scripted() as server, served_by(server, concurrency=2, max_batch_size=1) as served:
        answers = list[asyncio.Task[Any]]()
        server.infer = lambda _: None
        answers = [asyncio.create_task(ask(served, x=[number, 0, 0])) for number in range(5)]
        await wait_until(lambda: len(server.inferred) == 2)
        assert served.batcher is not None
        assert (served.batcher.running, served.batcher.waiting) == (2, 3)
        for each in answers:
            each.cancel()
        await asyncio.gather(*answers, return_exceptions=True)


async def test_a_server_that_is_away_at_the_start_is_waited_for() -> None:
    """The model says why it is not ready, and is ready by itself, with its types, once its server is there."""
    async with scripted() as server:
        await server.stop()
        async with served_by(server) as served:
            assert served.error is not None
            assert served.error.startswith("its server does not answer (")
            assert server.url not in served.error
            with pytest.raises(ModelNotReady, match=r"^Model 'sums' is not ready: its server does not answer \("):
                await served.run(served.decode(b'{"x": [1, 2, 3]}'), timeout_s=1)
            queued = served.convert({"x": [1, 2, 3]})
            await server.start()
            await wait_until(lambda: served.ready)
            assert await ask(served, x=[1, 2, 3]) == {"sum": 6.0}
            assert msgspec.to_builtins(await served.run(queued, timeout_s=20)) == {"sum": 6.0}
            with pytest.raises(PredictionFailed, match=r"Field 'y' is not known here; known: x\.") as failed:
                await served.run({"y": 1}, timeout_s=20)
            assert failed.value.code == "invalid_input"


async def test_a_server_that_goes_away_makes_its_model_unready_until_it_is_back() -> None:
    """The prediction that finds it away fails, the next ones at once."""
    async with scripted() as server, served_by(server) as served:
        assert await ask(served, x=[1, 2, 3]) == {"sum": 6.0}
        await server.stop()
        with pytest.raises(RemoteUnavailable, match=r"The server of model 'sums' does not answer \(.*; try again") as e:
            await ask(served, x=[1, 2, 3])
        assert served.retries.covers(e.value)
        assert served.info.ready is False
        assert (served.info.error or "").startswith("its server does not answer (")
        definition = served.definition
        await server.start()
        await wait_until(lambda: served.ready)
        assert served.definition is definition
        assert await ask(served, x=[1, 2, 3]) == {"sum": 6.0}


async def test_a_model_that_comes_back_with_other_tensors_has_other_types() -> None:
    """What was sent for the old ones is checked against the new ones."""
    async with scripted() as server, served_by(server) as served:
        old = served.decode(b'{"x": [1, 2, 3]}')
        await server.stop()
        with pytest.raises(RemoteUnavailable):
            await served.run(old, timeout_s=20)
        server.answers["/v2/models/sums"] = reply(
            {
                "name": "sums",
                "inputs": [{"name": "x", "datatype": "FP32", "shape": [-1, 2]}],
                "outputs": [{"name": "sum", "datatype": "FP32", "shape": [-1, 1]}],
            }
        )
        await server.start()
        await wait_until(lambda: served.ready)
        assert await ask(served, x=[1, 2]) == {"sum": 3.0}
        with pytest.raises(PredictionFailed, match=r"Field 'x' must have exactly 2 items\."):
            await served.run(old, timeout_s=20)


@pytest.mark.parametrize(
    ("path", "answer", "sentence"),
    [
        ("/v2", reply(b"hello"), "its server does not speak the Open Inference Protocol v2: JSON is malformed: "),
        ("/v2", reply(b"", 301), "its server answered 301: a redirect, which is not followed"),
        ("/v2/models/sums", reply({"error": "no such model"}, 404), "its server answered 404: no such model"),
        ("/v2/models/sums", reply(b"x" * 2_000_000), "cannot be read: it is larger than 1,048,576 bytes"),
        ("/v2/models/sums", reply({"name": "sums", "inputs": [], "outputs": []}), "does not say which tensors"),
        (
            "/v2/models/sums",
            reply({"name": "a", "inputs": [{"name": "x", "datatype": "BF16", "shape": [-1]}], "outputs": [output()]}),
            "its tensor 'x' is of datatype 'BF16', which is not served",
        ),
        ("/v2/models/sums/ready", reply(b"", 503), "its server does not have it ready (answered 503)"),
        ("/v2/models/sums/ready", reply({"ready": False}), "its server does not have it ready (answered 200)"),
    ],
)
async def test_a_model_that_its_server_cannot_serve_yet(path: str, answer: bytes, sentence: str) -> None:
    """The reason is shown, and asked again until it has passed."""
    async with scripted() as server:
        right, server.answers[path] = server.answers[path], answer
        async with served_by(server) as served:
            assert sentence in (served.error or "ready")
            server.answers[path] = right
            await wait_until(lambda: served.ready)
            assert await ask(served, x=[1, 2, 3]) == {"sum": 6.0}


async def test_null_stands_for_what_is_left_out() -> None:
    """As KServe's servers write it."""
    metadata = {**TRITON, "versions": None}

    def answer(asked: Asked) -> bytes:
        tensor = {"name": "sum", "shape": [1, 1], "datatype": "FP32", "parameters": None, "data": [6.0]}
        return reply({"model_name": "sums", "model_version": None, "id": None, "parameters": None, "outputs": [tensor]})

    async with scripted(metadata) as server, served_by(server) as served:
        server.infer = answer
        assert await ask(served, x=[1, 2, 3]) == {"sum": 6.0}


async def test_a_server_may_say_nothing_of_itself() -> None:
    """``GET /v2`` is not there everywhere; JSON is understood by all."""
    async with scripted() as server:
        del server.answers["/v2"]
        async with served_by(server) as served:
            assert await ask(served, x=[1, 2, 3]) == {"sum": 6.0}


async def test_the_name_and_the_version_there_may_be_others() -> None:
    """``remote_name`` and ``remote_version``."""
    async with scripted() as server:
        server.answers["/prefix/v2"] = server.answers["/v2"]
        for path in ("", "/ready"):
            server.answers[f"/prefix/v2/models/Big%20sums/versions/3{path}"] = server.answers[f"/v2/models/sums{path}"]
        async with served_by(
            server, name="small", url=f"{server.url}/prefix/v2/", remote_name="Big sums", remote_version="3"
        ) as served:
            assert await ask(served, x=[1, 2, 3]) == {"sum": 6.0}
            assert server.inferred[0].path == "/prefix/v2/models/Big%20sums/versions/3/infer"


async def test_a_key_is_sent_and_never_shown(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """From the variable that the manifest names, with every request."""
    monkeypatch.setenv("SUMS_KEY", "s3cret")
    caplog.set_level("DEBUG")
    async with scripted() as server, served_by(server, api_key_env="SUMS_KEY") as served:
        await ask(served, x=[1, 2, 3])
        await server.stop()
        with pytest.raises(RemoteUnavailable) as failed:
            await ask(served, x=[1, 2, 3])
        assert {asked.headers.get("authorization") for asked in server.asked} == {"Bearer s3cret"}
        assert "s3cret" not in caplog.text + str(failed.value) + str(served.info)


async def test_what_waits_when_a_model_comes_back_without_batches_is_sent_one_by_one() -> None:
    """The batch was made for the old tensors, the requests are made for the new ones."""
    async with scripted() as server:
        runtime = runtime_of(ModelManifest(name="sums", runtime="remote", url=server.url), Path())
        await asyncio.to_thread(runtime.load)
        old = runtime.definition.input_type
        calls = [Call(msgspec.convert({"x": [number, 0, 0]}, old), timeout_s=20) for number in range(3)]
        server.answers["/v2/models/sums"] = reply(
            {
                "name": "sums",
                "inputs": [{"name": "x", "datatype": "FP32", "shape": [3]}],
                "outputs": [{"name": "sum", "datatype": "FP32", "shape": [1]}],
            }
        )
        await asyncio.to_thread(runtime.load)

        def answer(asked: Asked) -> bytes:
            (tensor,) = asked.json["inputs"]
            assert tensor["shape"] == [3]
            return reply({"outputs": [output(shape=[1], data=[sum(tensor["data"])])]})

        server.infer = answer
        assert msgspec.to_builtins(await runtime.run(calls)) == [{"sum": float(number)} for number in range(3)]
        await asyncio.to_thread(runtime.unload)
