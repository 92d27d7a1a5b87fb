"""``Deployments``: how each model ought to be deployed, in Redis, for every process of every machine.

A change is read, made and written back by one script that refuses it when another came between; then it is made anew
from what stands there now. Whoever follows hears of each change at once.
"""

import time
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from zypher_jobs.contracts.deployment import DeployedVersion as Deployed
from zypher_jobs.contracts.deployment import Deployment, ProcessState, ShadowCounts, Traffic
from zypher_jobs.errors import Conflict, UnknownVersion
from zypher_jobs.queue import keys
from zypher_jobs.queue.connection import RedisClient, redis_errors
from zypher_jobs.queue.scripts import source
from zypher_jobs.queue.wire import Script, Wire

VERSIONS_KEPT = 64
"""Of one model: every process reads all of them at each change."""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Deployment).decode
_decode_process = msgspec.msgpack.Decoder(ProcessState).decode
_replace = msgspec.structs.replace

Change = Callable[[Deployment], Deployment]


class Deployments:
    """Reads and changes. Every call raises ``RedisUnavailable`` when Redis does not answer in time."""

    def __init__(self, redis: RedisClient) -> None:
        """``redis`` is a ``PredictionQueue``; its connections are used, and one more to hear on. No I/O yet."""
        self._redis = redis
        self._wire = Wire(redis.connection_pool, lost=self._lost)
        self._deploy = Script(self._wire, source("deploy"), publishes=True)
        self._compare = Script(self._wire, source("compare"))
        self._beat = Script(self._wire, source("heartbeat"))
        self._hears = False
        self._heard: Callable[[], object] = bool

    async def hear(self, changed: Callable[[], object]) -> None:
        """Have ``changed`` called at each change from now on.

        The connection may end, which is told too: call it again then.
        """
        self._heard = changed
        if not self._hears:
            with redis_errors():
                await self._wire.subscribe(keys.DEPLOYED, self._message)
            self._hears = True

    async def all(self) -> dict[str, Deployment]:
        """Every model that was deployed, by name."""
        with redis_errors():
            stored: dict[bytes, bytes] = await self._redis.hgetall(keys.DEPLOYMENTS)
        return {name.decode(): _decode(packed) for name, packed in stored.items()}

    async def get(self, name: str) -> Deployment | None:
        """One of them; ``None`` if that model was not deployed."""
        with redis_errors():
            packed = await self._redis.hget(keys.DEPLOYMENTS, name)
        return None if packed is None else _decode(packed)

    async def add(self, name: str, version: str, deployed: Deployed) -> Deployment:
        """One more version; the same file once more changes its manifest only. Raises ``Conflict``."""

        def add(old: Deployment) -> Deployment:
            known = old.versions.get(version)
            if known is not None and known.sha256 != deployed.sha256:
                raise Conflict(
                    f"Version {version!r} of model {name!r} is another file; a version does not change: name a new one."
                )
            if known is None and len(old.versions) >= VERSIONS_KEPT:
                raise Conflict(f"Model {name!r} has {VERSIONS_KEPT} versions; delete one that is not needed.")
            return _replace(old, versions={**old.versions, version: deployed})

        return await self._change(name, add)

    async def stage(self, name: str, traffic: Traffic, *, built_in: Sequence[str] = ()) -> Deployment:
        """Have every process get ready for it. ``built_in`` are versions that come from the settings.

        Raises ``UnknownVersion``.
        """

        def stage(old: Deployment) -> Deployment:
            known = [*built_in, *old.versions]
            for version in sorted(traffic.versions):
                if version not in known:
                    raise UnknownVersion(name, version, known=known)
            return _replace(old, next=traffic)

        return await self._change(name, stage)

    async def switch(self, name: str, traffic: Traffic, *, before: Traffic | None = None) -> Deployment:
        """Send the traffic to what is staged; ``before`` is how it flowed if nothing was deployed.

        Raises ``Conflict`` when something else has been staged since.
        """

        def switch(old: Deployment) -> Deployment:
            if old.live == traffic and old.next is None:
                return old
            if old.next != traffic:
                raise Conflict(f"The traffic of model {name!r} was changed by somebody else meanwhile; look again.")
            previous = old.previous if old.live == traffic else old.live or before
            return _replace(old, live=traffic, next=None, previous=previous)

        return await self._change(name, switch)

    async def unstage(self, name: str, traffic: Traffic) -> None:
        """It could not be got ready for."""
        await self._change(name, lambda old: _replace(old, next=None) if old.next == traffic else old)

    async def remove(self, name: str, version: str) -> tuple[Deployed, Deployment]:
        """Forget one that has no traffic; raises ``UnknownVersion`` or ``Conflict``."""
        removed: list[Deployed] = []

        def remove(old: Deployment) -> Deployment:
            if version not in old.versions:
                raise UnknownVersion(name, version, known=list(old.versions))
            if version in old.pinned:
                raise Conflict(
                    f"Version {version!r} of model {name!r} is live; send its traffic elsewhere first, or delete the "
                    "model."
                )
            removed[:] = [old.versions[version]]
            others = {other: deployed for other, deployed in old.versions.items() if other != version}
            previous = old.previous if old.previous and version not in old.previous.versions else None
            return _replace(old, versions=others, previous=previous)

        left = await self._change(name, remove)
        return removed[0], left

    async def forget(self, name: str) -> list[Deployed]:
        """Forget all that was deployed of a model; what the settings have of it goes on. What there was."""
        forgotten: list[Deployed] = []

        def forget(old: Deployment) -> Deployment:
            forgotten[:] = old.versions.values()
            return _replace(old, versions={}, live=None, next=None, previous=None)

        await self._change(name, forget)
        return forgotten

    async def report(self, process: ProcessState) -> None:
        """What this process serves, for ``SERVING_TTL_S``."""
        with redis_errors():
            await self._beat(
                keys=(keys.SERVING, keys.serves(process.process_id)),
                args=(process.process_id, _encode(process), int(keys.SERVING_TTL_S * 1000)),
            )

    async def leave(self, process_id: str) -> None:
        """This process serves nothing any more."""
        with redis_errors():
            await self._redis.zrem(keys.SERVING, process_id)
            await self._redis.delete(keys.serves(process_id))

    async def processes(self) -> list[ProcessState]:
        """Those alive, by id."""
        with redis_errors():
            ids: list[bytes] = await self._redis.zrange(keys.SERVING, 0, -1)
            names = [keys.serves(process_id.decode()) for process_id in ids]
            packed: list[bytes | None] = await self._redis.mget(names) if names else []
        found = [_decode_process(each) for each in packed if each is not None]
        return sorted(found, key=lambda process: process.process_id)

    async def compared(self, name: str, outcomes: dict[str, int]) -> None:
        """Count what shadows came to: ``live|shadow|outcome`` → how many."""
        args = [part for each in outcomes.items() for part in each]
        with redis_errors():
            await self._compare(keys=(keys.shadow(name), keys.DEPLOYMENTS), args=(name, *args))

    async def comparisons(self, name: str) -> list[ShadowCounts]:
        """How shadows of a model compared, by pairs of versions."""
        with redis_errors():
            stored: dict[bytes, bytes] = await self._redis.hgetall(keys.shadow(name))
        pairs: dict[tuple[str, str], dict[str, int]] = {}
        for field, count in stored.items():
            live, shadow, outcome = field.decode().split("|")
            pairs.setdefault((live, shadow), {})[outcome] = int(count)
        return [_counts(*pair, counts) for pair, counts in sorted(pairs.items())]

    async def aclose(self) -> None:
        """Stop hearing."""
        await self._wire.aclose()

    async def _change(self, name: str, change: Change) -> Deployment:
        while True:
            with redis_errors():
                packed: bytes = await self._redis.hget(keys.DEPLOYMENTS, name) or b""
            old = _decode(packed) if packed else Deployment(name=name, revision=int(time.time() * 1000))
            new = change(old)
            if new is old:
                return old
            new = _replace(new, revision=old.revision + 1)
            is_nothing = not new.versions and new.live is None and new.next is None
            with redis_errors():
                written = await self._deploy(
                    keys=(keys.DEPLOYMENTS,), args=(name, packed, b"" if is_nothing else _encode(new))
                )
            if written:
                return new

    def _message(self, _: bytes) -> None:
        self._heard()

    def _lost(self, _: Exception) -> None:
        self._hears = False
        self._heard()


def _counts(live: str, shadow: str, counts: dict[str, int]) -> ShadowCounts:
    ran: dict[str, Any] = {outcome: counts.get(outcome, 0) for outcome in ("same", "different", "failed", "dropped")}
    times = {
        f"{whose}_mean_ms": counts[f"{whose}_us"] / 1000 / compared
        for whose in ("live", "shadow")
        if (compared := ran["same"] + ran["different"]) and f"{whose}_us" in counts
    }
    return ShadowCounts(live=live, shadow=shadow, **ran, **times)
