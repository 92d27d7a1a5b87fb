"""``POST /predictions``: many in one call, each with an answer of its own."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from tests.api.running import RunningApi, running_api, running_worker
from tests.api.test_keys import bearer, made
from zypher_api.submit_many import MOST
from zypher_jobs.settings import Settings

ASYNC = {"Async-Mode": "true"}


async def submitted(api: RunningApi, items: list[dict[str, Any]], headers: dict[str, str] | None = None) -> Any:
    """What became of each."""
    answer = await api.post("/predictions", json=items, headers=headers)
    assert answer.status_code == 202, answer.text
    return answer.json()


async def test_many_of_several_models_are_queued_in_order(api: RunningApi) -> None:
    """Without a model it is the default one; each is read by its id."""
    soon = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    said = await submitted(
        api,
        [
            {"input": {"input": "first"}},
            {"model": "raises", "version": "1", "input": {"text": "no"}},
            {"model": "mock", "input": {"input": "last"}, "priority": "low", "deadline_at": soon, "timeout_s": 30},
        ],
    )
    assert (said["accepted"], said["refused"]) == (3, 0)
    assert [(item["index"], item["error"]) for item in said["items"]] == [(0, None), (1, None), (2, None)]
    locations = [item["prediction"]["location"] for item in said["items"]]
    last = (await api.get(locations[2])).json()
    assert (last["status"], last["priority"], last["version"]) == ("queued", "low", "1")
    assert last["deadline_at"][:16] == soon[:16]
    async with running_worker(api):
        ended = [(await api.get(location + "?wait=20")).json() for location in locations]
    assert [each["status"] for each in ended] == ["succeeded", "failed", "succeeded"]
    assert [each["model"] for each in ended] == ["mock", "raises", "mock"]
    assert (ended[0]["output"]["input"], ended[2]["output"]["input"]) == ("first", "last")


async def test_each_that_cannot_be_queued_says_why_and_the_others_are(api: RunningApi) -> None:
    """With its place in the list, and that of the field."""
    said = await submitted(
        api,
        [
            {"input": {"input": "good"}},
            {"model": "mick", "input": {}},
            {"model": "mock", "version": "9", "input": {}},
            {"input": {"inputs": "x"}},
            {"input": {"input": "late"}, "deadline_at": "2020-01-01T00:00:00Z"},
            {"input": {"input": "good too"}},
        ],
    )
    assert (said["accepted"], said["refused"]) == (2, 4)
    errors = {item["index"]: (item["error"]["code"], item["error"]["field"]) for item in said["items"] if item["error"]}
    assert errors == {
        1: ("unknown_model", None),
        2: ("unknown_version", None),
        3: ("invalid_input", "$[3].input.inputs"),
        4: ("invalid_input", "$[4].deadline_at"),
    }
    listed = (await api.get("/predictions")).json()["predictions"]
    assert {one["prediction_id"] for one in listed} == {
        said["items"][at]["prediction"]["prediction_id"] for at in (0, 5)
    }


WRONG: list[tuple[Any, str]] = [
    ([], "$"),
    ({}, "$"),
    ([{"model": "mock"}], "$[0]"),
    ([{"input": {"input": "a"}}, 5], "$[1]"),
    ([{"input": {"input": "a"}}, {"input": {}, "prio": "low"}], "$[1]"),
    ([{"input": {}, "priority": "urgent"}], "$[0].priority"),
    ([{"input": {}, "timeout_s": 0}], "$[0].timeout_s"),
    ([{"input": {}, "deadline_at": "tomorrow"}], "$[0].deadline_at"),
    ([{"input": {}}] * (MOST + 1), "$"),
]


@pytest.mark.parametrize(
    ("body", "field"),
    WRONG,
    ids=["empty", "object", "no input", "number", "unknown field", "priority", "timeout", "deadline", "too many"],
)
async def test_a_list_that_is_not_in_form_queues_nothing(api: RunningApi, body: object, field: str) -> None:
    """422, with the place."""
    refused = await api.post("/predictions", json=body)
    assert (refused.status_code, refused.json()["field"]) == (422, field), refused.text
    assert (await api.get("/predictions")).json()["predictions"] == []


async def test_what_is_no_json_or_too_large_is_refused(api: RunningApi) -> None:
    """400, 413 and 415."""
    json = {"Content-Type": "application/json"}
    malformed = await api.post("/predictions", content=b"[{", headers=json)
    assert (malformed.status_code, malformed.json()["code"]) == (400, "malformed_input")
    large = await api.post("/predictions", json=[{"input": {"input": "a" * 1_100_000}}])
    assert (large.status_code, large.json()["code"]) == (413, "body_too_large")
    text = await api.post("/predictions", content=b"[]", headers={"Content-Type": "text/plain"})
    assert (text.status_code, text.json()["code"]) == (415, "unsupported_media_type")


async def test_a_full_queue_takes_as_many_as_there_is_room_for(api_settings: Settings) -> None:
    """The others say when to come again, and so does the answer."""
    async with running_api(msgspec.structs.replace(api_settings, queue_limit=2)) as api:
        answer = await api.post("/predictions", json=[{"input": {"input": str(number)}} for number in range(4)])
        said = answer.json()
        assert (answer.status_code, said["accepted"], said["refused"]) == (202, 2, 2)
        assert [item["error"] and item["error"]["code"] for item in said["items"]] == [None, None] + ["queue_full"] * 2
        assert int(answer.headers["retry-after"]) >= 1


async def test_many_count_as_many_against_the_limits_of_a_key(api_settings: Settings) -> None:
    """As a whole: too many are refused before anything is queued; what had no room gives its places back."""
    async with running_api(msgspec.structs.replace(api_settings, queue_limit=2)) as api:
        admin = await made(api, "admin", "admin")
        rated = bearer(await made(api, "rated", "predict", by=admin, predictions="3/h"))
        item = {"input": {"input": "a"}}
        refused = await api.post("/predictions", json=[item] * 4, headers=rated)
        assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")
        few = bearer(await made(api, "few", "predict", by=admin, concurrent=3))
        refused = await api.post("/predictions", json=[item] * 4, headers=few)
        assert (refused.status_code, refused.json()["code"]) == (429, "too_many_at_once")
        some = bearer(await made(api, "some", "predict", by=admin, concurrent=3))
        said = await submitted(api, [item] * 3, some)
        assert (said["accepted"], said["refused"]) == (2, 1)
        for one in said["items"][:2]:
            assert (await api.delete(one["prediction"]["location"], headers=some)).status_code == 200
        assert (await submitted(api, [item] * 2, some))["accepted"] == 2
        reads = bearer(await made(api, "reads", "read", by=admin))
        assert (await api.post("/predictions", json=[item], headers=reads)).status_code == 403


async def test_the_same_call_with_the_same_key_queues_nothing_again(api: RunningApi) -> None:
    """It is answered as before; with another body it is refused."""
    headers = {"Idempotency-Key": "8e03978e-40d5-43dd-bc93-6894a57f9324"}
    items: list[dict[str, Any]] = [
        {"input": {"input": "one"}},
        {"model": "mick", "input": {}},
        {"input": {"input": "two"}},
    ]
    first = await api.post("/predictions", json=items, headers=headers)
    again = await api.post("/predictions", json=items, headers=headers)
    assert (first.status_code, again.status_code) == (202, 202)
    assert again.json() == first.json()
    assert again.headers["idempotency-replayed"] == "true"
    assert len((await api.get("/predictions")).json()["predictions"]) == 2
    other = await api.post("/predictions", json=items[:1], headers=headers)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
