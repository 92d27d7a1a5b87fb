"""What the documentation says of the routes of the Open Inference Protocol v2."""

from typing import Annotated, Any

import msgspec

from zypher_api.answers import Accepted, Live, Ready
from zypher_api.openapi import ANY_SCOPE, Answer, Content, Operation, Parameter
from zypher_api.routes.predict_docs import ACCEPTED, HEADERS, NAME, OF_ISOLATED, OF_REMOTE, REPLAYED, VERSION
from zypher_api.routes.predict_docs import PROBLEMS as PREDICT_PROBLEMS
from zypher_jobs.contracts.access import Scope
from zypher_jobs.contracts.inference import (
    IndexEntry,
    IndexRequest,
    InferRequest,
    InferResponse,
    ModelMetadata,
    ModelReady,
    ServerMetadata,
    WireSpec,
)
from zypher_jobs.models import ServedModel

TAG = "inference protocol"


class LoadRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What ``load`` and ``unload`` take."""

    parameters: Annotated[
        dict[str, Any],
        msgspec.Meta(
            extra_json_schema={"properties": {"unload_dependents": {"type": "boolean"}}, "additionalProperties": False}
        ),
    ] = {}
    """``unload_dependents``, which changes nothing: no model here stands on another."""


_HEADER_LENGTH = Parameter(
    name="Inference-Header-Content-Length",
    place="header",
    description="How many bytes of the body are JSON, where binary tensors follow. Left out: all of it.",
    schema={"type": "string", "pattern": "^[0-9]+$"},
    example="180",
)
_NOT_READY = ("redis_unavailable", "model_not_ready", "not_ready")

SERVER = Operation(
    method="get",
    path="/v2",
    operation_id="v2_server_metadata",
    scopes=ANY_SCOPE,
    tag=TAG,
    summary="What the server is",
    answers={
        200: Answer(
            description="Its name, version and extensions.",
            content=Content(
                type=ServerMetadata,
                example=ServerMetadata(name="zypher", version="0.1.0", extensions=["binary_tensor_data"]),
            ),
        )
    },
)
LIVE = Operation(
    method="get",
    path="/v2/health/live",
    operation_id="v2_live",
    scopes=(),
    tag=TAG,
    summary="Whether the process answers",
    answers={200: Answer(description="It does.", content=Content(type=Live, example=Live()))},
)
READY = Operation(
    method="get",
    path="/v2/health/ready",
    operation_id="v2_ready",
    scopes=(),
    tag=TAG,
    summary="Whether it can serve: as /health/ready",
    answers={200: Answer(description="It can.", content=Content(type=Ready, example=Ready()))},
    problems=_NOT_READY,
)
MODEL_READY = Operation(
    method="get",
    path="/v2/models/{name}/ready",
    operation_id="v2_model_ready",
    scopes=ANY_SCOPE,
    tag=TAG,
    summary="Whether a model can predict",
    parameters=(NAME,),
    answers={200: Answer(description="It can.", content=Content(type=ModelReady, example=ModelReady(name="mock")))},
    problems=("unknown_model", "model_not_ready"),
)
VERSION_READY = msgspec.structs.replace(
    MODEL_READY,
    path="/v2/models/{name}/versions/{version}/ready",
    operation_id="v2_version_ready",
    summary="Whether one version of a model can predict",
    parameters=(NAME, VERSION),
    problems=("unknown_model", "unknown_version", "model_not_ready"),
)


def model(example: ServedModel) -> Operation:
    """``GET /v2/models/{name}``."""
    form = example.tensors
    shown = ModelMetadata(
        name=example.name,
        versions=[example.version],
        platform="zypher",
        inputs=[WireSpec(name=s.name, datatype=s.datatype, shape=form.shape(s)) for s in form.inputs],
        outputs=[WireSpec(name=s.name, datatype=s.datatype, shape=form.shape(s)) for s in form.outputs],
    )
    return Operation(
        method="get",
        path="/v2/models/{name}",
        operation_id="v2_model_metadata",
        scopes=ANY_SCOPE,
        tag=TAG,
        summary="The tensors that a model takes and gives",
        parameters=(NAME,),
        answers={200: Answer(description="The model.", content=Content(type=ModelMetadata, example=shown))},
        problems=("unknown_model", "model_not_ready"),
    )


def version(example: ServedModel) -> Operation:
    """``GET /v2/models/{name}/versions/{version}``."""
    return msgspec.structs.replace(
        model(example),
        path="/v2/models/{name}/versions/{version}",
        operation_id="v2_version_metadata",
        summary="The tensors that one version of a model takes and gives",
        parameters=(NAME, VERSION),
        problems=("unknown_model", "unknown_version", "model_not_ready"),
    )


def infer(example: ServedModel) -> Operation:
    """``POST /v2/models/{name}/infer``."""
    return Operation(
        method="post",
        path="/v2/models/{name}/infer",
        operation_id="v2_infer",
        scopes=(Scope.PREDICT,),
        tag=TAG,
        summary="Predict with tensors, as many predictions as their first dimension says",
        description="Each prediction is one of its own, and meets the others in the model's batches. The id of the "
        "first is in `Prediction-Id`; behind it the others have `-1`, `-2` and so on. `GET /v2/models/{name}` has the "
        "tensors. The elements of a tensor are in its `data`, or behind the JSON, in as many bytes as its "
        "`binary_data_size` says; outputs come back behind it where `binary_data_output`, or `binary_data` of one, "
        "is true. With `Async-Mode` or `Prefer` the predictions are queued: each is read by its own id.",
        parameters=(NAME, _HEADER_LENGTH, *HEADERS),
        body=Content(
            type=InferRequest,
            example={"inputs": [{"name": "input", "shape": [1], "datatype": "BYTES", "data": ["hello"]}]},
        ),
        answers={
            200: Answer(
                description="The outputs.",
                content=Content(
                    type=InferResponse,
                    example={
                        "model_name": "mock",
                        "model_version": "1",
                        "outputs": [{"name": "input", "shape": [1], "datatype": "BYTES", "data": ["hello"]}],
                    },
                ),
                headers={
                    "Prediction-Id": "Of the first prediction.",
                    "Model-Version": "Which version answers, as `name@version`.",
                    "Inference-Header-Content-Length": "How many bytes are JSON, where binary tensors follow.",
                    "Idempotency-Replayed": REPLAYED,
                },
            ),
            202: Answer(
                description="Queued. Several predictions, each with its own id, are a list of these in the member "
                "`predictions`, beside `message`.",
                content=Content(type=Accepted, example=ACCEPTED),
                headers={
                    "Location": "Where to read it; absent where there are several.",
                    "Prediction-Id": "The same id as in the body; absent where there are several.",
                    "Model-Version": "Which version answers, as `name@version`.",
                    "Preference-Applied": "What of `Prefer` was applied.",
                    "Idempotency-Replayed": REPLAYED,
                },
            ),
        },
        problems=("unknown_model", *PREDICT_PROBLEMS, *OF_ISOLATED, *OF_REMOTE),
        problem_examples={
            "malformed_input": (
                "Tensor 'x' of shape [1, 4] and datatype FP32 has 16 bytes, and 12 were sent.",
                "$",
            ),
            "invalid_input": (
                "Tensor 'x' must have the shape [-1, 4] (-1 is any size), not [1, 3].",
                "$.inputs[0].shape",
            ),
            "timeout": (f"Model {example.name!r} did not answer within 300 s.", None),
        },
    )


def infer_version(example: ServedModel) -> Operation:
    """``POST /v2/models/{name}/versions/{version}/infer``."""
    by_name = infer(example)
    return msgspec.structs.replace(
        by_name,
        path="/v2/models/{name}/versions/{version}/infer",
        operation_id="v2_infer_version",
        summary="Predict with tensors, with one version of a model",
        parameters=(NAME, VERSION, *by_name.parameters[1:]),
        problems=("unknown_version", *by_name.problems),
    )


_ENTRIES = Content(type=list[IndexEntry], example=[IndexEntry(name="mock", version="1", state="READY")])
_BODY_PROBLEMS = ("malformed_input", "body_too_large", "invalid_input")
_EXAMPLES: dict[str, tuple[str, str | None]] = {
    "malformed_input": ("The body is not valid JSON (trailing characters (byte 2)).", "$"),
    "invalid_input": ("Parameter 'config' is not served here.", "$.parameters.config"),
}
INDEX = Operation(
    method="post",
    path="/v2/repository/index",
    operation_id="v2_repository_index",
    scopes=ANY_SCOPE,
    tag=TAG,
    summary="List every version of every model, and whether it can predict",
    body=Content(type=IndexRequest, example=IndexRequest()),
    body_is_required=False,
    answers={200: Answer(description="All, or with `ready` those that can predict.", content=_ENTRIES)},
    problems=_BODY_PROBLEMS,
    problem_examples=_EXAMPLES | {"invalid_input": ("Field 'ready' must be true or false, got int.", "$.ready")},
)
LOAD = Operation(
    method="post",
    path="/v2/repository/models/{name}/load",
    operation_id="v2_repository_load",
    scopes=(Scope.DEPLOY,),
    tag=TAG,
    summary="Load a model in this process, all of its versions",
    description="Other processes, workers among them, are not told. The answer comes when it can predict.",
    parameters=(NAME,),
    body=Content(type=LoadRequest, example=LoadRequest()),
    body_is_required=False,
    answers={200: Answer(description="It can predict.", content=_ENTRIES)},
    problems=("unknown_model", *_BODY_PROBLEMS, "model_not_ready"),
    problem_examples=_EXAMPLES,
)
UNLOAD = msgspec.structs.replace(
    LOAD,
    path="/v2/repository/models/{name}/unload",
    operation_id="v2_repository_unload",
    summary="Let a model leave the memory of this process",
    description="It takes no more calls, those under way end first, and it is loaded again only by `load`. Other "
    "processes, workers among them, are not told. The default model stays.",
    answers={
        200: Answer(
            description="It has left.",
            content=Content(
                type=list[IndexEntry],
                example=[IndexEntry(name="mock", version="1", state="UNAVAILABLE", reason="it is not loaded")],
            ),
        )
    },
    problems=("unknown_model", *_BODY_PROBLEMS, "conflict"),
)
