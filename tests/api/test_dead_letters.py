"""``/dead-letters`` and ``/predictions/{id}/input``: what failed for good, and what it was asked with."""

from tests.api.running import RunningApi, running_worker
from tests.api.test_keys import bearer, made
from zypher_jobs.contracts.prediction import Status
from zypher_jobs.testing import wait_until

ASYNC = {"Async-Mode": "true"}


async def failed(api: RunningApi, text: str) -> str:
    """The id of a prediction that ended as a dead letter: the digits model refuses no such input before it runs."""
    queue = api.services.queue
    submitted = await queue.submit("unheard-of", {"input": text}, input_preview='{"input":"x"}')
    outcome = await queue.wait_for(submitted.prediction_id, 20)
    assert outcome.status is Status.FAILED
    return submitted.prediction_id


async def test_they_are_grouped_by_the_kind_of_their_error(api: RunningApi) -> None:
    """How many, since when, and the last good one; the letters newest first, by model, by fingerprint."""
    async with running_worker(api):
        ids = [await failed(api, text) for text in ("a", "b")]
        answer = (await api.get("/dead-letters")).json()
        (group,) = answer["groups"]
        assert (group["count"], group["model"]) == (2, "unheard-of")
        assert group["newest_id"] in ids  # both may have ended in one millisecond
        assert group["first_at"] <= group["last_at"]
        assert group["last_good_id"] is None
        assert {each["prediction_id"] for each in answer["letters"]} == set(ids)
        for query, count in (
            (f"fingerprint={group['fingerprint']}", 2),
            ("fingerprint=000000000000", 0),
            ("model=unheard-of&limit=1", 1),
            ("model=mock", 0),
        ):
            assert len((await api.get(f"/dead-letters?{query}")).json()["letters"]) == count
        refused = await api.get("/dead-letters?fingerprint=x")
        assert (refused.status_code, refused.json()["field"]) == (400, "fingerprint")


async def test_the_last_good_one_is_named(api: RunningApi) -> None:
    """The newest of that model that succeeded."""
    async with running_worker(api):
        queue = api.services.queue
        good = await queue.submit("mock", {"input": "fine"})
        await queue.wait_for(good.prediction_id, 20)
        bad = await queue.submit("mock", {"wrong": 1})
        await queue.wait_for(bad.prediction_id, 20)
        (group,) = (await api.get("/dead-letters")).json()["groups"]
        assert group["last_good_id"] == good.prediction_id
        assert group["last_good_at"] is not None


async def test_a_traceback_is_for_operators(api: RunningApi) -> None:
    """A key that may only read sees the rest."""
    admin = await made(api, "admin", "admin")
    reader, operator = [await made(api, scope, scope, by=admin) for scope in ("read", "operate")]
    async with running_worker(api):
        await failed(api, "a")
        for key in (reader, operator):
            (letter,) = (await api.get("/dead-letters", headers=bearer(key))).json()["letters"]
            assert letter["error"]["code"]
            if key is reader:
                assert letter["traceback"] == ""


async def test_an_input_is_given_whole_while_it_waits_and_when_it_has_ended(api: RunningApi) -> None:
    """To its caller and to those who see all; a synchronous one is not kept."""
    text = "x" * 5_000
    waits = (await api.post("/predict", json={"input": text}, headers=ASYNC)).json()["prediction_id"]
    assert (await api.get(f"/predictions/{waits}/input")).json()["input"] == {"input": text}
    async with running_worker(api):
        await api.services.queue.wait_for(waits, 20)
        assert (await api.get(f"/predictions/{waits}/input")).json()["input"] == {"input": text}
    at_once = (await api.post("/predict", json={"input": "a"})).headers["prediction-id"]

    async def is_recorded() -> bool:
        return (await api.get(f"/predict/{at_once}")).status_code == 200

    await wait_until(is_recorded)
    refused = await api.get(f"/predictions/{at_once}/input")
    assert (refused.status_code, refused.json()["code"]) == (409, "conflict")
    assert "was answered at once" in refused.json()["detail"]
    assert (await api.get(f"/predictions/{'0' * 32}/input")).status_code == 404
    assert (await api.get("/predictions/a%20b/input")).status_code == 400


async def test_an_input_is_not_for_others(api: RunningApi) -> None:
    """As the prediction itself: unknown."""
    admin = await made(api, "admin", "admin")
    own, other = [await made(api, name, "predict", by=admin) for name in ("own", "other")]
    asked = await api.post("/predict", json={"input": "secret"}, headers=ASYNC | bearer(own))
    path = f"/predictions/{asked.json()['prediction_id']}/input"
    assert (await api.get(path, headers=bearer(own))).json()["input"] == {"input": "secret"}
    assert (await api.get(path, headers=bearer(other))).status_code == 404
