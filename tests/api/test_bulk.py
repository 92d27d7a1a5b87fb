"""``POST /predictions/cancel``, ``/retry``, ``/replay``, ``/drop``: what a filter means, counted first, done once."""

import asyncio
import os
import signal
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from tests.api.models import Gate
from tests.api.running import RunningApi, running_api, running_worker
from tests.api.test_audit import waiting
from tests.api.test_keys import bearer, made
from tests.api.test_operating import failed, known
from tests.api.test_retry import pause
from tests.queue import steps
from zypher_api import bulk_acts
from zypher_jobs.contracts.prediction import Priority
from zypher_jobs.queue import PredictionQueue
from zypher_jobs.queue.embedded import EmbeddedServer
from zypher_jobs.queue.rows import Claimed
from zypher_jobs.settings import Settings
from zypher_jobs.testing import wait_until

ASYNC = {"Async-Mode": "true"}
UNKNOWN = "0" * 32


async def done(api: RunningApi, verb: str, **body: Any) -> dict[str, Any]:
    """What a call says that it did."""
    answer = await api.post(f"/predictions/{verb}", json=body)
    assert answer.status_code == 200, answer.text
    said: dict[str, Any] = answer.json()
    return said


async def statuses(api: RunningApi, ids: list[str]) -> list[str]:
    """Where each stands."""
    return [(await api.get(f"/predict/{each}")).json()["status"] for each in ids]


async def test_all_that_wait_are_canceled(api: RunningApi) -> None:
    """Of one model; then there is nothing more to do."""
    ids = [await waiting(api) for _ in range(3)]
    other = (await api.post("/models/gate/predict", json={}, headers=ASYNC)).json()["prediction_id"]
    first = await done(api, "cancel", model="mock")
    assert (first["matched"], first["touched"], first["skipped"], first["next"]) == (3, 3, 0, None)
    assert await statuses(api, [*ids, other]) == ["canceled"] * 3 + ["queued"]
    assert (await done(api, "cancel", model="mock"))["matched"] == 0
    assert (await done(api, "cancel", all=True))["touched"] == 1


async def test_what_runs_is_stopped_too(api: RunningApi) -> None:
    """It is touched, and soon canceled."""
    Gate.opened, Gate.entered = asyncio.Event(), asyncio.Event()
    async with running_worker(api):
        location = (await api.post("/models/gate/predict", json={}, headers=ASYNC)).headers["location"]
        await asyncio.wait_for(Gate.entered.wait(), 20)
        assert (await done(api, "cancel", status="running"))["touched"] == 1
        assert (await api.get(location + "?wait=20")).json()["status"] == "canceled"


async def test_of_two_who_cancel_the_same_each_counts_its_own(api: RunningApi) -> None:
    """What waits, what runs, and what is being stopped since: the sum is all of them."""
    waits = [await waiting(api) for _ in range(40)]
    runs = [await waiting(api) for _ in range(5)]
    claimed = await steps.claim(api.services.queue, room=45)
    await steps.finish(
        api.services.queue, Claimed(0, None, [c for c in claimed.claims if c.prediction_id in waits]), "queued"
    )
    both = await asyncio.gather(*(done(api, "cancel", all=True) for _ in range(2)))
    assert sum(said["touched"] for said in both) == 45
    assert (await api.get("/predictions?status=running")).json()["predictions"]
    counted = await done(api, "cancel", ids=[waits[0], runs[0]], dry_run=True)
    again = await done(api, "cancel", ids=[waits[0], runs[0]])
    for said in (counted, again):
        assert (said["touched"], {each["reason"] for each in said["skips"]}) == (
            0,
            {
                f"Prediction '{waits[0]}' is canceled and stays as it is.",
                f"Prediction '{runs[0]}' is being stopped already.",
            },
        )


async def test_a_dry_run_counts_and_changes_nothing(api: RunningApi) -> None:
    """In the query or the body; it is not in the audit log."""
    ids = [await waiting(api) for _ in range(3)]
    for said in (
        await done(api, "cancel", all=True, dry_run=True, limit=1),
        (await api.post("/predictions/cancel?dry_run=true", json={"all": True})).json(),
    ):
        assert (said["dry_run"], said["matched"], said["touched"]) == (True, 3, 3)
    assert await statuses(api, ids) == ["queued"] * 3
    assert (await api.get("/audit")).json()["entries"] == []


