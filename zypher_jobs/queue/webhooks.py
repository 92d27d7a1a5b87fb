"""``Webhooks``: who is told that predictions end, and the queue of what is to be delivered to them.

The scripts that end predictions put deliveries into it, in the same step. Several processes take them out, each under a
lease: one that a process died with is due again by itself.
"""

import base64
import os
import time
from collections.abc import Callable
from typing import Any

import msgspec

from zypher_jobs.contracts.webhook import (
    DIRECT,
    Delivery,
    DeliveryAttempt,
    DeliveryState,
    SecretHint,
    Webhook,
    WebhookChange,
    WebhookRequest,
    WebhookSecret,
)
from zypher_jobs.errors import Conflict, UnknownDelivery, UnknownWebhook
from zypher_jobs.queue import keys
from zypher_jobs.queue.connection import RedisClient, redis_errors
from zypher_jobs.queue.latency import bucket_of
from zypher_jobs.queue.records import instant
from zypher_jobs.queue.scripts import source
from zypher_jobs.queue.webhook_rows import (
    ClaimedDelivery,
    Stored,
    claimed_of,
    decode,
    delivery_of,
    encode,
    encode_log,
    webhook_of,
)
from zypher_jobs.queue.wire import Script, Wire

ROTATION_MS = 86_400_000
"""How long a secret signs beside the one that came after it."""
ATTEMPTS_LOGGED = 20
SECRET_BYTES = 24
HINT_CHARS = 10
"""Of a secret, with its prefix: 24 bits of 192."""


