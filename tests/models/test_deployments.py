"""Deployments: every process follows, traffic moves when all are ready, and stays where it is when one is not."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from tests.models.deploying import Process, adds, following, sha256_of
from zypher_jobs.contracts.deployment import DeployedVersion, ProcessState, Traffic
from zypher_jobs.contracts.model import BatchingInfo, ModelManifest
from zypher_jobs.errors import Conflict, InvalidUpload, UnknownVersion, VersionNotReady
from zypher_jobs.queue.embedded import EmbeddedServer
from zypher_jobs.settings import Settings
from zypher_jobs.testing import wait_until


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """A switch that waits for nobody for long."""
    return msgspec.structs.replace(settings, deploy_timeout_s=10)


@pytest.fixture
async def api(settings: Settings) -> AsyncIterator[Process]:
    """An API's process."""
    async with following(settings) as process:
        yield process


@pytest.fixture
async def worker(api: Process, settings: Settings) -> AsyncIterator[Process]:
    """A worker on another machine: it shares Redis and the store, and nothing else."""
    elsewhere = settings.data_dir.parent / "elsewhere"
    shared = str(settings.data_dir / "models")
    other = msgspec.structs.replace(settings, data_dir=elsewhere, model_store=shared)
    async with following(other, "worker-1", part="worker") as process:
        yield process


async def test_the_first_version_of_a_model_goes_live_in_every_process(api: Process, worker: Process) -> None:
    """It is in the store and nowhere else, and the worker fetched it by its digest."""
    await api.upload("1", adds(1))
    for process in (api, worker):
        assert await process.ask(5) == ("1", 6)
        assert process.state("1") == "ready"


async def test_each_process_says_what_batches_it_makes(api: Process, worker: Process) -> None:
    """For all others to see; a worker's are those of queued predictions. A model without batches says nothing."""
    await api.upload("1", adds(1))
    await asyncio.gather(*(worker.ask(5) for _ in range(8)))

    async def said() -> BatchingInfo | None:
        found = {each.process_id: each.versions for each in await api.deployments.processes()}
        batching = found["worker-1"]["adds@1"].batching
        return batching if batching is not None and batching.batches else None

    batching = await wait_until(said)
    assert batching is not None
    assert batching.batches * batching.mean_batch_size >= 8
    assert api.deployer.states()["adds@1"].batching is not None
    assert api.deployer.states()["mock@1"].batching is None


async def test_another_version_gets_traffic_only_when_told(api: Process, worker: Process) -> None:
    """Both are there by name; a switch moves all of it, in all processes, before it returns."""
    await api.upload("1", adds(1))
    await api.upload("2", adds(2))
    assert await worker.ask(5) == ("1", 6)
    assert await worker.ask(5, "2") == ("2", 7)
    await api.rollout.switch("adds", Traffic(shares={"2": 1}))
    for process in (api, worker):
        assert await process.ask(5) == await process.ask(5, "live") == ("2", 7)


async def test_a_roll_back_is_one_call_and_so_is_its_undoing(api: Process, worker: Process) -> None:
    """It leads to what was before the last switch."""
    await api.upload("1", adds(1))
    with pytest.raises(Conflict, match="cannot be rolled back"):
        await api.rollout.roll_back("adds")
    await api.upload("2", adds(2))
    await api.rollout.switch("adds", Traffic(shares={"2": 1}))
    await api.rollout.roll_back("adds")
    assert await worker.ask(5) == ("1", 6)
    await api.rollout.roll_back("adds")
    assert await worker.ask(5) == ("2", 7)


async def test_a_built_in_version_shares_traffic_with_deployed_ones(api: Process) -> None:
    """And a roll back leads to it."""
    manifest: dict[str, Any] = {"name": "mock"}
    with pytest.raises(Conflict, match="comes from the settings"):
        api.rollout.require_new("mock", "1")
    await api.upload("2", adds(2), **manifest)
    assert api.registry.versions("mock").shares == {"1": 1}
    await api.rollout.switch("mock", Traffic(shares={"1": 3, "2": 1}))
    assert api.registry.versions("mock").shares == {"1": 0.75, "2": 0.25}
    await api.rollout.roll_back("mock")
    assert api.registry.versions("mock").shares == {"1": 1}
    await api.rollout.forget("mock")
    await wait_until(lambda: [served.version for served in api.registry.versions("mock").all] == ["1"])


