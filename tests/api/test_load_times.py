"""How long a prediction waited for its model to load: in its record, queued or not."""

from tests.api.running import RunningApi, running_worker
from zypher_jobs.testing import wait_until


async def test_what_woke_a_model_says_how_long_that_took(api: RunningApi) -> None:
    """A part of the run; ``null`` for the next one, which found it loaded."""
    served = api.services.registry.get("mock")
    async with running_worker(api):
        for headers in ({}, {"Async-Mode": "true"}):
            await served.sleep()
            assert served.asleep
            ids = [
                (await api.post("/predict", json={"input": "a"}, headers=headers)).headers["prediction-id"],
                (await api.post("/predict", json={"input": "a"}, headers=headers)).headers["prediction-id"],
            ]

            async def are_recorded(ids: list[str] = ids) -> bool:
                answers = [await api.get(f"/predict/{each}?wait=20") for each in ids]
                return all(each.status_code == 200 for each in answers)

            await wait_until(are_recorded)
            woke, next_one = [(await api.get(f"/predict/{each}")).json() for each in ids]
            assert (woke["status"], next_one["status"]) == ("succeeded", "succeeded")
            assert 0 < woke["load_ms"] <= woke["run_ms"]
            if not headers:  # queued ones may begin together
                assert next_one["load_ms"] is None


async def test_who_waits_for_the_end_of_a_prediction_is_told_too(api: RunningApi) -> None:
    """The record is read, as the message does not say it."""
    served = api.services.registry.get("mock")
    queue = api.services.queue
    async with running_worker(api):
        await served.sleep()
        ended = await queue.wait_for(await queue.submit("mock", {"input": "a"}), 20)
        assert ended.load_ms is not None
        again = await queue.wait_for(await queue.submit("mock", {"input": "a"}), 20)
        assert again.load_ms is None