async def test_dead_letters_of_one_kind_are_replayed_once(api: RunningApi) -> None:
    """The fingerprint is that of the list; the same call again replays nothing again."""
    async with running_worker(api):
        same = [await failed(api, f"row {number}") for number in range(3)]
        other = await failed(api, "otherwise")
        listed = (await api.get("/predictions?status=failed")).json()["predictions"]
        fingerprint = {one["prediction_id"]: one["fingerprint"] for one in listed}
        assert len({fingerprint[each] for each in same}) == 1
        counted = await done(api, "replay", fingerprint=fingerprint[same[0]], dry_run=True)
        assert (counted["touched"], counted["replays"]) == (3, [])
        said = await done(api, "replay", fingerprint=fingerprint[same[0]], created_before="2999-01-01T00:00:00Z")
        assert (said["touched"], {each["replay_of"] for each in said["replays"]}) == (3, set(same))
        for each in said["replays"]:
            assert (await api.get(each["location"] + "?wait=20")).json()["status"] == "failed"
        dead = {letter.prediction_id for letter in await api.services.queue.inspect.dead_letters()}
        assert dead == {other, *(each["prediction_id"] for each in said["replays"])}
        assert (await done(api, "replay", ids=[other]))["touched"] == 1
    entries = (await api.get("/audit?action=predictions.replay")).json()["entries"]
    assert [entry["count"] for entry in entries] == [1, 3]
    assert entries[1]["filter"] == {"fingerprint": fingerprint[same[0]], "created_before": "2999-01-01T00:00:00Z"}


async def test_failed_ones_are_dropped_and_others_where_their_status_is_named(api: RunningApi) -> None:
    """Without a status what succeeded stays."""
    async with running_worker(api):
        dead = [await failed(api) for _ in range(2)]
        good = await api.post("/predict", json={"input": "a"}, headers=ASYNC)
        assert (await api.get(good.headers["location"] + "?wait=20")).json()["status"] == "succeeded"
    assert (await done(api, "drop", all=True))["touched"] == 2
    for each in dead:
        assert not await known(api, each)
    assert await known(api, good.json()["prediction_id"])
    assert (await done(api, "drop", status="succeeded"))["touched"] == 1
    assert (await api.get("/predictions")).json()["predictions"] == []


async def test_of_those_named_by_id_each_that_cannot_be_is_named(api: RunningApi) -> None:
    """With the reason; the others are done all the same."""
    now = (await api.post("/predict", json={"input": "a"})).headers["prediction-id"]
    await wait_until(lambda: known(api, now))
    waits = await waiting(api)
    for dry_run in (True, False):
        canceled = await done(api, "cancel", ids=[waits, now, UNKNOWN, waits], dry_run=dry_run)
        assert (canceled["matched"], canceled["touched"], canceled["skipped"]) == (2, 1, 2)
        assert {each["prediction_id"]: each["code"] for each in canceled["skips"]} == {
            now: "conflict",
            UNKNOWN: "unknown_prediction",
        }
    replayed = await done(api, "replay", ids=[now, waits])
    assert [each["replay_of"] for each in replayed["replays"]] == [waits]
    dropped = await done(api, "drop", ids=[now, replayed["replays"][0]["prediction_id"]])
    assert (dropped["touched"], dropped["skips"][0]["code"]) == (1, "conflict")


