"""``GET /predictions``: newest first, by status and model, page by page."""

from typing import Any

import pytest

from tests.api.running import RunningApi, running_worker

ASYNC = {"Async-Mode": "true"}


async def submitted(api: RunningApi, model: str, body: dict[str, Any]) -> str:
    """Its id."""
    answer = await api.post(f"/models/{model}/predict", json=body, headers=ASYNC)
    prediction_id: str = answer.json()["prediction_id"]
    return prediction_id


async def pages(api: RunningApi, **filters: Any) -> list[list[dict[str, Any]]]:
    """All pages, to the last."""
    found = list[list[dict[str, Any]]]()
    before: dict[str, str] = {}
    while True:
        answer = await api.get("/predictions", params={**filters, **before})
        assert answer.status_code == 200, answer.text
        page = answer.json()
        found.append(page["predictions"])
        if page["next"] is None:
            return found
        before = {"before": page["next"]}


async def test_pages_hold_every_prediction_once_newest_first(api: RunningApi) -> None:
    """Whatever the size of a page."""
    ids = [await submitted(api, "mock", {"input": str(number)}) for number in range(5)]
    for limit in (1, 2, 5, 200):
        found = await pages(api, limit=limit)
        assert all(len(page) <= limit for page in found)
        flat = [one for page in found for one in page]
        assert sorted(one["prediction_id"] for one in flat) == sorted(ids)
        assert [one["created_at"] for one in flat] == sorted((one["created_at"] for one in flat), reverse=True)


async def test_a_list_can_be_of_one_status_and_one_model(api: RunningApi) -> None:
    """Both together, too; a model that there is not has none."""
    gates = [await submitted(api, "gate", {}) for _ in range(3)]
    for each in gates:
        assert (await api.delete(f"/predict/{each}")).status_code == 200
    async with running_worker(api):
        done = await submitted(api, "mock", {"input": "a"})
        assert (await api.get(f"/predict/{done}?wait=20")).json()["status"] == "succeeded"

    async def listed(**filters: Any) -> set[str]:
        return {one["prediction_id"] for page in await pages(api, **filters) for one in page}

    assert await listed(status="canceled") == set(gates)
    assert await listed(model="mock") == {done}
    assert await listed(model="gate", status="canceled", limit=1) == set(gates)
    assert await listed(model="gate", status="succeeded") == set()
    assert await listed(model="nope") == set()


@pytest.mark.parametrize(
    ("query", "field", "sentence"),
    [
        ("status=faild", "status", "There is no status 'faild'. Did you mean 'failed'?"),
        ("stats=failed", "stats", "There is no filter 'stats'. Did you mean 'status'?"),
        ("limit=0", "limit", "limit must be a number from 1 to 200."),
        ("limit=201", "limit", "limit must be a number from 1 to 200."),
        ("limit=ten", "limit", "limit must be a number from 1 to 200."),
        ("before=yesterday", "before", "before must be the `next` of the page before."),
        ("status=failed&status=queued", "status", "status may stand there once."),
    ],
)
async def test_what_is_no_filter_is_refused(api: RunningApi, query: str, field: str, sentence: str) -> None:
    """400, with the field and the way out."""
    refused = await api.get(f"/predictions?{query}")
    assert (refused.status_code, refused.json()["code"]) == (400, "malformed_request")
    assert (refused.json()["field"], refused.json()["detail"]) == (field, sentence)


async def test_those_of_some_ids_are_listed_in_their_order(api: RunningApi) -> None:
    """Without those that are gone, and those that other filters leave out."""
    ids = [await submitted(api, "mock", {"input": "a"}) for _ in range(3)]
    answer = await api.get("/predictions", params={"ids": f"{ids[2]},{'0' * 32},{ids[0]}"})
    assert [one["prediction_id"] for one in answer.json()["predictions"]] == [ids[2], ids[0]]
    answer = await api.get("/predictions", params={"ids": ",".join(ids), "status": "failed"})
    assert answer.json()["predictions"] == []
    many = ",".join(["a" * 32] * 200)
    assert (await api.get("/predictions", params={"ids": many})).status_code == 200
    for wrong in ("", "a,,b", "a b", f"{many},a"):
        answer = await api.get("/predictions", params={"ids": wrong})
        assert answer.status_code == 400
        assert answer.json()["detail"] == "ids must be 1 to 200 ids, comma separated."
