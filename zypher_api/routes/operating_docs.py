"""What the routes that act on predictions say of themselves."""

from datetime import UTC, datetime

from zypher_api.openapi import ANY_SCOPE, EXAMPLE_ID, Answer, Content, Operation
from zypher_api.operator_answers import Dropped, Replayed
from zypher_api.routes.predictions import PREDICTION_ID
from zypher_jobs.contracts.prediction import Mode, Prediction, Status
from zypher_jobs.errors import UnknownPrediction

_NEW_ID = "5a3c09d1e7b64f7d8f2e1c0b9a887766"
_UNKNOWN = {"unknown_prediction": (UnknownPrediction(EXAMPLE_ID).message, None)}
_WRONG_ID = "A prediction's id has 1 to 64 letters, digits, '-' and '_'; use the prediction_id of the 202 answer."

RETRY = Operation(
    method="post",
    path="/predictions/{prediction_id}/retry",
    operation_id="retry_prediction",
    scopes=ANY_SCOPE,
    tag="operators",
    summary="Retry a prediction now",
    description="One that waits for a later time, the pause after an attempt that failed, is due at once. It stays the "
    "same prediction: its attempts go on counting.",
    parameters=(PREDICTION_ID,),
    answers={
        200: Answer(
            description="It is due: as it stands now.",
            content=Content(
                type=Prediction,
                example=Prediction(
                    prediction_id=EXAMPLE_ID,
                    status=Status.QUEUED,
                    model="mock",
                    mode=Mode.ASYNC,
                    attempts=1,
                    queue_position=0,
                    created_at=datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC),
                ),
            ),
        )
    },
    problems=("malformed_request", "unknown_prediction", "conflict", "redis_unavailable"),
    problem_examples={
        **_UNKNOWN,
        "malformed_request": (_WRONG_ID, "prediction_id"),
        "conflict": (f"Prediction '{EXAMPLE_ID}' is running already.", None),
    },
)
REPLAY = Operation(
    method="post",
    path="/predictions/{prediction_id}/replay",
    operation_id="replay_prediction",
    scopes=ANY_SCOPE,
    tag="operators",
    summary="Ask again for a prediction that ended",
    description="A new prediction with the same input, model and priority, on the version that is live when it runs. A "
    "dead letter is one no longer. The input of a synchronous prediction is not kept: it is sent again.",
    parameters=(PREDICTION_ID,),
    answers={
        202: Answer(
            description="It is queued.",
            content=Content(
                type=Replayed,
                example=Replayed(prediction_id=_NEW_ID, replay_of=EXAMPLE_ID, location=f"/predict/{_NEW_ID}"),
            ),
            headers={"Location": "Where to read the new one.", "Prediction-Id": "Its id."},
        )
    },
    problems=(
        *("malformed_request", "unknown_prediction", "conflict", "queue_full", "too_many_at_once"),
        "redis_unavailable",
    ),
    problem_examples={
        **_UNKNOWN,
        "malformed_request": (_WRONG_ID, "prediction_id"),
        "conflict": (f"Prediction '{EXAMPLE_ID}' has not ended; wait for its end, or cancel it first.", None),
    },
)
DROP = Operation(
    method="delete",
    path="/predictions/{prediction_id}",
    operation_id="drop_prediction",
    scopes=ANY_SCOPE,
    tag="operators",
    summary="Forget a prediction that ended",
    description="Its input, output and record are gone at once, a dead letter too.",
    parameters=(PREDICTION_ID,),
    answers={
        200: Answer(
            description="It is known no more.",
            content=Content(type=Dropped, example=Dropped(prediction_id=EXAMPLE_ID)),
        )
    },
    problems=("malformed_request", "unknown_prediction", "conflict", "redis_unavailable"),
    problem_examples={
        **_UNKNOWN,
        "malformed_request": (_WRONG_ID, "prediction_id"),
        "conflict": (f"Prediction '{EXAMPLE_ID}' has not ended; cancel it first.", None),
    },
)
