"""``Deliverer``: takes what is due out of the queue of deliveries, and sends it, again and again if need be.

Every worker process has one; they share the queue by leases. A receiver that is slow takes up places of its own only:
of each host a few deliveries are under way at once, the others of it are put back for a moment.
"""

import asyncio
import logging
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec

from zypher_jobs.contracts.prediction import Prediction
from zypher_jobs.contracts.webhook import DIRECT, DeliveryAttempt, DeliveryState, WebhookPayload
from zypher_jobs.errors import RedisUnavailable, UnknownPrediction, UnknownWebhook
from zypher_jobs.queue.webhooks import ClaimedDelivery, Webhooks
from zypher_jobs.webhooks.signing import signed_headers

if TYPE_CHECKING:
    from zypher_jobs.webhooks.poster import Poster

log = logging.getLogger("zypher.webhooks")

AT_ONCE = 64
AT_ONCE_A_HOST = 16
PUT_BACK_S = 1.0
"""The first time; twice as long each time, up to ``2 ** PUT_BACK_DOUBLINGS``: many may wait for one dead host."""
PUT_BACK_DOUBLINGS = 6
LOOK_EVERY_S = 5.0
"""The safety net: what is due is announced."""
MARGIN_S = 10.0
"""By which a lease outlasts the longest attempt."""
JITTER = 0.1
"""Each pause is up to this share longer, so that those that failed together do not come together again."""
GONE = 410
"""The receiver wants to be told nothing more."""

_encode = msgspec.json.Encoder().encode


def put_back_s(claimed: ClaimedDelivery) -> float:
    """How long one waits whose host has enough under way."""
    doublings = min(claimed.claim - claimed.attempts - 1, PUT_BACK_DOUBLINGS)
    return PUT_BACK_S * 2**doublings * random.uniform(0.5, 1)  # noqa: S311  # jitter


class Deliverer:
    """One process' part in delivering."""

    def __init__(
        self,
        webhooks: Webhooks,
        make_poster: Callable[[], "Poster"],
        *,
        read: Callable[[str], Awaitable[Prediction]],
        retry_s: Sequence[float],
        timeout_s: float,
    ) -> None:
        """``make_poster`` is called in a thread, at the first delivery. ``read``: one prediction by its id.

        ``retry_s``: the pauses between attempts.
        """
        self._webhooks = webhooks
        self._make_poster = make_poster
        self._made: asyncio.Task[Poster] | None = None
        self._read = read
        self._retry_s = retry_s
        self._lease_s = timeout_s + MARGIN_S
        self._due = asyncio.Event()
        self._waits_for_room = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._hosts: Counter[str] = Counter()

    async def run(self) -> None:
        """Until canceled."""
        try:
            while True:
                self._due.clear()
                try:
                    pause_s = await self._take()
                except RedisUnavailable:
                    pause_s = PUT_BACK_S
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._due.wait(), pause_s)
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            if self._made is not None:
                await (await self._made).aclose()
            await self._webhooks.aclose()

    async def _take(self) -> float:
        """Begin what is due; how long to wait before the next look."""
        await self._webhooks.hear(self._due.set)
        room = AT_ONCE - len(self._tasks)
        if room <= 0:
            self._waits_for_room = True
            return LOOK_EVERY_S
        self._waits_for_room = False
        claimed, next_in_s = await self._webhooks.claim(room=room, lease_s=self._lease_s)
        for each in claimed:
            task = asyncio.create_task(self._safely(each))
            self._tasks.add(task)
            task.add_done_callback(self._ended)
        return LOOK_EVERY_S if next_in_s is None else min(LOOK_EVERY_S, next_in_s + 0.001)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if self._waits_for_room:
            self._due.set()

    async def _safely(self, claimed: ClaimedDelivery) -> None:
        host = urlsplit(claimed.url).netloc
        try:
            if self._hosts[host] >= AT_ONCE_A_HOST:
                await self._webhooks.report(claimed, DeliveryState.PENDING, again_in_s=put_back_s(claimed))
                self._due.set()
                return
            self._hosts[host] += 1
            try:
                await self._deliver(claimed)
            finally:
                self._hosts[host] -= 1
                if not self._hosts[host]:
                    del self._hosts[host]
        except RedisUnavailable:
            log.debug("a delivery is taken up again once its lease has ended")
        except Exception:
            log.exception("a delivery failed in a way of its own", extra={"delivery_id": claimed.delivery_id})

    async def _deliver(self, claimed: ClaimedDelivery) -> None:
        try:
            url, secrets = await self._target(claimed)
            body = claimed.body or await self._body(claimed)
        except (UnknownWebhook, UnknownPrediction) as error:
            attempt = DeliveryAttempt(at=datetime.now(UTC), duration_ms=0, error=error.message)
            await self._webhooks.report(claimed, DeliveryState.FAILED, attempt=attempt)
            return
        headers = signed_headers(claimed.delivery_id, body, at_s=int(time.time()), secrets=secrets)
        attempt = await (await self._poster()).post(url, body, {"Content-Type": "application/json", **headers})
        if not attempt.error:
            await self._webhooks.report(claimed, DeliveryState.DELIVERED, attempt=attempt)
        elif attempt.status != GONE and claimed.step < len(self._retry_s):
            pause_s = self._retry_s[claimed.step] * random.uniform(1, 1 + JITTER)  # noqa: S311  # jitter
            await self._webhooks.report(claimed, DeliveryState.PENDING, attempt=attempt, again_in_s=pause_s, body=body)
            self._due.set()  # to learn how long that is
        else:
            disable = attempt.status == GONE and claimed.webhook_id != DIRECT
            await self._webhooks.report(claimed, DeliveryState.FAILED, attempt=attempt, disable=disable)
            log.warning("webhook not delivered: %s", attempt.error, extra={"delivery_id": claimed.delivery_id})

    async def _target(self, claimed: ClaimedDelivery) -> tuple[str, list[str]]:
        """Where to, and what it is signed with. Raises ``UnknownWebhook`` for one that is not to be told any more."""
        if claimed.webhook_id != DIRECT and (await self._webhooks.get(claimed.webhook_id)).disabled_at is not None:
            raise UnknownWebhook(claimed.webhook_id)
        return claimed.url, await self._webhooks.signing_secrets(claimed.webhook_id)

    async def _body(self, claimed: ClaimedDelivery) -> bytes:
        prediction = await self._read(claimed.prediction_id)
        ended_at = prediction.finished_at or prediction.created_at
        return _encode(WebhookPayload(type=claimed.type, timestamp=ended_at, data=prediction))

    async def _poster(self) -> "Poster":
        if self._made is None:
            self._made = asyncio.create_task(asyncio.to_thread(self._make_poster))
        return await asyncio.shield(self._made)
