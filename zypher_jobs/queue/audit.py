"""``AuditLog``: every operation that was done, in one bounded stream, newest first."""

import msgspec

from zypher_jobs.contracts.operation import Action, AuditEntry, Operated
from zypher_jobs.queue import keys
from zypher_jobs.queue.connection import RedisClient, redis_errors
from zypher_jobs.queue.records import instant

READ_AT_ONCE = 200
READ_MOST = 2_000
"""Entries that are read for one page, whatever the filter leaves of them."""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Operated).decode


class AuditLog:
    """Over one client. Every call raises ``RedisUnavailable`` when Redis does not answer in time."""

    def __init__(self, redis: RedisClient) -> None:
        self._redis = redis

    async def write(self, operated: Operated) -> str:
        """Its id: it says when, by the server's clock."""
        with redis_errors():
            entry_id: bytes = await self._redis.xadd(
                keys.AUDIT, {"entry": _encode(operated)}, maxlen=keys.AUDIT_KEPT, approximate=True
            )
        return entry_id.decode()

    async def page(
        self, *, action: Action | None = None, caller: str | None = None, before: str | None = None, limit: int = 50
    ) -> tuple[list[AuditEntry], str | None]:
        """Up to ``limit`` entries, newest first, and the id behind which the next page begins (``None``: none).

        ``caller`` is the name or the id of a key. A page may hold fewer, even none, while there are more.
        """
        kept = list[AuditEntry]()
        for _ in range(READ_MOST // READ_AT_ONCE):
            with redis_errors():
                rows: list[tuple[bytes, dict[bytes, bytes]]] = await self._redis.xrevrange(
                    keys.AUDIT, max="+" if before is None else f"({before}", count=READ_AT_ONCE
                )
            for at, (entry_id, fields) in enumerate(rows):
                entry = _entry(entry_id.decode(), _decode(fields[b"entry"]))
                before = entry.entry_id
                if action in (None, entry.action) and caller in (None, entry.caller, entry.key_id):
                    kept.append(entry)
                if len(kept) == limit:
                    is_last = at == len(rows) - 1 and len(rows) < READ_AT_ONCE
                    return kept, None if is_last else before
            if len(rows) < READ_AT_ONCE:
                return kept, None
        return kept, before


def _entry(entry_id: str, operated: Operated) -> AuditEntry:
    at_ms = int(entry_id.partition("-")[0])
    return AuditEntry(entry_id=entry_id, at=instant(at_ms), **msgspec.structs.asdict(operated))