async def test_shares_are_kept_in_every_process(api: Process, worker: Process) -> None:
    """One in ten goes to the new one, within five standard deviations."""
    await api.upload("1", adds(1))
    await api.upload("2", adds(2))
    await api.rollout.switch("adds", Traffic(shares={"1": 90, "2": 10}))
    answers = Counter([(await worker.ask(5))[0] for _ in range(400)])
    assert abs(answers["2"] - 40) < 5 * (400 * 0.9 * 0.1) ** 0.5


async def test_a_switch_to_what_one_process_cannot_load_changes_nothing(api: Process, worker: Process) -> None:
    """Who, and why, is said; the old version answers on."""
    await api.upload("1", adds(1))
    await api.upload("2", adds(2))
    deployment = api.deployer.deployment("adds")
    await api.deployments.remove("adds", "2")
    await wait_until(lambda: worker.registry.versions("adds").find("2") is None)
    broken = msgspec.structs.replace(
        deployment.versions["2"], said={**deployment.versions["2"].said, "hook": "no:Hook"}
    )
    await api.deployments.add("adds", "2", broken)
    with pytest.raises(VersionNotReady, match=r"adds@2 failed to load: .* on .*Traffic stays as it is"):
        await api.rollout.switch("adds", Traffic(shares={"2": 1}))
    assert await worker.ask(5) == await api.ask(5) == ("1", 6)
    assert api.deployer.deployment("adds").live == Traffic(shares={"1": 1})
    await wait_until(lambda: api.deployer.deployment("adds").next is None)


async def test_a_switch_waits_for_a_process_that_has_not_heard(api: Process, settings: Settings) -> None:
    """And says who it is when it gives up."""
    impatient = msgspec.structs.replace(settings, deploy_timeout_s=0.3)
    async with following(impatient, "api-2") as process:
        await process.upload("1", adds(1))
        await api.deployer.close()
        await process.deployments.report(ProcessState(process_id="api-1", part="api"))
        with pytest.raises(VersionNotReady, match=r"Not ready within 0.3 s: api-1 has not heard of the change yet"):
            await process.upload("2", adds(2))


async def test_a_version_does_not_change(api: Process) -> None:
    """The same file again is welcome, another one is not."""
    await api.upload("1", adds(1))
    await api.upload("1", adds(1))
    with pytest.raises(Conflict, match="is another file"):
        await api.upload("1", adds(2))
    assert await api.ask(5) == ("1", 6)


async def test_what_is_refused_leaves_the_live_version_and_the_store_as_they_were(api: Process) -> None:
    """A damaged file, another one's digest, a graph that does not open."""
    await api.upload("1", adds(1))
    before = sorted((api.settings.data_dir / "models").iterdir())
    with pytest.raises(InvalidUpload, match="no ONNX model"):
        await api.upload("2", adds(2)[:-1], check=True)
    with pytest.raises(InvalidUpload, match="another one"):
        await api.upload("2", adds(2), sha256=sha256_of(adds(3)))
    with pytest.raises(InvalidUpload, match="cannot be served"):
        await api.upload("2", adds(2).replace(b"Add", b"Odd"), check=True)
    assert sorted((api.settings.data_dir / "models").iterdir()) == before
    assert list(api.deployer.deployment("adds").versions) == ["1"]
    assert await api.ask(5) == ("1", 6)


