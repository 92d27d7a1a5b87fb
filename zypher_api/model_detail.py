"""``GET /models/{name}`` and ``/deployments``: models, their versions, and how each process has them."""

from collections.abc import Sequence

from zypher_api.services import Services
from zypher_jobs.contracts.deployment import (
    Deployment,
    ModelDetail,
    ProcessState,
    ShadowCounts,
    VersionDetail,
    VersionState,
)
from zypher_jobs.contracts.model import ModelInfo
from zypher_jobs.errors import ModelNotReady, RedisUnavailable
from zypher_jobs.models.versions import Versions
from zypher_jobs.queue.records import instant


async def model_detail(services: Services, name: str) -> ModelDetail:
    """As this process has it, and as the others say; without those while Redis is away. Raises ``UnknownModel``."""
    (detail,) = await _details(services, [services.registry.versions(name)])
    return detail


async def model_details(services: Services) -> list[ModelDetail]:
    """The same of every model, by name, with one look at the other processes."""
    names = sorted(services.registry.names())
    return await _details(services, [services.registry.versions(name) for name in names])


async def _details(services: Services, models: Sequence[Versions]) -> list[ModelDetail]:
    deployments = [services.deployer.deployment(versions.name) for versions in models]
    processes: list[ProcessState] = []
    comparisons: dict[str, list[ShadowCounts]] = {}
    try:
        processes = await services.deployments.processes()
        for deployment in deployments:
            if deployment.versions:
                comparisons[deployment.name] = await services.deployments.comparisons(deployment.name)
    except RedisUnavailable:
        pass
    states = {each.process_id: each.versions for each in processes}
    states[services.deployer.process_id] = services.deployer.states()
    return [
        _detail(versions, deployment, states, comparisons.get(versions.name, []))
        for versions, deployment in zip(models, deployments, strict=True)
    ]


def _detail(
    versions: Versions,
    deployment: Deployment,
    states: dict[str, dict[str, VersionState]],
    comparisons: list[ShadowCounts],
) -> ModelDetail:
    return ModelDetail(
        **{field: getattr(info, field) for info in (_info(versions),) for field in ModelInfo.__struct_fields__},
        versions=[
            _version(version, versions, deployment, states)
            for version in dict.fromkeys([*(served.version for served in versions.all), *deployment.versions])
        ],
        shadow=deployment.live.shadow if deployment.live else None,
        comparisons=comparisons,
        previous=deployment.previous,
        next=deployment.next,
        revision=deployment.revision,
    )


def _info(versions: Versions) -> ModelInfo:
    """Of a live version, or of any; of a model of which none is here yet, what is known."""
    try:
        return versions.choose().info
    except ModelNotReady as error:
        if versions.all:
            return versions.all[-1].info
        version, why = next(iter(versions.coming.items()), ("", error.message))
        return ModelInfo(
            name=versions.name,
            version=version,
            description="",
            ready=False,
            error=why,
            input_schema={},
            output_schema={},
            input_example=None,
            output_example=None,
        )


def _version(
    version: str, versions: Versions, deployment: Deployment, states: dict[str, dict[str, VersionState]]
) -> VersionDetail:
    reference = f"{versions.name}@{version}"
    here = {process_id: known[reference] for process_id, known in states.items() if reference in known}
    deployed = deployment.versions.get(version)
    return VersionDetail(
        version=version,
        share=round(versions.shares.get(version, 0), 9),
        sha256=deployed.sha256 if deployed else None,
        size_bytes=deployed.size_bytes if deployed else None,
        uploaded_at=instant(deployed.uploaded_at_ms) if deployed else None,
        ready=bool(here) and all(state.state in ("ready", "asleep") for state in here.values()),
        processes=here,
    )
