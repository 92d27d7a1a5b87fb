"""``KeyRing``: all API keys, held by this process and following what stands in Redis.

No request asks Redis who its caller is. A key that is revoked is refused by every process as soon as the message is
there; where messages are lost, within ``BEAT_S``. While Redis is away, the keys stay as they were last seen.
"""

import asyncio
import logging
import time
from contextlib import suppress

import msgspec

from zypher_jobs.contracts.access import Scope
from zypher_jobs.errors import RedisUnavailable
from zypher_jobs.queue.api_keys import PREFIX, ApiKeys, StoredKey, digest_of

BEAT_S = 5.0
"""How often it is looked without having been told."""

log = logging.getLogger("zypher.api")


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks."""

    key_id: str = ""
    """Empty for whoever may call without a key."""
    name: str = "anonymous"
    scopes: frozenset[Scope]
    sees_all: bool
    """Whether it sees other callers' predictions."""
    may_operate: bool
    """Whether it may act on other callers' predictions."""
    digest: str = ""
    expires_at_ms: int = 0
    requests: str | None = None
    predictions: str | None = None
    concurrent: int | None = None
    is_limited: bool = False
    """Whether it has a rate."""


ANYBODY = Caller(scopes=frozenset(Scope), sees_all=True, may_operate=True)
"""Where no key is wanted."""
LOCAL_ID = "local"


class KeyRing:
    """One process's keys."""

    def __init__(self, api_keys: ApiKeys, *, local_token: str | None) -> None:
        """``local_token`` is that of the data directory, for this machine's dashboard; it stands in no list."""
        self.known = False
        """Whether the keys have been read at all."""
        self.has_keys = False
        """Whether any exists; an expired one does."""
        self._api_keys = api_keys
        self._local = _local(local_token)
        self._callers: dict[str, Caller] = dict(self._local)
        self._changed = asyncio.Event()
        self._looked = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def find(self, key_id: str) -> Caller | None:
        """Whose key has that id."""
        return self._callers.get(key_id)

    async def start(self) -> None:
        """Begin to follow; returns after the first look."""
        self._task = asyncio.create_task(self._run())
        await self._looked.wait()

    async def look(self) -> None:
        """Read them now; raises ``RedisUnavailable``."""
        await self._api_keys.hear(self._changed.set)
        stored = await self._api_keys.stored()
        self._callers = {**{key_id: caller_of(key_id, key) for key_id, key in stored.items()}, **self._local}
        self.has_keys = bool(stored)
        self.known = True

    async def close(self) -> None:
        """Follow no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        await self._api_keys.aclose()

    async def _run(self) -> None:
        is_away = False
        while True:
            self._changed.clear()
            try:
                await self.look()
                is_away = False
            except RedisUnavailable as error:
                if not is_away:
                    log.warning("cannot follow API keys: %s", error.message)
                is_away = True
            except Exception:
                log.exception("API keys could not be read")
            self._looked.set()
            with suppress(TimeoutError):
                async with asyncio.timeout(BEAT_S):
                    await self._changed.wait()
            if is_away:
                await asyncio.sleep(0.2)  # a connection that ends at once tells of each end


def caller_of(key_id: str, key: StoredKey) -> Caller:
    """A key, as requests are held against it."""
    scopes = frozenset(Scope) if Scope.ADMIN in key.scopes else frozenset(key.scopes)
    may_operate = Scope.OPERATE in scopes
    return Caller(
        key_id=key_id,
        name=key.name,
        scopes=scopes,
        sees_all=may_operate or Scope.READ in scopes,
        may_operate=may_operate,
        digest=key.digest,
        expires_at_ms=key.expires_at_ms,
        requests=key.requests,
        predictions=key.predictions,
        concurrent=key.concurrent,
        is_limited=key.requests is not None or key.predictions is not None,
    )


def _local(token: str | None) -> dict[str, Caller]:
    if token is None:
        return {}
    secret = token.removeprefix(f"{PREFIX}{LOCAL_ID}_").encode()
    stored = StoredKey(
        name=LOCAL_ID, scopes=[Scope.ADMIN], digest=digest_of(secret), created_at_ms=int(time.time() * 1000)
    )
    return {LOCAL_ID: caller_of(LOCAL_ID, stored)}
