"""``POST /predictions/{id}/retry`` and ``/predictions/retry``: what waits for a later time is due at once."""

import asyncio
from collections.abc import Collection

import pytest

from tests.api.running import RunningApi, running_worker
from tests.api.test_audit import waiting
from tests.api.test_keys import bearer, made
from tests.queue import steps
from zypher_jobs.contracts.prediction import Status
from zypher_jobs.queue import PredictionQueue
from zypher_jobs.queue.rows import Claimed

ASYNC = {"Async-Mode": "true"}
UNKNOWN = "0" * 32
HOUR_MS = 3_600_000


async def pause(queue: PredictionQueue, ids: Collection[str]) -> None:
    """Each of those that wait fails an attempt, and waits for an hour; others are back in their queue."""
    claimed = await steps.claim(queue, room=500)
    for is_meant in (True, False):
        some = [claim for claim in claimed.claims if (claim.prediction_id in ids) is is_meant]
        if some:
            await steps.finish(
                queue, Claimed(0, None, some), Status.QUEUED, defer_ms=HOUR_MS if is_meant else 0, counts=is_meant
            )


async def test_one_that_waits_for_its_next_attempt_is_retried_now(api: RunningApi) -> None:
    """The answer says how it stands, the audit log who did it; then it ends, as the same prediction."""
    prediction_id = await waiting(api)
    await pause(api.services.queue, [prediction_id])
    before = (await api.get(f"/predict/{prediction_id}")).json()
    (listed,) = (await api.get("/predictions?status=queued")).json()["predictions"]
    assert before["due_at"] == listed["due_at"] > before["created_at"]
    answer = await api.post(f"/predictions/{prediction_id}/retry")
    assert answer.status_code == 200, answer.text
    said = answer.json()
    assert (said["prediction_id"], said["status"], said["attempts"], said["due_at"]) == (
        *(prediction_id, "queued", 1),
        None,
    )
    async with running_worker(api):
        ended = (await api.get(f"/predict/{prediction_id}?wait=20")).json()
    assert (ended["status"], ended["attempts"]) == ("succeeded", 2)
    (entry,) = (await api.get("/audit")).json()["entries"]
    assert (entry["action"], entry["target"]) == ("prediction.retry", prediction_id)


async def test_what_does_not_wait_for_a_time_is_refused_with_the_reason(api: RunningApi) -> None:
    """409 for what waits for its turn, runs or has ended; 404 and 400 for what there is not. Nothing is noted."""
    ended, running, due = [await waiting(api) for _ in range(3)]
    await api.delete(f"/predict/{ended}")
    claimed = await steps.claim(api.services.queue)
    back = Claimed(0, None, [claim for claim in claimed.claims if claim.prediction_id == due])
    await steps.finish(api.services.queue, back, Status.QUEUED)
    for prediction_id, way_out in ((ended, "replay it"), (running, "running already"), (due, "due already")):
        refused = await api.post(f"/predictions/{prediction_id}/retry")
        assert (refused.status_code, refused.json()["code"]) == (409, "conflict")
        assert way_out in refused.json()["detail"]
    assert (await api.post(f"/predictions/{UNKNOWN}/retry")).status_code == 404
    assert (await api.post("/predictions/a%20b/retry")).status_code == 400
    assert (await api.get("/audit?action=prediction.retry")).json()["entries"] == []


async def test_a_caller_retries_its_own_predictions_only(api: RunningApi) -> None:
    """Others' are 404 for it; an operator retries all; many at once are the operator's."""
    admin = await made(api, "admin", "admin")
    own, other = [await made(api, name, "predict", by=admin) for name in ("own", "other")]
    operator = await made(api, "ops", "operate", by=admin)
    asked = await api.post("/predict", json={"input": "a"}, headers=ASYNC | bearer(own))
    path = f"/predictions/{asked.json()['prediction_id']}/retry"
    for key, status in ((other, 404), (own, 200), (operator, 200)):
        await pause(api.services.queue, [asked.json()["prediction_id"]])
        assert (await api.post(path, headers=bearer(key))).status_code == status
    for key, status in ((own, 403), (operator, 200)):
        answer = await api.post("/predictions/retry", json={"all": True}, headers=bearer(key))
        assert answer.status_code == status


async def test_of_a_filters_only_those_that_wait_for_a_time_are_meant(api: RunningApi) -> None:
    """Counted first, done once; what waits for its turn keeps it."""
    ids = [await waiting(api) for _ in range(5)]
    await pause(api.services.queue, ids[:3])
    path = "/predictions/retry"
    counted = (await api.post(path, json={"model": "mock", "dry_run": True})).json()
    assert (counted["matched"], counted["touched"], counted["searched"]) == (3, 3, 5)
    done = (await api.post(path, json={"model": "mock"})).json()
    assert (done["matched"], done["touched"], done["skipped"], done["next"]) == (3, 3, 0, None)
    assert (await api.post(path, json={"model": "mock"})).json()["matched"] == 0
    entries = (await api.get("/audit?action=predictions.retry")).json()["entries"]
    assert [(entry["count"], entry["filter"]) for entry in entries] == [(0, {"model": "mock"}), (3, {"model": "mock"})]
    assert (await api.services.queue.inspect.overview()).queue.depth == 5


async def test_of_two_who_retry_the_same_each_counts_its_own(api: RunningApi) -> None:
    """By a filter and by ids, at once: each is moved by one of them."""
    ids = [await waiting(api) for _ in range(30)]
    await pause(api.services.queue, ids)
    bodies = ({"model": "mock"}, {"ids": ids})
    answers = await asyncio.gather(*(api.post("/predictions/retry", json=body) for body in bodies))
    assert sum(answer.json()["touched"] for answer in answers) == 30
    assert (await api.services.queue.inspect.overview()).queue.depth == 30


@pytest.mark.parametrize("is_dry", [True, False], ids=["counted", "done"])
async def test_of_those_named_by_id_each_that_is_left_is_named(api: RunningApi, is_dry: bool) -> None:
    """With the reason, as the queue knows it; the others are done all the same."""
    ended, paused, due = [await waiting(api) for _ in range(3)]
    await api.delete(f"/predict/{ended}")
    await pause(api.services.queue, [paused])
    body = {"ids": [ended, paused, due, UNKNOWN, paused], "dry_run": is_dry}
    said = (await api.post("/predictions/retry", json=body)).json()
    assert (said["matched"], said["touched"], said["skipped"]) == (3, 1, 3)
    assert {each["prediction_id"]: each["code"] for each in said["skips"]} == {
        ended: "conflict",
        due: "conflict",
        UNKNOWN: "unknown_prediction",
    }
    assert ((await api.get(f"/predict/{paused}")).json()["due_at"] is None) is not is_dry
