"""``ApiKeys``: the keys of callers, in Redis, for every process of every machine.

A key reads ``zk_<id>_<secret>``. Kept is the SHA-256 of its secret: with 192 random bits a slow hash would protect
nothing more, and would cost each request what a whole prediction does.
"""

import secrets
import time
from collections.abc import Callable
from hashlib import sha256

import msgspec

from zypher_jobs.contracts.access import ApiKey, ApiKeyRequest, Scope
from zypher_jobs.errors import Conflict, UnknownKey
from zypher_jobs.queue import keys
from zypher_jobs.queue.connection import RedisClient, redis_errors
from zypher_jobs.queue.records import instant
from zypher_jobs.queue.scripts import source
from zypher_jobs.queue.wire import Script, Wire

PREFIX = "zk_"
ID_BYTES = 6
SECRET_BYTES = 24


class StoredKey(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """As it stands in Redis; Lua reads ``name``."""

    name: str
    scopes: list[Scope]
    digest: str
    """SHA-256 of the secret, hexadecimal."""
    created_at_ms: int
    expires_at_ms: int = 0
    requests: str | None = None
    predictions: str | None = None
    concurrent: int | None = None


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(StoredKey).decode


class ApiKeys:
    """Reads and changes. Every call raises ``RedisUnavailable`` when Redis does not answer in time."""

    def __init__(self, redis: RedisClient) -> None:
        """``redis`` is a ``PredictionQueue``; its connections are used, and one more to hear on. No I/O yet."""
        self._redis = redis
        self._wire = Wire(redis.connection_pool, lost=self._lost)
        self._create = Script(self._wire, source("create_key"), publishes=True)
        self._revoke = Script(self._wire, source("revoke_key"), publishes=True)
        self._hears = False
        self._heard: Callable[[], object] = bool

    async def hear(self, changed: Callable[[], object]) -> None:
        """Have ``changed`` called at each change from now on, and when the connection ends: call it again then."""
        self._heard = changed
        if not self._hears:
            with redis_errors():
                await self._wire.subscribe(keys.API_KEYS_CHANGED, self._message)
            self._hears = True

    async def stored(self) -> dict[str, StoredKey]:
        """Every key by its id, with what proves it."""
        with redis_errors():
            packed: dict[bytes, bytes] = await self._redis.hgetall(keys.API_KEYS)
        return {key_id.decode(): _decode(stored) for key_id, stored in packed.items()}

    async def all(self) -> list[ApiKey]:
        """Every key, oldest first."""
        found = [_shown(key_id, stored) for key_id, stored in (await self.stored()).items()]
        return sorted(found, key=lambda key: (key.created_at, key.key_id))

    async def create(self, asked: ApiKeyRequest) -> tuple[ApiKey, str]:
        """A new key, and the whole of it, which is kept nowhere. Raises ``Conflict``."""
        key_id, secret = secrets.token_hex(ID_BYTES), secrets.token_hex(SECRET_BYTES)
        now_ms = int(time.time() * 1000)
        stored = StoredKey(
            name=asked.name,
            scopes=sorted(set(asked.scopes)),
            digest=digest_of(secret.encode()),
            created_at_ms=now_ms,
            expires_at_ms=0 if asked.expires_in_s is None else now_ms + asked.expires_in_s * 1000,
            requests=asked.requests,
            predictions=asked.predictions,
            concurrent=asked.concurrent,
        )
        with redis_errors():
            state = await self._create(args=(key_id, asked.name, _encode(stored)))
        if state == 0:
            raise Conflict(f"{keys.API_KEYS_KEPT} keys exist; revoke one that is not needed.")
        if state < 0:
            raise Conflict(f"A key is called {asked.name!r} already; choose another name, or revoke that one first.")
        return _shown(key_id, stored), f"{PREFIX}{key_id}_{secret}"

    async def get(self, name: str) -> ApiKey:
        """One key, by its id or its name; raises ``UnknownKey``."""
        for key in await self.all():
            if name in (key.key_id, key.name):
                return key
        raise UnknownKey(name)

    async def revoke(self, name: str) -> ApiKey:
        """Refuse it from now on, by its id or its name; raises ``UnknownKey``."""
        with redis_errors():
            found = await self._revoke(args=(name,))
        if found is None:
            raise UnknownKey(name)
        return _shown(found[0].decode(), _decode(found[1]))

    async def aclose(self) -> None:
        """Close the connection of its own."""
        await self._wire.aclose()

    def _message(self, _: bytes) -> None:
        self._heard()

    def _lost(self, _: Exception) -> None:
        self._hears = False
        self._heard()


def digest_of(secret: bytes) -> str:
    """What is kept of a secret."""
    return sha256(secret).hexdigest()


def _shown(key_id: str, stored: StoredKey) -> ApiKey:
    return ApiKey(
        key_id=key_id,
        name=stored.name,
        scopes=stored.scopes,
        created_at=instant(stored.created_at_ms),
        expires_at=instant(stored.expires_at_ms or None),
        requests=stored.requests,
        predictions=stored.predictions,
        concurrent=stored.concurrent,
    )