async def test_a_version_with_traffic_is_not_deleted_and_another_goes_with_its_file(
    api: Process, worker: Process
) -> None:
    """From the store too, unless another version has the same file."""
    models = api.settings.data_dir / "models"
    await api.upload("1", adds(1))
    await api.upload("2", adds(2))
    await api.upload("3", adds(2))
    with pytest.raises(Conflict, match="is live"):
        await api.rollout.remove("adds", "1")
    await api.rollout.remove("adds", "2")
    assert (models / f"{sha256_of(adds(2))}.onnx").exists()
    await api.rollout.remove("adds", "3")
    assert not (models / f"{sha256_of(adds(2))}.onnx").exists()
    await wait_until(lambda: worker.registry.versions("adds").find("2") is None)
    with pytest.raises(UnknownVersion):
        await worker.ask(5, "2")
    await api.rollout.forget("adds")
    await wait_until(lambda: "adds" not in worker.registry.names() and "adds" not in api.registry.names())
    assert not list(models.iterdir())


async def test_a_process_that_starts_again_serves_what_is_deployed(api: Process, worker: Process) -> None:
    """Before it says that it is ready; what has no traffic is loaded at its first call."""
    settings = msgspec.structs.replace(api.settings, models_kept_loaded=0)
    await api.upload("1", adds(1))
    await api.upload("2", adds(2))
    await api.rollout.switch("adds", Traffic(shares={"2": 1}))
    async with following(settings, "api-2") as again:
        assert await again.ask(5) == ("2", 7)
        await wait_until(lambda: again.state("1") == "asleep")
        assert await again.ask(5, "1") == ("1", 6)


async def test_versions_without_traffic_leave_memory_the_least_recently_used_first(settings: Settings) -> None:
    """One stays beside the live one."""
    async with following(msgspec.structs.replace(settings, models_kept_loaded=1)) as process:
        for version in ("1", "2", "3"):
            await process.upload(version, adds(int(version)))
        await wait_until(lambda: [process.state(version) for version in "123"] == ["ready", "asleep", "ready"])
        assert await process.ask(5, "2") == ("2", 7)
        await wait_until(lambda: [process.state(version) for version in "123"] == ["ready", "ready", "asleep"])
        await process.rollout.switch("adds", Traffic(shares={"3": 1}))
        assert await process.ask(5) == ("3", 8)


async def test_a_shadow_runs_a_copy_and_is_compared(api: Process, worker: Process) -> None:
    """Same, different, and how long both took; callers see nothing of it."""
    await api.upload("1", adds(1))
    await api.upload("2", adds(1.0000001))
    await api.upload("3", adds(3))
    await api.rollout.switch("adds", Traffic(shares={"1": 1}, shadow="2"))
    for number in range(20):
        assert await api.ask(number) == ("1", number + 1)
        assert await worker.ask(number) == ("1", number + 1)
    same = await wait_until(lambda: compared(api, total=40))
    assert (same.live, same.shadow, same.same, same.different, same.failed) == ("1", "2", 40, 0, 0)
    assert same.live_mean_ms > 0
    assert same.shadow_mean_ms > 0
    await api.rollout.switch("adds", Traffic(shares={"1": 1}, shadow="3"))
    assert await api.ask(5) == ("1", 6)
    different = await wait_until(lambda: compared(api, total=1, shadow="3"))
    assert (different.same, different.different) == (0, 1)
    await api.rollout.switch("adds", Traffic(shares={"1": 1}))
    assert api.registry.get("adds").shadow is None


async def compared(process: Process, *, total: int, shadow: str = "2") -> Any:
    """The counts of a shadow, once there are so many."""
    for counts in await process.deployments.comparisons("adds"):
        if counts.shadow == shadow and counts.same + counts.different + counts.failed >= total:
            return counts
    return None


async def test_a_busy_shadow_leaves_out_what_it_cannot_take(api: Process) -> None:
    """It never delays an answer; what it left out is counted."""
    await api.upload("1", adds(1))
    await api.upload("2", adds(1))
    await api.rollout.switch("adds", Traffic(shares={"1": 1}, shadow="2"))
    answers = await asyncio.gather(*(api.ask(number) for number in range(200)))
    assert answers == [("1", number + 1) for number in range(200)]

    async def all_counted() -> Any:
        counts = await api.deployments.comparisons("adds")
        return counts and counts[0].same + counts[0].dropped == 200 and counts[0]

    assert (await wait_until(all_counted)).dropped > 0


