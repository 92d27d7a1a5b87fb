"""Models as Redis knows them: what was deployed, and how each process that lives has it. No schemas, no examples."""

from zypher_jobs.contracts.deployment import Deployment, ModelDetail, ProcessState, VersionDetail
from zypher_jobs.queue.deployments import Deployments
from zypher_jobs.queue.records import instant


async def deployed_models(deployments: Deployments) -> list[ModelDetail]:
    """Every model that was deployed or that a process serves, by name. Raises ``RedisUnavailable``."""
    known = await deployments.all()
    processes = await deployments.processes()
    served = {reference.partition("@")[0] for process in processes for reference in process.versions}
    found: list[ModelDetail] = []
    for name in sorted({*known, *served}):
        deployment = known.get(name, Deployment(name=name))
        comparisons = await deployments.comparisons(name) if deployment.versions else []
        versions = _versions(deployment, processes)
        live = deployment.live
        found.append(
            ModelDetail(
                name=name,
                version=max(versions, key=lambda each: each.share).version if versions else "",
                description="",
                ready=all(each.ready for each in versions if each.share) and bool(versions),
                input_schema={},
                output_schema={},
                input_example=None,
                output_example=None,
                versions=versions,
                shadow=live.shadow if live else None,
                comparisons=comparisons,
                previous=deployment.previous,
                next=deployment.next,
                revision=deployment.revision,
            )
        )
    return found


def _versions(deployment: Deployment, processes: list[ProcessState]) -> list[VersionDetail]:
    prefix = f"{deployment.name}@"
    served = {
        reference.removeprefix(prefix)
        for process in processes
        for reference in process.versions
        if reference.startswith(prefix)
    }
    shares = deployment.live.shares if deployment.live else {}
    total = sum(shares.values())
    found: list[VersionDetail] = []
    for version in sorted({*served, *deployment.versions}):
        deployed = deployment.versions.get(version)
        here = {
            process.process_id: process.versions[prefix + version]
            for process in processes
            if prefix + version in process.versions
        }
        only = not shares and len(served) == 1
        found.append(
            VersionDetail(
                version=version,
                share=shares.get(version, 0) / total if total else float(only),
                sha256=deployed.sha256 if deployed else None,
                size_bytes=deployed.size_bytes if deployed else None,
                uploaded_at=instant(deployed.uploaded_at_ms) if deployed else None,
                ready=bool(here) and all(state.state in ("ready", "asleep") for state in here.values()),
                processes=here,
            )
        )
    return found
