"""``Rollout``: changes what is deployed, and waits until every process follows.

It is what an API process does for whoever deploys. A switch is staged first: all processes of all machines get the
versions ready, and say so; only then traffic moves. If one cannot, nothing has changed.
"""

import asyncio
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress

import msgspec

from zypher_jobs.contracts.deployment import DeployedVersion, Deployment, ProcessState, Traffic, VersionState
from zypher_jobs.contracts.model import ModelManifest
from zypher_jobs.errors import Conflict, InvalidUpload, StoreUnavailable, UnknownModel, VersionNotReady
from zypher_jobs.models.deployer import Deployer
from zypher_jobs.models.registry import ModelRegistry
from zypher_jobs.models.store import ModelStore
from zypher_jobs.models.store.checking import require_servable
from zypher_jobs.models.store.incoming import Incoming
from zypher_jobs.models.versions import LIVE
from zypher_jobs.queue.deployments import Deployments

LOOK_S = 0.05
SWITCHED_S = 5.0
"""How long a switch that is done waits for all to have followed it."""


class Rollout:
    """Each method raises ``RedisUnavailable`` when Redis does not answer in time."""

    def __init__(
        self,
        registry: ModelRegistry,
        deployer: Deployer,
        deployments: Deployments,
        store: ModelStore,
        *,
        timeout_s: float,
    ) -> None:
        self._registry = registry
        self._deployer = deployer
        self._deployments = deployments
        self._store = store
        self._timeout_s = timeout_s

    def require_new(self, name: str, version: str) -> None:
        """Raises ``Conflict`` or ``InvalidUpload`` when no such version can be uploaded, whatever its file."""
        if version == LIVE:
            raise InvalidUpload(f"No version can be called {LIVE!r}: that names the live one.", field="version")
        if version in self._deployer.built_in(name):
            raise Conflict(f"Version {version!r} of model {name!r} comes from the settings; name another one.")

    async def upload(self, manifest: ModelManifest, incoming: Incoming) -> None:
        """Open a file that came in a process of its own, then ``admit`` it; raises ``InvalidUpload`` too."""
        await require_servable(manifest, incoming.path)
        await self.admit(manifest, incoming)

    async def admit(self, manifest: ModelManifest, incoming: Incoming) -> None:
        """Store a file, and have every process get it ready; a model's first version goes live.

        Raises ``Conflict`` and ``StoreUnavailable``; ``VersionNotReady`` when it is stored, but some process cannot
        serve it.
        """
        name, version, sha256 = manifest.name, manifest.version, manifest.sha256 or ""
        await self._store.put(incoming.path, sha256)
        deployed = DeployedVersion(
            sha256=sha256,
            size_bytes=incoming.size_bytes,
            uploaded_at_ms=int(time.time() * 1000),
            said=msgspec.to_builtins(manifest),
        )
        deployment = await self._deployments.add(name, version, deployed)
        await self._until(deployment, [version], {"ready", "asleep"})
        if deployment.live is None and not self._deployer.built_in(name):
            await self.switch(name, Traffic(shares={version: 1}))

    async def switch(self, name: str, traffic: Traffic) -> None:
        """Send the traffic elsewhere, once every process is ready for it.

        Raises ``UnknownModel``, ``UnknownVersion``, ``VersionNotReady`` and ``Conflict``, and then nothing has changed.
        """
        self._require_known(name)
        built_in = self._deployer.built_in(name)
        staged = await self._deployments.stage(name, traffic, built_in=built_in)
        shares = {version: share for version, share in self._registry.versions(name).shares.items() if share}
        before = Traffic(shares=shares) if shares and staged.live is None else None
        try:
            await self._until(staged, traffic.versions, {"ready"})
            switched = await self._deployments.switch(name, traffic, before=before)
        except BaseException:
            await asyncio.shield(self._deployments.unstage(name, traffic))
            raise
        with suppress(VersionNotReady):  # who is slow to follow does so later
            await self._until(switched, (), set(), timeout_s=SWITCHED_S)

    async def roll_back(self, name: str) -> None:
        """Send the traffic where it was before the last switch; raises what ``switch`` does."""
        self._require_known(name)
        deployment = await self._deployments.get(name)
        if deployment is None or deployment.previous is None:
            raise Conflict(
                f"Model {name!r} cannot be rolled back: its traffic was not switched, or what it was is gone."
            )
        await self.switch(name, deployment.previous)

    async def remove(self, name: str, version: str) -> None:
        """Delete a version that has no traffic; raises ``UnknownModel``, ``UnknownVersion`` or ``Conflict``."""
        self._require_known(name)
        if version in self._deployer.built_in(name):
            raise Conflict(f"Version {version!r} of model {name!r} comes from the settings; it is removed there.")
        removed, deployment = await self._deployments.remove(name, version)
        with suppress(VersionNotReady):
            await self._until(deployment, (), set(), timeout_s=SWITCHED_S)
        await self._drop([removed.sha256])

    async def forget(self, name: str) -> None:
        """Delete all that was deployed of a model; raises ``UnknownModel`` or ``Conflict``."""
        self._require_known(name)
        if not self._deployer.deployment(name).versions:
            raise Conflict(f"Model {name!r} comes from the settings; it is removed there.")
        forgotten = await self._deployments.forget(name)
        with suppress(VersionNotReady):
            await self._until(Deployment(name=name), (), set(), timeout_s=SWITCHED_S)
        await self._drop([deployed.sha256 for deployed in forgotten])

    def _require_known(self, name: str) -> None:
        if name not in self._registry.names():
            raise UnknownModel(name, known=self._registry.names())

    async def _drop(self, digests: Iterable[str]) -> None:
        """Files that no version of any model has any more. One that the store could not drop stays there unused."""
        every = (await self._deployments.all()).values()
        used = {deployed.sha256 for deployment in every for deployed in deployment.versions.values()}
        for sha256 in set(digests) - used:
            with suppress(StoreUnavailable):
                await self._store.remove(sha256)

    async def _until(
        self, deployment: Deployment, versions: Iterable[str], wanted: set[str], *, timeout_s: float | None = None
    ) -> None:
        """Until every process has the versions in one of the states ``wanted``; raises ``VersionNotReady``."""
        timeout_s = timeout_s or self._timeout_s
        deadline_s = time.monotonic() + timeout_s
        while True:
            processes = await self._deployments.processes()
            late = list(_lateness(deployment, versions, wanted, processes))
            if failed := [each for each in late if each.is_final]:
                raise VersionNotReady(f"{failed[0].sentence} Traffic stays as it is.")
            if not late and any(process.process_id == self._deployer.process_id for process in processes):
                return
            if time.monotonic() > deadline_s:
                others = f" (and {len(late) - 1} more)" if len(late) > 1 else ""
                what = late[0].sentence if late else "This process does not report what it serves."
                raise VersionNotReady(f"Not ready within {timeout_s:g} s: {what}{others} Traffic stays as it is.")
            await asyncio.sleep(LOOK_S)


class _Late(msgspec.Struct, frozen=True):
    sentence: str
    is_final: bool


def _is_behind(deployment: Deployment, process: ProcessState) -> bool:
    if not deployment.versions and not deployment.live:
        return deployment.name in process.seen
    return process.seen.get(deployment.name, 0) < deployment.revision


def _lateness(
    deployment: Deployment, versions: Iterable[str], wanted: set[str], processes: Iterable[ProcessState]
) -> Iterator[_Late]:
    for process in processes:
        if _is_behind(deployment, process):
            yield _Late(f"{process.process_id} has not heard of the change yet.", is_final=False)
            continue
        for version in versions:
            reference = f"{deployment.name}@{version}"
            state = process.versions.get(reference, VersionState(state="loading"))
            deployed = deployment.versions.get(version)
            is_other = deployed is not None and state.sha256 not in ("", deployed.sha256)
            if state.state in wanted and not is_other:
                continue
            what = (
                f"failed to load: {(state.error or '').rstrip('.')}" if state.state == "failed" else f"is {state.state}"
            )
            yield _Late(f"{reference} {what} on {process.process_id}.", is_final=state.state == "failed")
