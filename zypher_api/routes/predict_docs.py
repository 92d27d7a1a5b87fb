"""What the documentation says of the predict routes: one operation for each model, with its own types and examples."""

from typing import Any

import msgspec

from zypher_api.answers import Accepted
from zypher_api.idempotency import MOST_CHARS
from zypher_api.negotiation import MAX_WAIT_S
from zypher_api.openapi import EXAMPLE_ID, Answer, Content, Operation, Parameter
from zypher_api.webhook_headers import COMPLETED
from zypher_jobs.contracts.access import Scope
from zypher_jobs.contracts.prediction import Status
from zypher_jobs.contracts.webhook import MOST_URL_CHARS, URL_SCHEMA, WebhookEvent
from zypher_jobs.errors import InvalidInput
from zypher_jobs.models import ServedModel

ASYNC_MODE = Parameter(
    name="Async-Mode",
    place="header",
    description="`true`, in any case: answer 202 at once, the prediction follows.",
    schema={"type": "string", "pattern": "^([Tt][Rr][Uu][Ee]|[Ff][Aa][Ll][Ss][Ee])$"},
    example="false",
)
PREFER = Parameter(
    name="Prefer",
    place="header",
    description="RFC 7240. `respond-async` is the same as `Async-Mode: true`; with `wait=N` the request is held for up "
    f"to N seconds (at most {MAX_WAIT_S}) and answered as a synchronous one if the prediction ends in time. `wait=N` "
    "alone does the same.",
    schema={"type": "string"},
    example="respond-async, wait=5",
)
WEBHOOK_URL = Parameter(
    name="Webhook-Url",
    place="header",
    description="Of a prediction that is answered later: where to POST how it ended, signed as Standard Webhooks "
    "has it.",
    schema={"type": "string", **URL_SCHEMA, "maxLength": MOST_URL_CHARS},
    example="https://example.com/hook",
)
_EVENT = "|".join([*WebhookEvent, COMPLETED]).replace(".", r"\.")
WEBHOOK_EVENTS = Parameter(
    name="Webhook-Events",
    place="header",
    description="With `Webhook-Url`: which ends are told, comma separated; absent: all.",
    schema={"type": "string", "pattern": f"^(({_EVENT})( *, *({_EVENT}))*)?$"},
    example="prediction.succeeded, prediction.failed",
)
IDEMPOTENCY_KEY = Parameter(
    name="Idempotency-Key",
    place="header",
    description="A new one for each request, such as a UUID, and the same one to try it again: what was answered with "
    "success is answered again, and nothing runs twice. Quotes, as the IETF's draft wants them, may be left out.",
    schema={
        "type": "string",
        "minLength": 1,
        "maxLength": MOST_CHARS,
        # quoted, or as it is: visible ASCII that does not begin with a quote
        "pattern": r'^("([ !#-\[\]-~]|\\["\\])+"|[!#-~]([ -~]*[!-~])?)$',
    },
    example="8e03978e-40d5-43dd-bc93-6894a57f9324",
)
ON_DISCONNECT = Parameter(
    name="On-Disconnect",
    place="header",
    description="What becomes of a synchronous prediction whose caller goes away.",
    schema={"title": "OnDisconnect", "type": "string", "enum": ["cancel", "continue"]},
    example="cancel",
)
HEADERS = (ASYNC_MODE, PREFER, IDEMPOTENCY_KEY, ON_DISCONNECT, WEBHOOK_URL, WEBHOOK_EVENTS)
NAME = Parameter(name="name", place="path", description="Name of a model.", schema={"type": "string"}, example="mock")
VERSION = Parameter(
    name="version", place="path", description="A version of the model.", schema={"type": "string"}, example="1"
)
PROBLEMS = (
    "malformed_input",
    "malformed_request",
    "body_too_large",
    "unsupported_media_type",
    "invalid_input",
    "model_error",
    "poison",
    "queue_full",
    "request_outstanding",
    "answer_not_kept",
    "idempotency_key_reused",
    "too_many_at_once",
    "overloaded",
    "redis_unavailable",
    "model_not_ready",
    "timeout",
    "canceled",
    "expired",
)
OF_ISOLATED = ("model_crashed", "out_of_memory")
"""Of models that run in processes of their own."""
OF_REMOTE = ("remote_unavailable", "remote_refused", "remote_failed")
"""Of models that another server runs."""
EVENTS = Content(
    type=str,
    media_type="text/event-stream",
    example="""\
event: start
data: {"prediction_id":"0f8fad5bd9cb469fa16570867728950e","model":"story","version":"1"}

event: progress
id: 1
data: {"progress":0.5,"message":"writing","at":"2023-11-14T22:13:20.250000Z"}

event: output
id: 2
data: "Once"

event: end
id: end
data: {"prediction_id":"0f8fad5bd9cb469fa16570867728950e","status":"succeeded","output":"Once"}

""",
)
REPLAYED = "`true` where the answer was given before, to the same Idempotency-Key."
_MODEL_VERSION = "Which version answers, as `name@version`."
_MODEL_CACHE = (
    "Of a model with a result cache, if it ran in the request: `hit` (the output was there), `shared` (the same input "
    "was running) or `miss`."
)
ACCEPTED = Accepted(prediction_id=EXAMPLE_ID, status=Status.QUEUED, queue_position=0, location=f"/predict/{EXAMPLE_ID}")


