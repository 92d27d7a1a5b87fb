"""The models of the simulated system as ``GET /models/{name}`` has them."""

import hashlib

import msgspec

from zypher_jobs.contracts.deployment import ModelDetail, ShadowCounts, VersionDetail, VersionState
from zypher_jobs.contracts.model import BatchingInfo
from zypher_tui.sources.demo.cast import Version
from zypher_tui.sources.demo.deployments import Deployed
from zypher_tui.sources.demo.made import API_PROCESS
from zypher_tui.sources.demo.records import at
from zypher_tui.sources.demo.system import DemoSystem

BROKEN = "RuntimeError: the ONNX graph needs opset 22, this runtime knows 21"
"""Why one process cannot load the newest version."""
BROKEN_VERSION = ("fraud-scorer", "2")
_SIZES = {"digits": 84_000, "fraud-scorer": 6_400_000}


def models_of(system: DemoSystem) -> list[ModelDetail]:
    """By name."""
    processes = [API_PROCESS, *sorted(worker.worker_id for worker in system.fleet.alive)]
    return [_detail(system, deployed, processes) for deployed in system.deployments.all]


def broken_in(system: DemoSystem, model: str, version: str) -> str:
    """The process that cannot load that version; empty: all can."""
    if (model, version) != BROKEN_VERSION:
        return ""
    return next((worker.worker_id for worker in system.fleet.alive if worker.seat == 0), "")


def as_redis_has_it(model: ModelDetail) -> ModelDetail:
    """Without what only the API says."""
    return msgspec.structs.replace(model, description="", input_example=None, output_example=None)


def _detail(system: DemoSystem, deployed: Deployed, processes: list[str]) -> ModelDetail:
    model, live = deployed.model, deployed.live
    ended, shadow = system.ended_of(model.name), live.shadow
    most = max(live.shares, key=live.shares.__getitem__)
    versions = [version for version in model.versions if version.is_there(system.now_s)]
    return ModelDetail(
        name=model.name,
        version=most,
        description=model.description,
        ready=deployed.is_loaded,
        input_schema={},
        output_schema={},
        input_example=model.input_example,
        output_example=model.output_example,
        versions=[_version(system, deployed, version, processes, ended) for version in versions],
        shadow=shadow,
        comparisons=[_comparison(most, shadow, ended - deployed.compared_from)] if shadow else [],
        previous=deployed.previous,
        revision=deployed.revision,
    )


def _batching(ended: float) -> BatchingInfo:
    return BatchingInfo(max_batch_size=16, batches=int(ended) // 3, mean_batch_size=2.8, waiting=0, running=1)


def _comparison(live: str, shadow: str, ended: int) -> ShadowCounts:
    return ShadowCounts(
        live=live, shadow=shadow, same=ended * 88 // 100, different=ended * 2 // 100, dropped=ended // 20,
        live_mean_ms=385.0, shadow_mean_ms=238.0,
    )  # fmt: skip


def _version(
    system: DemoSystem, deployed: Deployed, version: Version, processes: list[str], ended: int
) -> VersionDetail:
    model, live = deployed.model, deployed.live
    digest = hashlib.sha256(f"{model.name}@{version.name}".encode()).hexdigest()
    is_file = version.uploaded_s is not None
    sha256 = digest if is_file else ""
    share = live.shares.get(version.name, 0) / sum(live.shares.values())
    batching = _batching(ended * share // len(processes)) if share and model.name != "mock" else None
    is_asleep = version.name not in live.versions
    states = {
        process: VersionState(state="asleep", sha256=sha256)
        if is_asleep and process != API_PROCESS
        else VersionState(state="ready", sha256=sha256, batching=batching)
        for process in processes
    }
    if broken := broken_in(system, model.name, version.name):
        states[broken] = VersionState(state="failed", sha256=sha256, error=BROKEN)
    if not deployed.is_loaded:
        states[API_PROCESS] = VersionState(state="failed", sha256=sha256, error="it is not loaded")
    return VersionDetail(
        version=version.name,
        share=share,
        sha256=digest if is_file else None,
        size_bytes=_SIZES[model.name] + int(digest[:3], 16) if is_file else None,
        uploaded_at=at(version.uploaded_s) if version.uploaded_s is not None else None,
        ready=all(state.state != "failed" for state in states.values()),
        processes=states,
    )
