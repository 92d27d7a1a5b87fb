"""What the submit of many says of itself."""

from typing import Any

from zypher_api.answers import Accepted
from zypher_api.openapi import EXAMPLE_ID, Answer, Content, Operation
from zypher_api.routes.predict_docs import IDEMPOTENCY_KEY
from zypher_api.submit_many import MOST, ItemError, SubmittedMany, SubmittedOne, ToSubmit
from zypher_jobs.contracts.access import Scope
from zypher_jobs.contracts.prediction import Status

MALFORMED = 'The body is not JSON; send a list such as [{"model":"mock","input":{"input":"hello"}}].'
_EXAMPLE: list[Any] = [
    {"model": "mock", "input": {"input": "hello"}, "priority": "low"},
    {"model": "mock", "input": {"input": ""}},
]

SUBMIT = Operation(
    method="post",
    path="/predictions",
    operation_id="submit_predictions",
    scopes=(Scope.PREDICT,),
    tag="predictions",
    summary="Ask for many predictions, later",
    description=f"Up to {MOST:,} in one call, of any models, each with its own priority and deadline. A list that is "
    "not in form is refused as a whole, and nothing is queued. What then cannot be queued (an unknown model, an input "
    "that does not fit, a full queue) has its own `error`; the others are queued all the same, in order. The answer is "
    "202 even if all were refused: look at `refused`.",
    parameters=(IDEMPOTENCY_KEY,),
    body=Content(type=ToSubmit, example=_EXAMPLE),
    answers={
        202: Answer(
            description="What became of each.",
            content=Content(
                type=SubmittedMany,
                example=SubmittedMany(
                    accepted=1,
                    refused=1,
                    items=[
                        SubmittedOne(
                            index=0,
                            prediction=Accepted(
                                prediction_id=EXAMPLE_ID,
                                status=Status.QUEUED,
                                queue_position=0,
                                location=f"/predict/{EXAMPLE_ID}",
                            ),
                        ),
                        SubmittedOne(
                            index=1,
                            error=ItemError(
                                code="invalid_input", detail="The input must not be blank.", field="$[1].input.input"
                            ),
                        ),
                    ],
                ),
            ),
            headers={"Retry-After": "Where a queue was full: seconds until it is worth sending those again."},
        )
    },
    problems=(
        *("malformed_input", "body_too_large", "unsupported_media_type", "invalid_input", "too_many_at_once"),
        *("malformed_request", "request_outstanding", "idempotency_key_reused", "redis_unavailable"),
    ),
    problem_examples={
        "malformed_input": (MALFORMED, "$"),
        "invalid_input": ("Expected `array` of length >= 1.", "$"),
    },
)
