"""The models of the simulated system as ``GET /models/{name}`` has them."""

import hashlib

import msgspec

from zypher_jobs.contracts.deployment import ModelDetail, ShadowCounts, Traffic, VersionDetail, VersionState
from zypher_jobs.contracts.model import BatchingInfo
from zypher_tui.sources.demo.cast import MODELS, Model, Version
from zypher_tui.sources.demo.made import API_PROCESS
from zypher_tui.sources.demo.records import at
from zypher_tui.sources.demo.system import DemoSystem

BROKEN = "RuntimeError: the ONNX graph needs opset 22, this runtime knows 21"
"""Why one process cannot load the newest version."""
_SIZES = {"digits": 84_000, "fraud-scorer": 6_400_000}


def models_of(system: DemoSystem) -> list[ModelDetail]:
    """By name."""
    processes = [API_PROCESS, *sorted(worker.worker_id for worker in system.fleet.alive)]
    broken = next((worker.worker_id for worker in system.fleet.alive if worker.seat == 0), "")
    return [_detail(system, model, processes, broken) for _, model in sorted(MODELS.items())]


def as_redis_has_it(model: ModelDetail) -> ModelDetail:
    """Without what only the API says."""
    return msgspec.structs.replace(model, description="", input_example=None, output_example=None)


def _detail(system: DemoSystem, model: Model, processes: list[str], broken: str) -> ModelDetail:
    live = max(model.versions, key=lambda version: version.share)
    ended = system.ended_of(model.name)
    return ModelDetail(
        name=model.name,
        version=live.name,
        description=model.description,
        ready=True,
        input_schema={},
        output_schema={},
        input_example=model.input_example,
        output_example=model.output_example,
        versions=[_version(model, version, processes, broken, ended) for version in model.versions],
        shadow=model.shadow,
        comparisons=[_comparison(model.shadow, ended)] if model.shadow else [],
        previous=Traffic(shares={"1": 1}) if model.shadow else None,
        revision=len(model.versions),
    )


def _batching(ended: int) -> BatchingInfo:
    return BatchingInfo(max_batch_size=16, batches=ended // 3, mean_batch_size=2.8, waiting=0, running=1)


def _comparison(shadow: str, ended: int) -> ShadowCounts:
    return ShadowCounts(
        live="1", shadow=shadow, same=ended * 88 // 100, different=ended * 2 // 100, dropped=ended // 20,
        live_mean_ms=385.0, shadow_mean_ms=238.0,
    )  # fmt: skip


def _version(model: Model, version: Version, processes: list[str], broken: str, ended: int) -> VersionDetail:
    digest = hashlib.sha256(f"{model.name}@{version.name}".encode()).hexdigest()
    is_file = version.uploaded_s is not None
    sha256 = digest if is_file else ""
    batching = (
        _batching(ended * version.share // 100 // len(processes)) if version.share and model.name != "mock" else None
    )
    is_asleep = not version.share and model.shadow != version.name
    states = {
        process: VersionState(state="asleep", sha256=sha256)
        if is_asleep and process != API_PROCESS
        else VersionState(state="ready", sha256=sha256, batching=batching)
        for process in processes
    }
    if model.name == "fraud-scorer" and version.name == "2" and broken:
        states[broken] = VersionState(state="failed", sha256=sha256, error=BROKEN)
    return VersionDetail(
        version=version.name,
        share=version.share / 100,
        sha256=digest if is_file else None,
        size_bytes=_SIZES[model.name] + int(digest[:3], 16) if is_file else None,
        uploaded_at=at(version.uploaded_s) if version.uploaded_s is not None else None,
        ready=all(state.state != "failed" for state in states.values()),
        processes=states,
    )