def default(served: ServedModel) -> Operation:
    """``POST /predict``."""
    return _operation(
        served, path="/predict", operation_id="predict", summary=f"Predict with the default model, {served.name}"
    )


def named(served: ServedModel) -> Operation:
    """``POST /models/{name}/predict`` of one model."""
    return _operation(
        served,
        path=f"/models/{served.name}/predict",
        operation_id=f"predict_with_{served.name}",
        summary=f"Predict with {served.name}",
    )


def any_model(example: ServedModel) -> Operation:
    """``POST /models/{name}/predict`` for any name."""
    info = example.info
    return Operation(
        method="post",
        path="/models/{name}/predict",
        operation_id="predict_with_model",
        scopes=(Scope.PREDICT,),
        tag="predictions",
        summary="Predict with any model, by name",
        description="What it takes and answers is that of the model: `GET /models/{name}` has its schemas.",
        parameters=(NAME, *HEADERS),
        body=Content(type=Any, example=info.input_example),
        answers=_answers(Content(type=Any, example=info.output_example)),
        problems=("unknown_model", *PROBLEMS, *OF_ISOLATED, *OF_REMOTE),
        problem_examples=_problem_examples(example),
    )


def any_version(example: ServedModel) -> Operation:
    """``POST /models/{name}/versions/{version}/predict``."""
    by_name = any_model(example)
    return msgspec.structs.replace(
        by_name,
        path="/models/{name}/versions/{version}/predict",
        operation_id="predict_with_version",
        summary="Predict with one version of a model",
        description="Whatever share of the traffic it has: `GET /models/{name}` has the versions.",
        parameters=(NAME, VERSION, *HEADERS),
        problems=("unknown_version", *by_name.problems),
    )


def _operation(served: ServedModel, *, path: str, operation_id: str, summary: str) -> Operation:
    info = served.info
    return Operation(
        method="post",
        path=path,
        operation_id=operation_id,
        scopes=(Scope.PREDICT,),
        tag="predictions",
        summary=summary,
        description=info.description,
        parameters=HEADERS,
        body=Content(type=served.input_type, example=info.input_example),
        answers=_answers(Content(type=served.output_type, example=info.output_example)),
        problems=(
            *PROBLEMS,
            *(OF_ISOLATED if served.definition.isolation == "process" else ()),
            *(OF_REMOTE if served.definition.is_remote else ()),
        ),
        problem_examples=_problem_examples(served),
    )


def _answers(output: Content) -> dict[int, Answer]:
    return {
        200: Answer(
            description="The model's output; or, if `Accept` prefers them, the events `start`, `progress`, `log`, "
            "`output` and `end`: a model that streams says each piece of its output as it comes.",
            content=output,
            events=EVENTS,
            headers={
                "Prediction-Id": "By which `GET /predict/{prediction_id}` shows it a moment later.",
                "Model-Version": _MODEL_VERSION,
                "Model-Cache": _MODEL_CACHE,
                "Idempotency-Replayed": REPLAYED,
            },
        ),
        202: Answer(
            description="Queued; the answer follows.",
            content=Content(type=Accepted, example=ACCEPTED),
            headers={
                "Location": "Where to read it.",
                "Prediction-Id": "The same id as in the body.",
                "Model-Version": _MODEL_VERSION,
                "Preference-Applied": "What of `Prefer` was applied.",
                "Idempotency-Replayed": REPLAYED,
            },
        ),
    }


def _problem_examples(served: ServedModel) -> dict[str, tuple[str, str | None]]:
    """What this model says of bad input, and of itself."""
    examples: dict[str, tuple[str, str | None]] = {
        "model_not_ready": (f"Model {served.name!r} is not ready: it is still loading.", None),
        "timeout": (f"Model {served.name!r} did not answer within 300 s.", None),
    }
    for body in (b"[]", b"{}", b""):
        try:
            served.decode(body)
        except InvalidInput as refused:
            examples[refused.code] = refused.message, refused.field
        except Exception:  # noqa: BLE001, S112  # a type's own checks may raise anything; the example stays general
            continue
    return examples