class Webhooks:
    """Reads and changes. Every call raises ``RedisUnavailable`` when Redis does not answer in time."""

    def __init__(self, redis: RedisClient, *, retention_ms: int, suspend_s: float = 0) -> None:
        """``redis`` is a ``PredictionQueue``; its pool is used, for one connection more. No I/O yet.

        ``retention_ms``: how long what was delivered is known. ``suspend_s``: for whoever reports, after how long of
        nothing but failures a registered webhook is suspended; 0: never.
        """
        self._redis = redis
        self._retention_ms = retention_ms
        self._suspend_ms = round(suspend_s * 1000)
        self._hears = False
        self._wire = Wire(redis.connection_pool, lost=self._lost)
        self._register = Script(self._wire, source("register_webhook"))
        self._change = Script(self._wire, source("change_webhook"))
        self._rotate = Script(self._wire, source("rotate_secret"))
        self._claim = Script(self._wire, source("claim_deliveries"))
        self._report = Script(self._wire, source("report_delivery"))
        self._redeliver = Script(self._wire, source("redeliver"), publishes=True)

    async def register(self, asked: WebhookRequest) -> tuple[Webhook, str]:
        """A new webhook, and its secret. Raises ``Conflict`` when there are too many."""
        webhook_id, secret = f"wh_{os.urandom(12).hex()}", new_secret()
        stored = Stored(
            url=asked.url,
            events=asked.events,
            models=asked.models,
            description=asked.description,
            created_at_ms=int(time.time() * 1000),
        )
        with redis_errors():
            added = await self._register(args=(webhook_id, encode(stored), secret))
        if not added:
            raise Conflict(f"{keys.WEBHOOKS_KEPT} webhooks are registered; delete one that is not needed.")
        return webhook_of(webhook_id, stored), secret

    async def all(self) -> list[Webhook]:
        """Every one that is registered, oldest first."""
        with redis_errors():
            async with self._redis.pipeline(transaction=True) as pipe:
                pipe.hgetall(keys.WEBHOOKS)
                pipe.hgetall(keys.WEBHOOKS_FAILING)
                packed, failing = await pipe.execute()
        found = [
            webhook_of(each.decode(), decode(stored), int(failing.get(each, 0))) for each, stored in packed.items()
        ]
        return sorted(found, key=lambda webhook: (webhook.created_at, webhook.webhook_id))

    async def get(self, webhook_id: str) -> Webhook:
        """One of them; raises ``UnknownWebhook``."""
        with redis_errors():
            async with self._redis.pipeline(transaction=True) as pipe:
                pipe.hget(keys.WEBHOOKS, webhook_id)
                pipe.hget(keys.WEBHOOKS_FAILING, webhook_id)
                packed, failing = await pipe.execute()
        if packed is None:
            raise UnknownWebhook(webhook_id)
        return webhook_of(webhook_id, decode(packed), int(failing or 0))

    async def change(self, webhook_id: str, change: WebhookChange) -> Webhook:
        """It as it is then; raises ``UnknownWebhook``. What is pending for it goes to its new URL.

        With a new URL, or enabled, it is suspended no more.
        """
        fields: dict[str, Any] = msgspec.to_builtins(change)
        disabled = fields.pop("disabled", None)
        with redis_errors():
            packed = await self._change(
                args=(webhook_id, encode(fields), "" if disabled is None else str(int(disabled)))
            )
        if packed is None:
            raise UnknownWebhook(webhook_id)
        return await self.get(webhook_id)

    async def remove(self, webhook_id: str) -> None:
        """It is told nothing more, what is pending is given up; raises ``UnknownWebhook``."""
        with redis_errors():
            async with self._redis.pipeline(transaction=True) as pipe:
                pipe.hdel(keys.WEBHOOKS, webhook_id)
                pipe.hdel(keys.WEBHOOK_SECRETS, webhook_id)
                pipe.hdel(keys.WEBHOOKS_FAILING, webhook_id)
                removed, _, _ = await pipe.execute()
        if not removed:
            raise UnknownWebhook(webhook_id)

    async def secret(self, webhook_id: str, *, caller: str = "") -> SecretHint:
        """Which it signs with; ``DIRECT`` is that of a caller. Raises ``UnknownWebhook``."""
        secrets, until_ms = await self._secrets(webhook_id, caller, "read")
        return SecretHint(
            webhook_id=webhook_id, secret_begins=secrets[0][:HINT_CHARS], previous_until=instant(until_ms or None)
        )

    async def new_secret(self, webhook_id: str, *, caller: str = "") -> WebhookSecret:
        """What it signs with from now on, beside the one before for a while; raises ``UnknownWebhook``."""
        secrets, until_ms = await self._secrets(webhook_id, caller, "rotate")
        return WebhookSecret(webhook_id=webhook_id, secret=secrets[0], previous_until=instant(until_ms or None))

    async def signing_secrets(self, claimed: ClaimedDelivery) -> list[str]:
        """All that sign now, newest first; raises ``UnknownWebhook``.

        A caller that never asked for its secret cannot verify anything: one that nobody knows signs for it then.
        """
        try:
            return (await self._secrets(claimed.webhook_id, claimed.caller, "sign"))[0]
        except UnknownWebhook:
            if claimed.webhook_id != DIRECT:
                raise
            return [new_secret()]

    async def deliveries(self, webhook_id: str, *, limit: int = 50) -> list[Delivery]:
        """Those to a registered webhook, newest first; raises ``UnknownWebhook``."""
        await self.get(webhook_id)
        with redis_errors():
            ids: list[bytes] = await self._redis.zrange(keys.delivered_to(webhook_id), 0, limit - 1, desc=True)
        return await self._deliveries([delivery_id.decode() for delivery_id in ids])

    async def deliveries_of(self, prediction_id: str) -> list[Delivery]:
        """Those of one prediction: to its own webhook, and to those that are registered still."""
        with redis_errors():
            registered: list[bytes] = await self._redis.hkeys(keys.WEBHOOKS)
        return await self._deliveries([f"{prediction_id}-{each}" for each in (DIRECT, *map(bytes.decode, registered))])

    async def delivery(self, delivery_id: str) -> Delivery:
        """One of them; raises ``UnknownDelivery``."""
        found = await self._deliveries([delivery_id])
        if not found:
            raise UnknownDelivery(delivery_id)
        return found[0]

    async def redeliver(self, delivery_id: str) -> Delivery:
        """Have it delivered anew, whatever came of it before; raises ``UnknownDelivery``."""
        with redis_errors():
            known = await self._redeliver(args=(delivery_id,))
        if not known:
            raise UnknownDelivery(delivery_id)
        return await self.delivery(delivery_id)

    async def hear(self, due: Callable[[], None]) -> None:
        """Have ``due`` called when something is to be delivered. The connection may end: call it again each time."""
        if not self._hears:
            with redis_errors():
                await self._wire.subscribe(keys.DELIVER, lambda _: due())
            self._hears = True

    async def claim(self, *, room: int, lease_s: float) -> tuple[list[ClaimedDelivery], float | None]:
        """Up to ``room`` deliveries that are due, and in how many seconds the next one is."""
        with redis_errors():
            due_ms, rows = await self._claim(args=(room, round(lease_s * 1000)))
        return [claimed_of(*row) for row in rows], None if due_ms < 0 else due_ms / 1000

    async def report(
        self,
        claimed: ClaimedDelivery,
        state: DeliveryState,
        *,
        attempt: DeliveryAttempt | None = None,
        again_in_s: float = 0,
        body: bytes = b"",
        disable: bool = False,
    ) -> bool:
        """What came of it; whether that counts. Without ``attempt`` it is only put back, for others if for no time.

        ``body`` is what is sent again; ``disable``: its webhook wants to be told nothing more. An attempt that took no
        time was none: there was nothing to be sent, or nobody to send it to.
        """
        log = claimed.log if attempt is None else [*claimed.log, attempt][-ATTEMPTS_LOGGED:]
        more = attempt is not None
        with redis_errors():
            return bool(
                await self._report(
                    args=(
                        *(claimed.delivery_id, claimed.claim, state, round(again_in_s * 1000)),
                        *(claimed.attempts + more, claimed.step + more, encode_log(log), body),
                        keys.DELIVERY_TTL_MS if state is DeliveryState.FAILED else self._retention_ms,
                        claimed.webhook_id if disable else "",
                        *((*_counted(attempt), self._suspend_ms) if attempt and attempt.duration_ms else ()),
                    )
                )
            )

    async def aclose(self) -> None:
        """Close its connection."""
        await self._wire.aclose()

    async def _secrets(self, webhook_id: str, caller: str, how: str) -> tuple[list[str], int]:
        if webhook_id != DIRECT and ":" in webhook_id:
            raise UnknownWebhook(webhook_id)  # another caller's
        name = f"{DIRECT}:{caller}" if webhook_id == DIRECT else webhook_id
        with redis_errors():
            found = await self._rotate(args=(name, new_secret(), ROTATION_MS, how))
        if found is None:
            raise UnknownWebhook(webhook_id)
        current, *old = found.decode().split(" ")
        if not old or int(old[1]) <= time.time() * 1000:
            return [current], 0
        return [current, old[0]], int(old[1])

    async def _deliveries(self, ids: list[str]) -> list[Delivery]:
        with redis_errors():
            async with self._redis.pipeline(transaction=False) as pipe:
                for delivery_id in ids:
                    pipe.hgetall(keys.delivery(delivery_id))
                    pipe.zscore(keys.DELIVERIES, delivery_id)
                rows: list[Any] = await pipe.execute() if ids else []
        return [
            delivery_of(delivery_id, fields, due_ms)
            for delivery_id, fields, due_ms in zip(ids, rows[::2], rows[1::2], strict=True)
            if fields
        ]

    def _lost(self, _: Exception) -> None:
        self._hears = False


def _counted(attempt: DeliveryAttempt) -> tuple[str, int, int]:
    outcome = "failed" if attempt.error else "succeeded"
    return outcome, bucket_of(attempt.duration_ms), round(attempt.duration_ms * 1000)


def new_secret() -> str:
    """As Standard Webhooks has it."""
    return "whsec_" + base64.b64encode(os.urandom(SECRET_BYTES)).decode()
