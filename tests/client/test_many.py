"""``submit_many``: many predictions in few calls, those that were queued and those that were not."""

import json
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from tests.api.running import RunningApi, running_api, running_worker
from tests.client.scripted import Scripted, between, problem, says
from zypher_api.client import (
    Client,
    Invalid,
    NotFound,
    Priority,
    RateLimited,
    Retries,
    SomeRefused,
    Status,
    Unauthorized,
    many,
)
from zypher_jobs.settings import Settings

MakeClient = Callable[..., AbstractAsyncContextManager[Any]]
QUICK = Retries(call_s=5, first_pause_s=0.01, most_pause_s=0.02)


def inputs(*texts: str) -> list[dict[str, str]]:
    """Of ``mock``."""
    return [{"input": text} for text in texts]


async def test_many_are_queued_in_order(client: Any, api: RunningApi) -> None:
    """Each has a handle; priority, deadline and timeout are those of all."""
    soon = datetime.now(UTC) + timedelta(hours=1)
    handles = await client.submit_many(
        inputs("a", "b", "c"), model="mock", version="1", priority="low", deadline_at=soon, timeout_s=30
    )
    records = [await handle.get() for handle in handles]
    assert {(each.status, each.priority, each.version) for each in records} == {(Status.QUEUED, Priority.LOW, "1")}
    assert {each.deadline_at.replace(microsecond=0) for each in records} == {soon.replace(microsecond=0)}
    assert [each.queue_position for each in records] == [0, 1, 2]
    async with running_worker(api):
        assert [(await handle.wait(timeout_s=30))["input"] for handle in handles] == ["a", "b", "c"]


async def test_none_are_none(client: Any) -> None:
    """Nothing is sent."""
    assert await client.submit_many([]) == []


