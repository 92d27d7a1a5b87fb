"""What the documentation says of ``generate`` and ``generate_stream``."""

import msgspec

from zypher_api.answers import Accepted
from zypher_api.openapi import Answer, Content, Operation
from zypher_api.routes.inference_v2_docs import TAG
from zypher_api.routes.predict_docs import ACCEPTED, HEADERS, NAME, OF_ISOLATED, OF_REMOTE, REPLAYED, VERSION
from zypher_api.routes.predict_docs import PROBLEMS as PREDICT_PROBLEMS
from zypher_jobs.contracts.access import Scope
from zypher_jobs.contracts.inference import GenerateRequest, GenerateResponse

_GENERATED = GenerateResponse(model_name="story", model_version="1", text_output="Once upon a time")
_GENERATE_HEADERS = {
    "Prediction-Id": "By which `GET /predict/{prediction_id}` shows it a moment later.",
    "Model-Version": "Which version answers, as `name@version`.",
}
_LATER = Answer(
    description="Queued; the answer follows.",
    content=Content(type=Accepted, example=ACCEPTED),
    headers={
        "Location": "Where to read it.",
        "Prediction-Id": "The same id as in the body.",
        "Model-Version": "Which version answers, as `name@version`.",
        "Preference-Applied": "What of `Prefer` was applied.",
        "Idempotency-Replayed": REPLAYED,
    },
)
GENERATE = Operation(
    method="post",
    path="/v2/models/{name}/generate",
    operation_id="v2_generate",
    scopes=(Scope.PREDICT,),
    tag=TAG,
    summary="Text to text",
    description="For models with one text in their input, and one in their output. `parameters` are other fields of "
    "the model's input. With `Async-Mode` or `Prefer` it is queued; `GET /predict/{prediction_id}` shows the "
    "model's own output then.",
    parameters=(NAME, *HEADERS),
    body=Content(type=GenerateRequest, example=GenerateRequest(text_input="Once", parameters={"words": 3})),
    answers={
        200: Answer(
            description="The text.",
            content=Content(type=GenerateResponse, example=_GENERATED),
            headers={**_GENERATE_HEADERS, "Idempotency-Replayed": REPLAYED},
        ),
        202: _LATER,
    },
    problems=("unknown_model", *PREDICT_PROBLEMS, *OF_ISOLATED, *OF_REMOTE),
    problem_examples={"invalid_input": ("Field 'text_input' is missing.", "$.text_input")},
)
GENERATE_VERSION = msgspec.structs.replace(
    GENERATE,
    path="/v2/models/{name}/versions/{version}/generate",
    operation_id="v2_generate_version",
    summary="Text to text, with one version of a model",
    parameters=(NAME, VERSION, *HEADERS),
    problems=("unknown_version", *GENERATE.problems),
)
GENERATE_STREAM = msgspec.structs.replace(
    GENERATE,
    path="/v2/models/{name}/generate_stream",
    operation_id="v2_generate_stream",
    summary="Text to text, piece by piece",
    description="Server-sent events without a name: the data of each is as the answer of `generate`, with the next "
    "piece in `text_output`. A model that does not stream gives one event. What fails after the first piece is an "
    "event whose data has the member `error`. With `Async-Mode` or `Prefer: respond-async` it is queued, and its "
    "pieces are at `GET /predict/{prediction_id}/events`. `Idempotency-Key` and `Webhook-Url` are for that only.",
    answers={
        200: Answer(
            description="The pieces of the text.",
            content=Content(
                type=str,
                example='data: {"model_name":"story","model_version":"1","text_output":"Once "}\n\n',
                media_type="text/event-stream",
            ),
            headers=_GENERATE_HEADERS,
        ),
        202: _LATER,
    },
)
STREAM_VERSION = msgspec.structs.replace(
    GENERATE_STREAM,
    path="/v2/models/{name}/versions/{version}/generate_stream",
    operation_id="v2_generate_stream_version",
    summary="Text to text, piece by piece, with one version of a model",
    parameters=(NAME, VERSION, *HEADERS),
    problems=("unknown_version", *GENERATE.problems),
)
