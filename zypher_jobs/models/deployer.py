"""``Deployer``: makes the models of one process follow what is deployed.

It hears of each change, and looks now and then anyway. A version that is wanted is fetched by its digest, checked,
loaded and warmed up beside those that serve; only then traffic moves to it, and what runs on the old one ends there. A
version that cannot be loaded is shown with its error, and traffic stays where it is. While Redis or the store is away
the process serves with what it has.
"""

import asyncio
import logging
import time
from collections.abc import Coroutine, Iterator
from contextlib import suppress
from typing import Any, Literal

import msgspec

from zypher_jobs.contracts.deployment import DeployedVersion, Deployment, ProcessState, VersionState
from zypher_jobs.errors import RedisUnavailable, ZypherError
from zypher_jobs.models.registry import ModelRegistry
from zypher_jobs.models.runtimes.from_manifest import runtime_of
from zypher_jobs.models.runtimes.threads import in_thread
from zypher_jobs.models.served import ServedModel
from zypher_jobs.models.shadow import ShadowRun
from zypher_jobs.models.store import ModelStore
from zypher_jobs.models.versions import Versions
from zypher_jobs.queue.deployments import Deployments

log = logging.getLogger("zypher.models")

BEAT_S = 2.0
"""How often it looks without having heard anything, and says what it serves."""
START_S = 60.0
"""How long a process that starts waits for what is deployed before it serves without."""
RETIRED_S = 5.0
"""How long a version that was deleted is watched for calls that come late."""
AGAIN_S, AGAIN_MOST_S = 2.0, 60.0
"""Pause before a version that failed is tried again; twice as long each time."""

Key = tuple[str, str]
"""Model and version."""


class _Failure(msgspec.Struct):
    error: str
    revision: int
    tries: int
    again_s: float


