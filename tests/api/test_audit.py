"""``GET /audit``: every operation is written down, with who did it."""

from typing import Any

import pytest

from tests.api.running import RunningApi
from tests.api.test_keys import bearer, made
from zypher_api.app import create_app
from zypher_api.openapi import operations
from zypher_jobs.contracts.access import Scope
from zypher_jobs.contracts.operation import Action
from zypher_jobs.queue import keys
from zypher_jobs.queue.connection import RedisClient
from zypher_jobs.settings import Settings

ASYNC = {"Async-Mode": "true"}


async def noted(api: RunningApi, **query: Any) -> list[tuple[str, str]]:
    """Action and target of each entry, newest first."""
    headers = query.pop("headers", {})
    answer = await api.get("/audit", params=query, headers=headers)
    assert answer.status_code == 200, answer.text
    return [(entry["action"], entry.get("target", "")) for entry in answer.json()["entries"]]


async def waiting(api: RunningApi, headers: dict[str, str] | None = None) -> str:
    """The id of one that nobody takes."""
    answer = await api.post("/predict", json={"input": "a"}, headers=ASYNC | (headers or {}))
    return str(answer.json()["prediction_id"])


async def test_an_entry_says_who_did_what_and_in_which_request(api: RunningApi) -> None:
    """Time, name and id of the key, the id of the request."""
    admin = await made(api, "admin", "admin")
    ops = await made(api, "ops", "operate", by=admin)
    prediction_id = await waiting(api, bearer(admin))
    await api.delete(f"/predict/{prediction_id}", headers=bearer(ops) | {"Request-Id": "mine"})
    entries = (await api.get("/audit", headers=bearer(ops))).json()["entries"]
    keys_by_name = {
        key["name"]: key["key_id"] for key in (await api.get("/keys", headers=bearer(admin))).json()["keys"]
    }
    newest = entries[0]
    assert newest.pop("at").startswith("20")
    assert newest.pop("entry_id")
    assert newest == {
        "action": "prediction.cancel",
        "caller": "ops",
        "key_id": keys_by_name["ops"],
        "target": prediction_id,
        "filter": None,
        "count": 1,
        "detail": "canceled",
        "request_id": "mine",
    }
    assert [(entry["action"], entry["caller"], entry["target"]) for entry in entries[1:]] == [
        ("key.create", "admin", "ops"),
        ("key.create", "anonymous", "admin"),
    ]


async def test_each_operation_is_written_down(api: RunningApi) -> None:
    """On predictions, webhooks, models and keys."""
    first, second = [await waiting(api) for _ in range(2)]
    await api.delete(f"/predict/{first}")
    await api.post(f"/predictions/{first}/replay")
    await api.delete(f"/predictions/{first}")
    await api.delete(f"/predictions/{second}")  # refused: it waits
    hook = (await api.post("/webhooks", json={"url": "https://example.com/a/secret"})).json()["webhook_id"]
    await api.post(f"/webhooks/{hook}/secret")
    await api.delete(f"/webhooks/{hook}")
    await api.post("/v2/repository/models/raises/unload", json={})
    await api.post("/v2/repository/models/raises/load", json={})
    await api.post("/keys", json={"name": "admin", "scopes": ["admin"]})
    listed = await api.services.audit_log.page()
    assert [(entry.action, entry.target) for entry in reversed(listed[0])] == [
        (Action.CANCEL, first),
        (Action.REPLAY, first),
        (Action.DROP, first),
        (Action.REGISTER_WEBHOOK, hook),
        (Action.ROTATE_SECRET, hook),
        (Action.DELETE_WEBHOOK, hook),
        (Action.UNLOAD, "raises"),
        (Action.LOAD, "raises"),
        (Action.CREATE_KEY, "admin"),
    ]
    assert {entry.caller for entry in listed[0]} == {"anonymous"}
    assert "secret" not in str([entry.detail for entry in listed[0]])


