"""``/v2/models/{name}/infer``: tensors in, tensors out; as many predictions as their first dimension says."""

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec
from litestar.handlers import post
from litestar.params import FromPath
from litestar.types import ASGIApp, ControllerRouterHandler, Receive, Scope, Send

from zypher_api.answers import AcceptedMany, accepted_of
from zypher_api.auth import caller_of
from zypher_api.bodies import read_body, unpacked
from zypher_api.idempotency import HEADER as IDEMPOTENCY_KEY
from zypher_api.idempotency import predicted_once
from zypher_api.keyring import Caller
from zypher_api.negotiation import Reply, require_json, wanted_reply
from zypher_api.openapi import OPT
from zypher_api.predicting import check_known, check_success, predict_now, prediction_header, wait_for
from zypher_api.presence import goes_on, while_wanted
from zypher_api.problems import MalformedRequest
from zypher_api.recorder import preview
from zypher_api.responses import Header, RawResponse
from zypher_api.routes import inference_v2_docs as described
from zypher_api.services import Services
from zypher_api.tracing import trace_of
from zypher_api.webhook_headers import wanted_webhook
from zypher_jobs.contracts.inference import InferRequest
from zypher_jobs.contracts.prediction import Prediction
from zypher_jobs.contracts.trace import TraceContext
from zypher_jobs.errors import InvalidInput, PredictionFailed
from zypher_jobs.models import ServedModel
from zypher_jobs.models.inference import LENGTH_HEADER, Framed, read_request, write_response
from zypher_jobs.queue.ids import new_prediction_id

_encode = msgspec.json.Encoder().encode
_REFUSED = {"sequence_id": "sequences of requests are not served"}


def handlers(services: Services) -> list[ControllerRouterHandler]:
    """The handlers of this file."""
    example = services.default_model

    @post("/v2/models/{name:str}/infer", opt={OPT: [described.infer(example)]})
    async def infer(name: FromPath[str]) -> ASGIApp:
        return _infers(services, name)

    @post("/v2/models/{name:str}/versions/{version:str}/infer", opt={OPT: [described.infer_version(example)]})
    async def infer_version(name: FromPath[str], version: FromPath[str]) -> ASGIApp:
        return _infers(services, name, version)

    return [infer, infer_version]


def _infers(services: Services, name: str, version: str | None = None) -> ASGIApp:
    async def infer(scope: Scope, receive: Receive, send: Send) -> None:
        reply = wanted_reply(scope)
        headers = dict(scope["headers"])
        framed = await _read(headers, receive, max_bytes=services.settings.max_body_bytes)
        webhook = wanted_webhook(headers, services.webhook_policy, later=reply.later)
        served = services.registry.get(name, version)
        if not served.ready:
            await services.loaded()  # what the model takes may be known only then
            check_known(served)
        if not reply.later:
            served.check_room(services.settings.shed_wait_s)
        request, tensors = read_request(framed)
        caller = caller_of(scope)
        inferring = _Inference(services, served, request, caller)
        inputs = served.tensors.read(tensors, served.convert, served.decode)
        stays = goes_on(headers, services.settings.on_disconnect)

        async def answered(reply: Reply, prediction_id: str, is_new: bool = True) -> RawResponse:
            ids = [f"{prediction_id}-{number}" if number else prediction_id for number in range(len(inputs))]
            if reply.later:
                async with services.limits.queueing(scope, caller, ids if is_new else []):
                    queued = await inferring.submit(inputs, ids, reply, webhook, trace_of(scope))
                return await inferring.later(queued, reply, scope)
            await services.limits.predictions(scope, caller, len(inputs))
            with while_wanted(scope, stays=stays):
                return await inferring.now(inputs, ids, scope)

        if IDEMPOTENCY_KEY in headers:
            body = framed.body if framed.json_bytes is None else b"%d\0%b" % (framed.json_bytes, framed.body)
            answer = await predicted_once(services, scope, body, caller=caller.key_id, reply=reply, run=answered)
        else:
            answer = await answered(reply, new_prediction_id())
        await answer(scope, receive, send)

    return infer


async def _read(headers: dict[bytes, bytes], receive: Receive, *, max_bytes: int) -> Framed:
    """The body, and how much of it is JSON."""
    json_bytes = headers.get(LENGTH_HEADER.lower().encode())
    if json_bytes is None:
        require_json(headers.get(b"content-type"))
    elif not json_bytes.isdigit() or len(json_bytes) > 18:
        raise MalformedRequest(f"The header {LENGTH_HEADER} must be a number of bytes.", field=LENGTH_HEADER)
    body = await read_body(headers, receive, max_bytes=max_bytes)
    body = unpacked(body, headers.get(b"content-encoding"), max_bytes=max_bytes)
    return Framed(body=body, json_bytes=None if json_bytes is None else int(json_bytes))