class Deployer:
    """Follows for one process, between ``start`` and ``close``."""

    def __init__(
        self,
        registry: ModelRegistry,
        deployments: Deployments,
        store: ModelStore,
        *,
        process_id: str,
        part: Literal["api", "worker"],
        kept_loaded: int,
    ) -> None:
        """``kept_loaded`` versions without traffic stay in memory."""
        self.process_id = process_id
        self._registry = registry
        self._deployments = deployments
        self._store = store
        self._part: Literal["api", "worker"] = part
        self._kept_loaded = kept_loaded
        self._wanted: dict[str, Deployment] = {}
        self._files: dict[Key, str] = {}
        """Digest of each deployed version that is served here."""
        self._failures: dict[Key, _Failure] = {}
        self._preparing: dict[Key, asyncio.Task[None]] = {}
        self._retiring: set[asyncio.Task[None]] = set()
        self._shadows: dict[Key, ShadowRun] = {}
        self._changed = asyncio.Event()
        self._looked = asyncio.Event()
        self._settled = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._is_away = False
        self._is_closing = False

    async def start(self) -> None:
        """Begin to follow; returns after the first look, when nothing is routed any more to who shall not have it."""
        self._task = asyncio.create_task(self._run())
        await self._looked.wait()

    async def settled(self) -> None:
        """Until all that has traffic is served here, or has failed to be."""
        with suppress(TimeoutError):
            async with asyncio.timeout(START_S):
                await self._settled.wait()
                return
        log.warning("starting without all that is deployed", extra={"versions": len(self._preparing)})

    def deployment(self, name: str) -> Deployment:
        """How a model is deployed, as this process has seen it last."""
        return self._wanted.get(name) or Deployment(name=name)

    def built_in(self, name: str) -> list[str]:
        """Versions of a model that come from this process's settings."""
        return (
            [
                served.version
                for served in self._registry.versions(name).all
                if (name, served.version) not in self._files
            ]
            if name in self._registry.names()
            else []
        )

    async def close(self) -> None:
        """Follow no more; what is served stays as it is."""
        self._is_closing = True  # redis-py 5 was seen to swallow a cancellation
        self._changed.set()
        tasks = [*self._preparing.values(), *self._retiring, *([self._task] if self._task else [])]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        for run in self._shadows.values():
            run.close()
        with suppress(RedisUnavailable):  # the report lapses by itself
            await self._deployments.leave(self.process_id)
        await self._deployments.aclose()

    async def _run(self) -> None:
        while not self._is_closing:
            self._changed.clear()
            try:
                await self._follow()
                self._is_away = False
            except RedisUnavailable as error:
                if not self._is_away:
                    log.warning("cannot follow deployments: %s", error.message)
                self._is_away = True
                self._settled.set()
            except Exception:
                log.exception("deployments could not be followed")
                self._settled.set()
            self._looked.set()
            with suppress(TimeoutError):
                async with asyncio.timeout(BEAT_S):
                    await self._changed.wait()

    async def _follow(self) -> None:
        await self._deployments.hear(self._changed.set)
        wanted = await self._deployments.all()
        before, self._wanted = self._wanted, wanted
        for name in before.keys() - wanted.keys():
            self._retire_gone(name, set())
        for name, deployment in wanted.items():
            versions = self._registry.versions_of(name)
            self._retire_gone(name, set(deployment.versions))
            self._prepare_missing(deployment, versions)
            self._route(deployment, versions, is_new=name not in before)
        self._let_sleep()
        self._looked.set()
        if not any(version in wanted[name].pinned for name, version in self._preparing if name in wanted):
            self._settled.set()  # before anything is awaited: what gets ready meanwhile is not routed yet
        await self._report()
        await self._send_comparisons()

    # one version at a time

    def _prepare_missing(self, deployment: Deployment, versions: Versions) -> None:
        now_s = time.monotonic()
        for version, deployed in deployment.versions.items():
            key = (deployment.name, version)
            failure = self._failures.get(key)
            if failure is not None and failure.revision == deployment.revision and now_s < failure.again_s:
                continue
            served = versions.find(version)
            here = served if self._files.get(key) == deployed.sha256 else None
            if key in self._preparing or (served is not None and key not in self._files):
                continue  # the latter comes from the settings
            if here is not None and (here.ready or version not in deployment.pinned):
                continue
            if here is None:
                versions.coming.setdefault(version, "it is being fetched and loaded")
            task = asyncio.create_task(self._prepare(deployment, version, deployed, here))
            self._preparing[key] = task
            task.add_done_callback(lambda _, key=key: self._prepared(key))

    def _prepared(self, key: Key) -> None:
        del self._preparing[key]
        self._changed.set()

    async def _prepare(
        self, deployment: Deployment, version: str, deployed: DeployedVersion, served: ServedModel | None
    ) -> None:
        name, key = deployment.name, (deployment.name, version)
        try:
            if served is None:
                served = await self._made(deployed)
            if version in deployment.pinned or self._is_recent(key):
                await served.load()
            if served.error is not None and not served.asleep:
                raise ZypherError(served.error)
        except ZypherError as error:
            self._failed(deployment, version, error.message)
            return
        except Exception as error:  # a runtime may raise anything while it reads a file
            log.exception("a version could not be made")
            self._failed(deployment, version, f"{type(error).__name__}: {error}")
            return
        self._failures.pop(key, None)
        if self._registry.versions_of(name).find(version) is not served:
            self._files[key] = deployed.sha256
            self._registry.versions_of(name).add(served, live=False)
            log.info("version ready", extra={"model": served.definition.reference})

    async def _made(self, deployed: DeployedVersion) -> ServedModel:
        try:
            manifest = deployed.manifest
        except msgspec.ValidationError as error:
            raise ZypherError(f"its manifest is for another Zypher than this one: {error}") from error
        path = await self._store.get(deployed.sha256)
        manifest = msgspec.structs.replace(manifest, file=path.name)
        runtime = await in_thread(lambda: runtime_of(manifest, path.parent), name=f"open-{manifest.name}")
        return ServedModel(runtime, asleep=True)

    def _failed(self, deployment: Deployment, version: str, error: str) -> None:
        key = (deployment.name, version)
        before = self._failures.get(key)
        tries = before.tries + 1 if before and before.revision == deployment.revision else 0
        again_s = time.monotonic() + min(AGAIN_S * 2**tries, AGAIN_MOST_S)
        self._failures[key] = _Failure(error, deployment.revision, tries, again_s)
        versions = self._registry.versions_of(deployment.name)
        if self._files.pop(key, None) is not None:
            versions.remove(version)
        versions.coming[version] = error
        log.error("version not ready: %s", error, extra={"model": f"{deployment.name}@{version}", "tries": tries + 1})

    # traffic

    def _route(self, deployment: Deployment, versions: Versions, *, is_new: bool) -> None:
        live = deployment.live
        if live is None:
            return
        ready = {
            version: share
            for version, share in live.shares.items()
            if (served := versions.find(version)) is not None and served.ready
        }
        if ready or is_new:  # else whoever has the traffic keeps it; at the start nobody has it by right
            versions.route(ready)
        self._shade(deployment, versions)

    def _shade(self, deployment: Deployment, versions: Versions) -> None:
        """Each version with traffic gets the shadow, and no other has one."""
        live = deployment.live
        shadow = versions.find(live.shadow) if live and live.shadow else None
        for served in versions.all:
            key = (deployment.name, served.version)
            wanted = shadow if live and served.version in live.shares else None
            run = self._shadows.get(key)
            if run is not None and (run.shadow is not wanted or run.live is not served):
                run.live.shadow = None
                del self._shadows[key]
                run = None
            if run is None and wanted is not None:
                served.shadow = self._shadows[key] = ShadowRun(served, wanted)

    async def _send_comparisons(self) -> None:
        for (name, _), run in self._shadows.items():
            if outcomes := run.collect():
                try:
                    await self._deployments.compared(name, outcomes)
                except RedisUnavailable:
                    run.give_back(outcomes)
                    raise

    # memory

    def _is_recent(self, key: Key) -> bool:
        """Whether it is among the newest without traffic, which stay in memory."""
        uploaded = sorted(
            (deployed.uploaded_at_ms, name, version)
            for name, deployment in self._wanted.items()
            for version, deployed in deployment.versions.items()
            if version not in deployment.pinned
        )
        return key in [(name, version) for _, name, version in uploaded[max(0, len(uploaded) - self._kept_loaded) :]]

    def _let_sleep(self) -> None:
        """Versions without traffic leave memory, the least recently used ones, beyond what is kept."""
        idle = sorted(self._idle(), key=lambda served: served.used_s)
        for served in idle[: max(0, len(idle) - self._kept_loaded)]:
            if not served.running:
                self._background(served.sleep())

    def _idle(self) -> Iterator[ServedModel]:
        for name in self._registry.names():
            versions = self._registry.versions(name)
            deployment = self._wanted.get(name)
            busy = versions.shares.keys() | (deployment.pinned if deployment else set[str]())
            yield from (served for served in versions.all if served.ready and served.version not in busy)

    def _retire_gone(self, name: str, kept: set[str]) -> None:
        versions = self._registry.versions_of(name)
        for version in versions.coming.keys() - kept:
            del versions.coming[version]
        gone = [key for key in self._files if key[0] == name and key[1] not in kept]
        for key in gone:
            del self._files[key]
            run = self._shadows.pop(key, None)
            if run is not None:
                run.live.shadow = None
            self._background(self._retire(versions.remove(key[1])))
        if not kept and not versions.coming:
            if not versions.all:
                self._registry.forget(name)
            elif gone:
                versions.route({versions.all[-1].version: 1})  # as it was before anything was deployed

    async def _retire(self, served: ServedModel) -> None:
        """Out of memory once what runs on it has ended."""
        served.shadow = None
        quiet_since_s = time.monotonic()
        while time.monotonic() - quiet_since_s < RETIRED_S:
            if served.ready:
                quiet_since_s = time.monotonic()  # a call that chose it before it went may come late, and load it
                await served.sleep()
            await asyncio.sleep(RETIRED_S / 20)

    def _background(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._retiring.add(task)
        task.add_done_callback(self._retiring.discard)

    # what it says of itself

    async def _report(self) -> None:
        seen = {name: deployment.revision for name, deployment in self._wanted.items()}
        await self._deployments.report(
            ProcessState(process_id=self.process_id, part=self._part, seen=seen, versions=self.states())
        )

    def states(self) -> dict[str, VersionState]:
        """``name@version`` → how it is here."""
        return dict(self._states())

    def _states(self) -> Iterator[tuple[str, VersionState]]:
        for name in self._registry.names():
            versions = self._registry.versions(name)
            for served in versions.all:
                yield served.definition.reference, self._state_of(served, self._files.get((name, served.version), ""))
            for version, why in versions.coming.items():
                failure = self._failures.get((name, version))
                is_failed = failure is not None and (name, version) not in self._preparing
                state = VersionState(state="failed", error=why) if is_failed else VersionState(state="loading")
                yield f"{name}@{version}", state

    @staticmethod
    def _state_of(served: ServedModel, sha256: str) -> VersionState:
        if served.ready:
            return VersionState(state="ready", sha256=sha256, batching=served.batching)
        if served.asleep or served.loading:
            return VersionState(state="asleep" if served.asleep else "loading", sha256=sha256)
        return VersionState(state="failed", sha256=sha256, error=served.error)