async def test_more_than_one_call_takes_go_in_several(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """By their number, and by their bytes; what is larger than that goes alone."""
    monkeypatch.setattr(many, "MOST", 2)
    assert len(await client.submit_many(inputs(*"abcde"))) == 5
    monkeypatch.setattr(many, "MOST_BYTES", 60)
    handles = await client.submit_many(inputs("a", "b" * 100, "c", "d"))
    listed = [each.prediction_id async for each in client.list()]
    assert len(listed) == 9
    assert {handle.id for handle in handles} <= set(listed)


async def test_those_that_are_wrong_are_named_and_the_others_run(client: Any, api: RunningApi) -> None:
    """With what ``submit`` would have said of each alone, and the path into its own input."""
    with pytest.raises(SomeRefused, match=r"2 of 4 predictions were not queued; the first is inputs\[1\]: ") as refused:
        await client.submit_many([{"input": "a"}, {"inputs": "b"}, {"input": "c"}, {"input": ""}])
    ids, errors = refused.value.prediction_ids, refused.value.errors
    assert [each is None for each in ids] == [False, True, False, True]
    assert [(at, type(each), getattr(each, "field", None)) for at, each in errors.items()] == [
        (1, Invalid, "$.inputs"),
        (3, Invalid, "$.input"),
    ]
    async with running_worker(api):
        assert (await client.handle(ids[2]).wait(timeout_s=30))["input"] == "c"
    with pytest.raises(SomeRefused) as unknown:
        await client.submit_many(inputs("a"), model="mick")
    assert isinstance(unknown.value.errors[0], NotFound)
    with pytest.raises(SomeRefused) as late:
        await client.submit_many(inputs("a"), deadline_at=datetime(2020, 1, 1, tzinfo=UTC))
    (error,) = late.value.errors.values()
    assert isinstance(error, Invalid)
    assert error.field == "deadline_at"


async def test_what_is_wrong_with_the_whole_is_raised_as_it_is(make_client: MakeClient, api: RunningApi) -> None:
    """A key that is none, a priority that is none; nothing was queued."""
    async with make_client(str(api.base_url)) as client:
        with pytest.raises(Invalid) as wrong:
            await client.submit_many(inputs("a"), priority="urgent")
        assert wrong.value.field == "$[0].priority"
    async with make_client(str(api.base_url), api_key="zk_0_0") as client:
        with pytest.raises(Unauthorized):
            await client.submit_many(inputs("a"))


async def test_what_a_full_queue_has_no_room_for_is_named(make_client: MakeClient, api_settings: Settings) -> None:
    """When it would take longer than the client bears; where nothing was queued, the error is that of ``submit``."""
    async with (
        running_api(msgspec.structs.replace(api_settings, queue_limit=2)) as api,
        make_client(str(api.base_url), retries=Retries(call_s=0.5)) as client,
    ):
        with pytest.raises(SomeRefused) as full:
            await client.submit_many(inputs(*"abcd"))
        assert [each is None for each in full.value.prediction_ids] == [False, False, True, True]
        assert {type(each) for each in full.value.errors.values()} == {RateLimited}
        with pytest.raises(RateLimited):
            await client.submit_many(inputs("e"))


def said(*ids: str | None) -> bytes:
    """The server's answer: queued, or no room."""
    full = {"code": "queue_full", "detail": "The queue is full."}
    items = [
        {"index": at, "prediction": {"prediction_id": each, "status": "queued", "queue_position": 0, "location": ""}}
        if each
        else {"index": at, "error": full}
        for at, each in enumerate(ids)
    ]
    accepted = sum(each is not None for each in ids)
    return says(202, {"accepted": accepted, "refused": len(ids) - accepted, "items": items}, retry_after="0")


async def test_each_call_has_a_key_that_the_same_inputs_would_give_it_again(
    make_client: MakeClient, server: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also for what is sent once more: whoever calls again after a restart queues nothing twice."""
    monkeypatch.setattr(many, "MOST", 2)
    async with make_client(server.url, retries=QUICK) as client:
        for _ in range(2):
            server.answers = [said("p1", None), problem(503, "redis_unavailable"), said("p2"), said("p3")]
            handles = await client.submit_many([1, 2, 3], model="m", idempotency_key="k")
            assert [handle.id for handle in handles] == ["p1", "p2", "p3"]
    calls = [
        (asked.headers["idempotency-key"], [each["input"] for each in json.loads(asked.body)]) for asked in server.asked
    ]
    assert calls[:4] == calls[4:] == [('"k-0-0"', [1, 2]), ('"k-0-1"', [2]), ('"k-0-1"', [2]), ('"k-1-0"', [3])]


async def test_what_was_queued_is_not_lost_where_a_later_call_fails(
    make_client: MakeClient, server: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error has the ids of what went before; nothing behind it is sent."""
    monkeypatch.setattr(many, "MOST", 1)
    server.answers = [said("p1"), problem(401, "unauthorized"), said("p3")]
    async with make_client(server.url, retries=QUICK) as client:
        with pytest.raises(SomeRefused) as refused:
            await client.submit_many([1, 2, 3])
    assert refused.value.prediction_ids == ["p1", None, None]
    assert [(at, type(each)) for at, each in refused.value.errors.items()] == [(1, Unauthorized), (2, Unauthorized)]
    assert len(server.asked) == 2


async def test_an_answer_that_is_lost_queues_nothing_twice(make_client: MakeClient, api: RunningApi) -> None:
    """The next try is told the same ids; so is the same call of another process."""
    async with between(api.settings.port) as line, make_client(line.url) as client:
        line.swallows = 1
        handles = await client.submit_many(inputs("a", "b"), idempotency_key="mine")
        again = await client.submit_many(inputs("a", "b"), idempotency_key="mine")
        assert [each.id for each in again] == [each.id for each in handles]
        assert len([each async for each in client.list()]) == 2


def test_one_input_is_no_list_of_inputs() -> None:
    """A dict would be taken for its keys; the error names the call that is meant."""
    with Client() as client:
        for one in ({"input": "x"}, "x", b"x"):
            with pytest.raises(TypeError, match=r"list of inputs; submit\(\) takes one"):
                client.submit_many(one)
        with pytest.raises(ValueError, match="version= needs model="):
            client.submit_many([{}], version="1")
