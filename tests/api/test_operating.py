"""Acting on single predictions: replay, drop."""

import asyncio

import pytest

from tests.api.models import Gate
from tests.api.running import RunningApi, running_worker
from tests.api.test_keys import bearer, made
from zypher_jobs.testing import wait_until

ASYNC = {"Async-Mode": "true"}
UNKNOWN = "0" * 32


async def failed(api: RunningApi, text: str = "no") -> str:
    """The id of a dead letter; a worker runs."""
    answer = await api.post("/models/raises/predict", json={"text": text}, headers=ASYNC)
    assert (await api.get(answer.headers["location"] + "?wait=20")).json()["status"] == "failed"
    return str(answer.json()["prediction_id"])


async def test_a_dead_letter_is_asked_for_again(api: RunningApi) -> None:
    """202 with the new one, which says whose replay it is."""
    async with running_worker(api):
        old = await failed(api)
        assert (await api.get("/stats")).json()["dead_letters"] == 1
        answer = await api.post(f"/predictions/{old}/replay")
        assert answer.status_code == 202, answer.text
        said = answer.json()
        assert said["replay_of"] == old
        assert answer.headers["location"] == said["location"] == f"/predict/{said['prediction_id']}"
        new = (await api.get(said["location"] + "?wait=20")).json()
        assert (new["status"], new["replay_of"], new["model"]) == ("failed", old, "raises")
        letters = await api.services.queue.inspect.dead_letters()
        assert [letter.prediction_id for letter in letters] == [said["prediction_id"]]


async def test_what_was_canceled_is_asked_for_again(api: RunningApi) -> None:
    """With the input that it had."""
    location = (await api.post("/predict", json={"input": "again"}, headers=ASYNC)).headers["location"]
    await api.delete(location)
    answer = await api.post(location.replace("/predict/", "/predictions/") + "/replay")
    assert answer.status_code == 202
    async with running_worker(api):
        new = (await api.get(answer.headers["location"] + "?wait=20")).json()
    assert new["output"]["input"] == "again"


async def test_what_has_not_ended_is_neither_replayed_nor_dropped(api: RunningApi) -> None:
    """409 with the way out."""
    prediction_id = (await api.post("/predict", json={"input": "a"}, headers=ASYNC)).json()["prediction_id"]
    for refused, way_out in (
        (await api.post(f"/predictions/{prediction_id}/replay"), "cancel it first"),
        (await api.delete(f"/predictions/{prediction_id}"), "cancel it first"),
    ):
        assert (refused.status_code, refused.json()["code"]) == (409, "conflict")
        assert way_out in refused.json()["detail"]
    assert (await api.get(f"/predict/{prediction_id}")).json()["status"] == "queued"


async def test_a_synchronous_prediction_is_not_replayed(api: RunningApi) -> None:
    """409: its input is not kept."""
    prediction_id = (await api.post("/predict", json={"input": "a"})).headers["prediction-id"]
    await wait_until(lambda: known(api, prediction_id))
    refused = await api.post(f"/predictions/{prediction_id}/replay")
    assert (refused.status_code, refused.json()["code"]) == (409, "conflict")
    assert "send it again" in refused.json()["detail"]


async def known(api: RunningApi, prediction_id: str) -> bool:
    """Whether it is recorded."""
    return (await api.get(f"/predict/{prediction_id}")).status_code == 200


async def test_what_ended_is_dropped(api: RunningApi) -> None:
    """Dead letters, what succeeded, and what was synchronous: then it is in no list."""
    now = (await api.post("/predict", json={"input": "a"})).headers["prediction-id"]
    await wait_until(lambda: known(api, now))
    async with running_worker(api):
        dead = await failed(api)
        later = await api.post("/predict", json={"input": "a"}, headers=ASYNC)
        assert (await api.get(later.headers["location"] + "?wait=20")).json()["status"] == "succeeded"
    ids = [now, dead, later.json()["prediction_id"]]
    for each in ids:
        assert (await api.delete(f"/predictions/{each}")).json() == {"prediction_id": each}
        assert (await api.get(f"/predict/{each}")).status_code == 404
        assert (await api.delete(f"/predictions/{each}")).status_code == 404
    assert (await api.get("/predictions")).json()["predictions"] == []
    assert (await api.get("/stats")).json()["dead_letters"] == 0


@pytest.mark.parametrize(
    ("prediction_id", "status", "code"),
    [(UNKNOWN, 404, "unknown_prediction"), ("a%20b", 400, "malformed_request"), ("a" * 65, 400, "malformed_request")],
)
async def test_what_there_is_not_is_not_acted_on(api: RunningApi, prediction_id: str, status: int, code: str) -> None:
    """404 for an id that nobody has, 400 for one that nobody can have."""
    for refused in (
        await api.post(f"/predictions/{prediction_id}/replay"),
        await api.delete(f"/predictions/{prediction_id}"),
    ):
        assert (refused.status_code, refused.json()["code"]) == (status, code)


async def test_a_caller_acts_on_its_own_predictions_only(api: RunningApi) -> None:
    """Others' are 404 for it; an operator acts on all."""
    admin = await made(api, "admin", "admin")
    own, other = [await made(api, name, "predict", by=admin) for name in ("own", "other")]
    operator = await made(api, "ops", "operate", by=admin)
    asked = await api.post("/predict", json={"input": "a"}, headers=ASYNC | bearer(own))
    prediction_id = asked.json()["prediction_id"]
    await api.delete(f"/predict/{prediction_id}", headers=bearer(own))
    assert (await api.post(f"/predictions/{prediction_id}/replay", headers=bearer(other))).status_code == 404
    assert (await api.delete(f"/predictions/{prediction_id}", headers=bearer(other))).status_code == 404
    replayed = await api.post(f"/predictions/{prediction_id}/replay", headers=bearer(operator))
    assert replayed.status_code == 202
    assert (await api.get(replayed.headers["location"], headers=bearer(own))).status_code == 200
    assert (await api.delete(f"/predictions/{prediction_id}", headers=bearer(own))).status_code == 200


async def test_a_replay_counts_against_the_limits_of_its_key(api: RunningApi) -> None:
    """429 once as many of its predictions are under way as may be."""
    admin = await made(api, "admin", "admin")
    key = await made(api, "own", "predict", by=admin, concurrent=1)
    Gate.opened, Gate.entered = asyncio.Event(), asyncio.Event()
    asked = await api.post("/models/gate/predict", json={}, headers=ASYNC | bearer(key))
    prediction_id = asked.json()["prediction_id"]
    await api.delete(f"/predict/{prediction_id}", headers=bearer(key))
    path = f"/predictions/{prediction_id}/replay"
    assert (await api.post(path, headers=bearer(key))).status_code == 202
    refused = await api.post(path, headers=bearer(key))
    assert (refused.status_code, refused.json()["code"]) == (429, "too_many_at_once")