async def test_no_call_fails_while_versions_are_switched(api: Process, worker: Process) -> None:
    """Callers of two processes, and twenty switches under them; each answer is that of the version it names."""
    await api.upload("1", adds(1))
    await api.upload("2", adds(2))
    done = asyncio.Event()
    answers = Counter[str]()

    async def call(process: Process) -> None:
        while not done.is_set():
            version, y = await process.ask(5)
            assert y == 5 + int(version)
            answers[version] += 1

    callers = [asyncio.create_task(call(process)) for process in (api, worker) for _ in range(4)]
    for number in range(20):
        await api.rollout.switch("adds", Traffic(shares={str(2 - number % 2): 1}))
    done.set()
    await asyncio.gather(*callers)
    assert set(answers) == {"1", "2"}


async def test_two_who_switch_at_once_do_not_mix(api: Process, worker: Process) -> None:
    """One of them is told to look again, or both are done one after the other."""
    for version in ("1", "2", "3"):
        await api.upload(version, adds(int(version)))
    outcomes = await asyncio.gather(
        api.rollout.switch("adds", Traffic(shares={"2": 1})),
        worker.rollout.switch("adds", Traffic(shares={"3": 1})),
        return_exceptions=True,
    )
    assert all(outcome is None or isinstance(outcome, Conflict) for outcome in outcomes)
    assert None in outcomes
    versions = {(await process.ask(5))[0] for process in (api, worker)}
    assert len(versions) == 1
    assert versions <= {"2", "3"}


async def test_while_redis_is_away_a_process_serves_with_what_it_has(
    valkey: EmbeddedServer, valkey_settings: Settings
) -> None:
    """And follows again when it is back."""
    async with following(valkey_settings) as api, following(valkey_settings, "api-2") as other:
        await api.upload("1", adds(1))
        await api.upload("2", adds(2))
        valkey.kill()
        assert await api.ask(5) == ("1", 6)
        assert await other.ask(5, "2") == ("2", 7)
        valkey.start()
        await wait_until(lambda: switched(api))
        assert await other.ask(5) == ("2", 7)


async def switched(process: Process) -> bool:
    """Whether it could be switched to version 2 by now."""
    try:
        await process.rollout.switch("adds", Traffic(shares={"2": 1}))
    except Exception:  # noqa: BLE001 Redis is coming back
        return False
    return True


async def test_while_the_store_is_away_a_process_serves_with_what_it_has(api: Process, worker: Process) -> None:
    """What cannot be fetched is shown with its reason, and fetched once the store is back."""
    models = api.settings.data_dir / "models"
    await api.upload("1", adds(1))
    hidden = models.rename(models.with_name("hidden"))
    digest = sha256_of(adds(2))
    deployed = msgspec.structs.replace(
        api.deployer.deployment("adds").versions["1"],
        sha256=digest,
        said=msgspec.to_builtins(ModelManifest(name="adds", version="2", sha256=digest)),
    )
    await api.deployments.add("adds", "2", deployed)
    await wait_until(lambda: worker.state("2") == "failed" and api.state("2") == "failed")
    assert "no file" in (worker.deployer.states()["adds@2"].error or "")
    assert await worker.ask(5) == ("1", 6)
    hidden.rename(models)
    (models / f"{digest}.onnx").write_bytes(adds(2))
    await wait_until(lambda: worker.state("2") in ("ready", "asleep"))
    assert await worker.ask(5, "2") == ("2", 7)


def test_what_a_newer_zypher_stored_is_read() -> None:
    """An unknown field of a manifest is left out, not a reason to serve nothing."""
    packed = msgspec.msgpack.encode(
        {"sha256": "0", "size_bytes": 1, "uploaded_at_ms": 1, "said": {"name": "a", "gpu": True}, "more": 1}
    )
    assert msgspec.msgpack.decode(packed, type=DeployedVersion).manifest == ModelManifest(name="a")
