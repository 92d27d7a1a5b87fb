"""What the routes that act on many predictions say of themselves."""

import msgspec

from zypher_api.openapi import EXAMPLE_ID, Answer, Content, Operation, Parameter
from zypher_api.operator_answers import BulkDone, Replayed, Skipped
from zypher_jobs.contracts.access import Scope
from zypher_jobs.contracts.operation import BulkRequest
from zypher_jobs.contracts.prediction import Status

MALFORMED = 'The body is not JSON; send a filter such as {"model":"mock"}, or {"all":true}.'
WRONG_DRY_RUN = "dry_run must be true or false."

_NEW_ID = "5a3c09d1e7b64f7d8f2e1c0b9a887766"


def _skipped(reason: str) -> Skipped:
    return Skipped(prediction_id=EXAMPLE_ID, code="conflict", reason=reason)


_DONE = BulkDone(
    dry_run=False,
    matched=2,
    touched=1,
    skipped=1,
    skips=[_skipped(f"Prediction '{EXAMPLE_ID}' is succeeded and stays as it is.")],
    searched=40,
    next=None,
)
_REPLAYED = Replayed(prediction_id=_NEW_ID, replay_of=EXAMPLE_ID, location=f"/predict/{_NEW_ID}")
_BOUNDS = (
    "Newest first, up to `limit`, and no more than about 20,000 that are looked at or 5 s: while `next` is there, the "
    "same call with it as `before` goes on. With `ids`, those are meant and no others are looked at. With `dry_run` "
    "nothing is changed, and `touched` says how many would be. Where Redis goes away in the middle, `stopped` says why "
    "and `unknown` of how many nobody knows; `next` says where to go on; a 503 has done nothing."
)


def _operation(verb: str, summary: str, description: str, body: BulkRequest, done: BulkDone) -> Operation:
    return Operation(
        method="post",
        path=f"/predictions/{verb}",
        operation_id=f"{verb}_predictions",
        scopes=(Scope.OPERATE,),
        tag="operators",
        summary=summary,
        description=f"{description} {_BOUNDS}",
        parameters=(
            Parameter(
                name="dry_run",
                place="query",
                description="Only count them; the same as in the body.",
                schema={"title": "DryRun", "type": "string", "enum": ["true", "false"]},
                example="true",
            ),
        ),
        body=Content(type=BulkRequest, example=body),
        body_is_required=False,
        answers={200: Answer(description="What was done.", content=Content(type=BulkDone, example=done))},
        problems=(
            *("malformed_request", "malformed_input", "body_too_large", "unsupported_media_type", "invalid_input"),
            "redis_unavailable",
        ),
        problem_examples={
            "malformed_request": (
                f'Say which predictions to {verb}: a filter such as {{"model":"mock"}}, or {{"all":true}} for all.',
                "$",
            ),
            "malformed_input": (MALFORMED, "$"),
            "invalid_input": ("Invalid enum value 'faild'.", "$.status"),
        },
    )


CANCEL = _operation(
    "cancel",
    "Cancel many predictions",
    "What waits is canceled at once, what runs is stopped by its worker within a second.",
    BulkRequest(model="mock", status=Status.QUEUED),
    _DONE,
)
RETRY = _operation(
    "retry",
    "Retry many predictions now",
    "What waits for a later time, the pause after an attempt that failed, is due at once, as if that time had come. Of "
    "a filter's, what waits only for its turn is not meant; of those named by `ids`, what is due, runs or has ended is "
    "skipped, so that the same call twice moves nothing twice.",
    BulkRequest(model="mock"),
    msgspec.structs.replace(_DONE, skips=[_skipped(f"Prediction '{EXAMPLE_ID}' is running already.")]),
)
REPLAY = _operation(
    "replay",
    "Ask again for many predictions",
    "Without a `status` dead letters are meant: failed ones that were not replayed before, so that the same call twice "
    "replays nothing twice, nor do two calls at once. With another `status`, or with `ids`, it replays those each time "
    "unless `once` is true. It stops where a queue is full.",
    BulkRequest(model="mock", fingerprint="9b1f04c5d2aa"),
    BulkDone(dry_run=False, matched=1, touched=1, skipped=0, skips=[], replays=[_REPLAYED], searched=1, next=None),
)
DROP = _operation(
    "drop",
    "Forget many predictions",
    "Without a `status` failed ones are meant. Synchronous predictions are meant only by their `ids`; they go by "
    "themselves.",
    BulkRequest(fingerprint="9b1f04c5d2aa"),
    _DONE,
)