class _Inference:
    """One request for ``…/infer``: its predictions run together, or wait in the queue."""

    def __init__(self, services: Services, served: ServedModel, request: InferRequest, caller: Caller) -> None:
        """Raises ``InvalidInput`` for what the request wants and is not served."""
        for name, why in _REFUSED.items():
            if request.parameters.get(name):
                raise InvalidInput(f"Parameter {name!r}: {why}.", field=f"$.parameters.{name}")
        self._services = services
        self._served = served
        self._request = request
        self._caller = caller
        self._outputs = served.tensors.check_outputs([each.name for each in request.outputs])
        self._binary = self._wanted_binary()
        self._timeout_s = self._wanted_timeout_s()

    async def now(self, inputs: Sequence[Any], ids: Sequence[str], scope: Scope) -> RawResponse:
        """Run all of them at once; the first failure is that of the request."""
        scope["state"]["prediction_id"] = ids[0]
        outcomes = await asyncio.gather(
            *(
                predict_now(
                    self._services,
                    self._served,
                    input,
                    body=_encode(input),
                    prediction_id=prediction_id,
                    caller=self._caller,
                    timeout_s=self._timeout_s,
                    trace=trace_of(scope),
                )
                for input, prediction_id in zip(inputs, ids, strict=True)
            ),
            return_exceptions=True,
        )
        outputs: list[Any] = []
        for number, outcome in enumerate(outcomes):
            if isinstance(outcome, BaseException):
                raise _of_several(outcome, number, len(outcomes))
            outputs.append(outcome.value)
        return self._answer(outputs, [prediction_header(ids[0])])

    async def later(self, predictions: Sequence[Prediction], reply: Reply, scope: Scope) -> RawResponse:
        """They are queued; with ``wait``, answer as if they had run here when all end in time."""
        scope["state"]["prediction_id"] = predictions[0].prediction_id
        if reply.wait_s:
            queue, wait_s, submitted = self._services.queue, reply.wait_s, predictions
            predictions = await wait_for(
                self._services,
                lambda: asyncio.gather(*(queue.wait_for(each, wait_s) for each in submitted)),
                otherwise=submitted,
                scope=scope,
            )
        headers: list[Header] = [(b"preference-applied", reply.applied)] if reply.applied else []
        accepted = [accepted_of(each) for each in predictions]
        if len(predictions) == 1:
            headers.append(prediction_header(predictions[0].prediction_id))
            headers.append((b"location", accepted[0].location.encode()))
        # all are looked at: one that failed is told, whatever the others do
        succeeded = [self._succeeded(each, number, len(predictions)) for number, each in enumerate(predictions)]
        if all(succeeded):
            return self._answer([each.output for each in predictions], headers)
        body = accepted[0] if len(accepted) == 1 else AcceptedMany(predictions=accepted)
        return RawResponse(_encode(body), status=202, headers=[*headers, self._served.header])

    async def submit(
        self, inputs: Sequence[Any], ids: Sequence[str], reply: Reply, webhook: str, trace: TraceContext | None
    ) -> list[Prediction]:
        """Queue them; raises ``QueueFull``, and then some may be queued."""
        served, queue = self._served, self._services.queue
        bodies = [_encode(input) for input in inputs]
        if len(inputs) > 1:
            return await queue.submit_many(
                served.name,
                inputs,
                version=served.version,
                input_previews=[preview(body) for body in bodies],
                input_bytes=[len(body) for body in bodies],
                prediction_ids=ids,
                caller=self._caller.key_id,
                webhook=webhook,
                trace=trace,
            )
        prediction = await queue.submit(
            served.name,
            inputs[0],
            version=served.version,
            input_preview=preview(bodies[0]),
            input_bytes=len(bodies[0]),
            prediction_id=ids[0],
            timeout_s=self._timeout_s,
            will_wait=bool(reply.wait_s),
            caller=self._caller.key_id,
            webhook=webhook,
            trace=trace,
        )
        return [prediction]

    def _succeeded(self, prediction: Prediction, number: int, count: int) -> bool:
        try:
            return check_success(prediction)
        except PredictionFailed as error:
            raise _of_several(error, number, count) from error

    def _answer(self, outputs: Sequence[Any], headers: Sequence[Header]) -> RawResponse:
        served = self._served
        framed = write_response(
            served.tensors.write(outputs, self._outputs),
            binary=self._binary,
            model_name=served.name,
            model_version=served.version,
            request_id=self._request.id,
        )
        headers = [*headers, served.header]
        if framed.json_bytes is None:
            return RawResponse(framed.body, headers=headers)
        headers.append((LENGTH_HEADER.lower().encode(), b"%d" % framed.json_bytes))
        return RawResponse(framed.body, headers=headers, media_type=b"application/octet-stream")

    def _wanted_binary(self) -> set[str]:
        """Outputs whose elements stand behind the JSON."""
        everything = self._request.parameters.get("binary_data_output") is True
        binary = set(self._outputs) if everything else set[str]()
        for number, output in enumerate(self._request.outputs):
            for name in ("classification", "shared_memory_region"):
                if output.parameters.get(name):
                    raise InvalidInput(
                        f"Output {output.name!r}: {name} is not served here.",
                        field=f"$.outputs[{number}].parameters.{name}",
                    )
            wanted = output.parameters.get("binary_data", everything)
            (binary.add if wanted is True else binary.discard)(output.name)
        return binary

    def _wanted_timeout_s(self) -> float | None:
        timeout_us = self._request.parameters.get("timeout")
        if timeout_us in {None, 0}:
            return None
        if isinstance(timeout_us, bool) or not isinstance(timeout_us, int) or timeout_us < 0:
            raise InvalidInput(
                "Parameter 'timeout' must be a whole number of microseconds.", field="$.parameters.timeout"
            )
        return timeout_us / 1_000_000


def _of_several(error: BaseException, number: int, count: int) -> BaseException:
    """A failure, which says of several predictions whose it is."""
    if count == 1 or not isinstance(error, PredictionFailed):
        return error
    return PredictionFailed(f"Prediction {number} of {count}: {error.message}", code=error.code)