async def test_what_a_key_does_to_its_own_predictions_is_not_written_down(api: RunningApi) -> None:
    """It would push out what operators did."""
    admin = await made(api, "admin", "admin")
    own = await made(api, "own", "predict", by=admin)
    prediction_id = await waiting(api, bearer(own))
    assert (await api.delete(f"/predict/{prediction_id}", headers=bearer(own))).status_code == 200
    assert (await api.delete(f"/predictions/{prediction_id}", headers=bearer(own))).status_code == 200
    assert [action for action, _ in await noted(api, headers=bearer(admin))] == ["key.create", "key.create"]
    assert (await api.get("/audit", headers=bearer(own))).status_code == 403


async def test_it_is_read_page_by_page_and_by_action_and_caller(api: RunningApi) -> None:
    """Each entry once, newest first."""
    ids = [await waiting(api) for _ in range(5)]
    for each in ids:
        await api.delete(f"/predict/{each}")
    await api.delete(f"/predictions/{ids[0]}")
    found, before = list[str](), dict[str, str]()
    while True:
        page = (await api.get("/audit", params={"limit": "2", **before})).json()
        found += [entry["target"] for entry in page["entries"]]
        if page["next"] is None:
            break
        before = {"before": page["next"]}
    assert found == [ids[0], *reversed(ids)]
    assert await noted(api, action="prediction.drop") == [("prediction.drop", ids[0])]
    assert len(await noted(api, caller="anonymous")) == 6
    assert await noted(api, caller="nobody") == []


async def test_an_operation_succeeds_though_it_cannot_be_written_down(
    api: RunningApi, caplog: pytest.LogCaptureFixture
) -> None:
    """Then the process's log has it."""
    redis: RedisClient = api.services.queue
    await redis.set(keys.AUDIT, "in the way")
    prediction_id = await waiting(api)
    canceled = await api.delete(f"/predict/{prediction_id}")
    assert (canceled.status_code, canceled.json()["status"]) == (200, "canceled")
    (record,) = [record for record in caplog.records if record.name == "zypher.audit"]
    assert record.__dict__["target"] == prediction_id
    assert record.__dict__["action"] == "prediction.cancel"


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("action=queue.pose", "action"),
        ("before=x", "before"),
        ("before=0-0", "before"),
        ("limit=0", "limit"),
        ("status=failed", "status"),
    ],
)
async def test_what_is_no_filter_of_the_log_is_refused(api: RunningApi, query: str, field: str) -> None:
    """400, with the field."""
    refused = await api.get(f"/audit?{query}")
    assert (refused.status_code, refused.json()["code"], refused.json()["field"]) == (400, "malformed_request", field)


WRITTEN_DOWN = {
    "cancel_prediction": Action.CANCEL,
    "retry_prediction": Action.RETRY,
    "replay_prediction": Action.REPLAY,
    "drop_prediction": Action.DROP,
    "cancel_predictions": Action.CANCEL_MANY,
    "retry_predictions": Action.RETRY_MANY,
    "replay_predictions": Action.REPLAY_MANY,
    "drop_predictions": Action.DROP_MANY,
    "pause_queue": Action.PAUSE,
    "resume_queue": Action.RESUME,
    "upload_version": Action.UPLOAD,
    "set_live": Action.SET_LIVE,
    "roll_back": Action.ROLL_BACK,
    "delete_version": Action.DELETE_VERSION,
    "delete_model": Action.DELETE_MODEL,
    "v2_repository_load": Action.LOAD,
    "v2_repository_unload": Action.UNLOAD,
    "register_webhook": Action.REGISTER_WEBHOOK,
    "change_webhook": Action.CHANGE_WEBHOOK,
    "delete_webhook": Action.DELETE_WEBHOOK,
    "rotate_webhook_secret": Action.ROTATE_SECRET,
    "redeliver": Action.REDELIVER,
    "create_key": Action.CREATE_KEY,
    "revoke_key": Action.REVOKE_KEY,
}
"""By operation."""
PREDICTS = {Scope.PREDICT}
READS = {"v2_repository_index"}
"""By POST."""


def test_no_operation_is_forgotten(api_settings: Settings) -> None:
    """Whoever adds a route that changes something says here under which action it is written down."""
    changing = {
        operation.operation_id
        for operation in operations(create_app(api_settings))
        if operation.method != "get" and set(operation.scopes) != PREDICTS
    }
    assert changing - READS == set(WRITTEN_DOWN)
    assert set(WRITTEN_DOWN.values()) == set(Action)