async def test_a_call_does_at_most_its_limit_and_the_next_one_goes_on(
    api: RunningApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the place that it names; each is done once, whatever the size of its steps."""
    monkeypatch.setattr(bulk_acts, "STEP", 2)
    ids = [await waiting(api) for _ in range(8)]
    touched, calls, place = 0, 0, dict[str, str]()
    while True:
        said = await done(api, "cancel", model="mock", limit=3, **place)
        touched, calls = touched + said["touched"], calls + 1
        assert said["touched"] <= 3
        if said["next"] is None:
            break
        place = {"before": said["next"]}
    assert (touched, calls) == (8, 3)
    assert await statuses(api, ids) == ["canceled"] * 8


async def test_a_call_looks_at_so_many_and_no_more(api: RunningApi, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where few of many fit: it says how many, and where to go on."""
    for _ in range(5):
        await waiting(api)
    monkeypatch.setattr(bulk_acts, "SEARCHED_MOST", 3)
    monkeypatch.setattr(bulk_acts, "SEARCHED_STEP", 1)
    monkeypatch.setattr("zypher_jobs.queue.selecting.READ_AT_ONCE", 2)
    said = await done(api, "cancel", model="nobody")
    assert (said["matched"], said["searched"]) == (0, 4)
    again = await done(api, "cancel", model="nobody", before=said["next"])
    assert (again["searched"], again["next"]) == (1, None)


async def test_a_replay_stops_where_the_queue_is_full_and_goes_on_there(api_settings: Settings) -> None:
    """Nothing is replayed twice, nothing is left out."""
    async with running_api(msgspec.structs.replace(api_settings, queue_limit=2)) as api:
        async with running_worker(api):
            dead = [await failed(api, f"row {number}") for number in range(5)]
        first = await done(api, "replay", all=True)
        assert (first["touched"], first["skips"][0]["code"]) == (2, "queue_full")
        assert first["next"] is not None
        replays = first["replays"]
        while first["next"] is not None:
            assert (await done(api, "cancel", all=True))["touched"] == 2
            first = await done(api, "replay", all=True, before=first["next"])
            replays += first["replays"]
            if not first["replays"]:
                break
        assert sorted(each["replay_of"] for each in replays) == sorted(dead)


async def test_once_replays_nothing_that_anybody_replayed_before(api: RunningApi) -> None:
    """Named by id or by its status, and a dry run counts it so; without it each call is a replay."""
    ids = [await waiting(api) for _ in range(3)]
    await done(api, "cancel", all=True)
    await done(api, "replay", ids=ids[:1])
    counted = await done(api, "replay", ids=ids, once=True, dry_run=True)
    assert (counted["matched"], counted["touched"], counted["skipped"]) == (3, 2, 1)
    assert counted["skips"][0]["reason"] == f"Prediction '{ids[0]}' was replayed already."
    calls = [done(api, "replay", ids=ids, once=True), done(api, "replay", status="canceled", once=True)]
    both = await asyncio.gather(*calls)
    assert sorted(each["replay_of"] for said in both for each in said["replays"]) == sorted(ids[1:])
    assert (await done(api, "replay", ids=ids))["touched"] == 3


@pytest.mark.parametrize("verb", ["cancel", "retry", "replay", "drop"])
async def test_redis_that_goes_away_in_the_middle_is_said_with_how_far_it_came(
    valkey: EmbeddedServer, valkey_settings: Settings, verb: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was done, what may have been, where to go on; the rest is done by the same call, and nothing twice."""
    async with running_api(msgspec.structs.replace(valkey_settings, redis_timeout_s=0.5)) as api:
        ids = [each["prediction"]["prediction_id"] for each in await many(api, 300)]
        if verb == "retry":
            await pause(api.services.queue, ids)
        elif verb != "cancel":
            await done(api, "cancel", all=True)
        begun = stopping_behind(valkey, monkeypatch, verb, 2)
        body = {"status": "queued" if verb in ("cancel", "retry") else "canceled", "once": True}
        said = await done(api, verb, **body)
        assert begun == [100, 100]
        assert (said["touched"], said["unknown"]) == (100, 100)
        assert said["stopped"] == "Redis did not answer in time."
        assert said["next"] is not None
        assert (await api.post(f"/predictions/{verb}", json=body)).status_code == 503
        os.kill(valkey.pid, signal.SIGCONT)
        await wait_until(lambda: is_back(api))
        rest = await done(api, verb, **body)
        assert 100 <= rest["touched"] <= 200
        assert (await done(api, verb, **body))["touched"] == 0
        if verb in ("replay", "retry"):
            listed = await api.services.queue.inspect.overview()
            assert listed.queue.depth == 300
        elif verb == "cancel":
            assert set(await statuses(api, ids)) == {"canceled"}
        else:
            assert (await api.get("/predictions")).json()["predictions"] == []


async def many(api: RunningApi, count: int) -> list[dict[str, Any]]:
    """So many that nobody takes."""
    body = [{"input": {"input": f"n{number}"}} for number in range(count)]
    items: list[dict[str, Any]] = (await api.post("/predictions", json=body)).json()["items"]
    return items


async def is_back(api: RunningApi) -> bool:
    """Whether Redis answers."""
    return (await api.get("/health/ready")).status_code == 200


def stopping_behind(valkey: EmbeddedServer, monkeypatch: pytest.MonkeyPatch, verb: str, step: int) -> list[int]:
    """Have Redis stand still when that step begins; the sizes of the steps that were begun."""
    acts: dict[str, Any] = {each.verb: each for each in (bulk_acts.Cancel, bulk_acts.Retry, bulk_acts.Drop)}
    act = acts.get(verb, bulk_acts.Replay)
    usual, begun = act.do, list[int]()

    async def do(self: Any, queue: PredictionQueue, ids: Sequence[str]) -> Any:
        begun.append(len(ids))
        if len(begun) == step:
            os.kill(valkey.pid, signal.SIGSTOP)
        return await usual(self, queue, ids)

    monkeypatch.setattr(act, "do", do)
    return begun


@pytest.mark.parametrize("verb", ["cancel", "retry", "replay", "drop"])
async def test_a_call_that_names_nothing_is_refused(api: RunningApi, verb: str) -> None:
    """400, and how to mean all."""
    for refused in (
        await api.post(f"/predictions/{verb}"),
        await api.post(f"/predictions/{verb}", json={"limit": 5, "dry_run": True}),
    ):
        assert (refused.status_code, refused.json()["code"]) == (400, "malformed_request")
        assert '{"all":true}' in refused.json()["detail"]


@pytest.mark.parametrize(
    ("verb", "body", "status", "field"),
    [
        ("cancel", {"status": "failed"}, 422, "$.status"),
        ("retry", {"status": "failed"}, 422, "$.status"),
        ("replay", {"status": "queued"}, 422, "$.status"),
        ("drop", {"status": "running"}, 422, "$.status"),
        ("drop", {"stats": "failed"}, 422, "$"),
        ("drop", {"fingerprint": "xyz"}, 422, "$.fingerprint"),
        ("drop", {"ids": []}, 422, "$.ids"),
        ("drop", {"ids": ["a b"]}, 422, "$.ids[0]"),
        ("drop", {"all": True, "limit": 0}, 422, "$.limit"),
        ("drop", {"all": True, "before": "x"}, 422, "$.before"),
        ("drop", {"created_after": "yesterday"}, 422, "$.created_after"),
        ("drop", {"created_after": "2026-11-23T12:00:00"}, 422, "$.created_after"),
        ("drop", {"priority": "urgent"}, 422, "$.priority"),
        ("drop", [], 422, "$"),
    ],
)
async def test_a_filter_that_is_none_is_refused_with_its_field(
    api: RunningApi, verb: str, body: object, status: int, field: str
) -> None:
    """Before anything is touched."""
    refused = await api.post(f"/predictions/{verb}", json=body)
    assert (refused.status_code, refused.json()["field"]) == (status, field)
    malformed = await api.post(f"/predictions/{verb}", content=b"{", headers={"Content-Type": "application/json"})
    assert (malformed.status_code, malformed.json()["code"]) == (400, "malformed_input")
    wrong = await api.post(f"/predictions/{verb}?dry_run=yes", json={"all": True})
    assert (wrong.status_code, wrong.json()["field"]) == (400, "dry_run")


async def test_only_operators_act_on_many(api: RunningApi) -> None:
    """403 for those who may only predict or read."""
    admin = await made(api, "admin", "admin")
    for scope, status in (("predict", 403), ("read", 403), ("operate", 200)):
        key = await made(api, scope, scope, by=admin)
        answer = await api.post("/predictions/cancel", json={"all": True}, headers=bearer(key))
        assert answer.status_code == status


async def test_a_list_can_be_of_a_queue_a_time_an_error_or_a_text(api: RunningApi) -> None:
    """Alone or together; a text is found in the input, and an id by its beginning."""
    first = (await api.post("/predict", json={"input": "Needle in hay"}, headers=ASYNC)).json()["prediction_id"]
    second = (await api.services.queue.submit("mock", {}, priority=Priority.HIGH)).prediction_id
    third = await waiting(api)
    created = {one["prediction_id"]: one["created_at"] for one in (await api.get("/predictions")).json()["predictions"]}

    async def listed(**query: str) -> set[str]:
        answer = await api.get("/predictions", params=query)
        assert answer.status_code == 200, answer.text
        return {one["prediction_id"] for one in answer.json()["predictions"]}

    assert await listed(priority="high") == {second}
    assert await listed(search="needle IN") == {first}
    assert await listed(search=third[:20]) == {third}
    assert await listed(search=third) == {third}
    assert await listed(search=third, priority="high") == set()
    assert await listed(search="nowhere") == set()
    assert await listed(created_after=created[third]) >= {third}
    assert third not in await listed(created_before=created[third])
    assert await listed(created_after=created[first], created_before=created[first]) == set()
    assert await listed(fingerprint="0" * 12) == set()
    assert await listed(caller="nobody") == set()
    searched = (await api.get("/predictions?search=nowhere")).json()
    assert (searched["searched"], searched["next"]) == (3, None)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("priority=urgent", "priority"),
        ("fingerprint=xyz", "fingerprint"),
        ("created_after=yesterday", "created_after"),
        ("created_before=2026-11-23T12:00:00", "created_before"),
        ("search=", "search"),
    ],
)
async def test_a_filter_of_the_list_that_is_none_is_refused(api: RunningApi, query: str, field: str) -> None:
    """400, with its name."""
    refused = await api.get(f"/predictions?{query}")
    assert (refused.status_code, refused.json()["code"], refused.json()["field"]) == (400, "malformed_request", field)
