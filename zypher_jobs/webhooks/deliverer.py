"""``Deliverer``: takes what is due out of the queue of deliveries, and sends it, again and again if need be.

Every worker process has one; they share the queue by leases. A receiver that is slow takes up places of its own only:
of each host a few deliveries are under way at once, the others of it are put back for a moment.
"""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from zypher_jobs.contracts.prediction import Prediction
from zypher_jobs.contracts.webhook import DIRECT, DeliveryAttempt, DeliveryState
from zypher_jobs.errors import RedisUnavailable, UnknownPrediction, UnknownWebhook
from zypher_jobs.queue.webhook_rows import ClaimedDelivery
from zypher_jobs.queue.webhooks import Webhooks
from zypher_jobs.tracing import Tracer
from zypher_jobs.webhooks.pauses import put_back_s, retry_pause_s
from zypher_jobs.webhooks.payloads import payload_of
from zypher_jobs.webhooks.signing import signed_headers

if TYPE_CHECKING:
    from zypher_jobs.webhooks.poster import Poster

log = logging.getLogger("zypher.webhooks")

AT_ONCE = 64
AT_ONCE_A_HOST = 16
AGAIN_S = 1.0
"""While Redis does not answer."""
DRAIN_S = 1.0
"""What is under way when the process is to end gets so long; then another one takes it."""
LOOK_EVERY_S = 5.0
"""The safety net: what is due is announced."""
MARGIN_S = 10.0
"""By which a lease outlasts the longest attempt."""
GONE = 410
"""The receiver wants to be told nothing more."""


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
        tracer: Tracer | None = None,
    ) -> None:
        """``make_poster`` is called in a thread, at the first delivery. ``read``: one prediction by its id.

        ``retry_s``: the pauses between attempts.
        """
        self._webhooks = webhooks
        self._make_poster = make_poster
        self._made: asyncio.Task[Poster] | None = None
        self._read = read
        self._retry_s = retry_s
        self._tracer = tracer
        self._lease_s = timeout_s + MARGIN_S
        self._due = asyncio.Event()
        self._waits_for_room = False
        self._stops = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._posts: set[asyncio.Task[DeliveryAttempt]] = set()
        self._hosts: Counter[str] = Counter()

    async def run(self) -> None:
        """Until told to stop; then until what is under way has ended, or was handed back."""
        try:
            while not self._stops:
                self._due.clear()
                try:
                    pause_s = await self._take()
                except RedisUnavailable:
                    pause_s = AGAIN_S
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._due.wait(), pause_s)
        finally:
            if self._tasks:
                await asyncio.wait(self._tasks, timeout=DRAIN_S)
            for post in self._posts:
                post.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            if self._made is not None:
                await (await self._made).aclose()
            await self._webhooks.aclose()

    def stop(self) -> None:
        """Begin nothing more. A claim under way is waited for, or what it took would wait for the end of its lease."""
        self._stops = True
        self._due.set()

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
            body = claimed.body or payload_of(await self._read(claimed.prediction_id), claimed.type)
        except (UnknownWebhook, UnknownPrediction) as error:
            attempt = DeliveryAttempt(at=datetime.now(UTC), duration_ms=0, error=error.message)
            await self._webhooks.report(claimed, DeliveryState.FAILED, attempt=attempt)
            return
        headers = signed_headers(claimed.delivery_id, body, at_s=int(time.time()), secrets=secrets)
        attempt = await self._traced_post(claimed, url, body, {"Content-Type": "application/json", **headers})
        if attempt is None:
            await self._webhooks.report(claimed, DeliveryState.PENDING)
        elif not attempt.error:
            await self._webhooks.report(claimed, DeliveryState.DELIVERED, attempt=attempt)
        elif attempt.status != GONE and claimed.step < len(self._retry_s):
            pause_s = retry_pause_s(claimed.step, self._retry_s, attempt)
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
        return claimed.url, await self._webhooks.signing_secrets(claimed)

    async def _traced_post(
        self, claimed: ClaimedDelivery, url: str, body: bytes, headers: dict[str, str]
    ) -> DeliveryAttempt | None:
        """``_post``, which tells the receiver in which trace it is."""
        if self._tracer is None:
            trace = {} if claimed.trace is None else claimed.trace.next().headers
            return await self._post(url, body, headers | trace)
        facts = {"zypher.delivery_id": claimed.delivery_id, "zypher.prediction_id": claimed.prediction_id}
        span = self._tracer.span("webhook delivery", kind="client", parent=claimed.trace, attributes=facts)
        attempt = None
        try:
            attempt = await self._post(url, body, headers | span.trace.headers)
        finally:
            status = {} if attempt is None or attempt.status is None else {"http.response.status_code": attempt.status}
            span.end(error="delivery_failed" if attempt and attempt.error else "", attributes=status)
        return attempt

    async def _post(self, url: str, body: bytes, headers: dict[str, str]) -> DeliveryAttempt | None:
        """What came of it; ``None`` if this process is to end before it has."""
        poster = await self._poster()
        if self._stops:
            return None
        post = asyncio.create_task(poster.post(url, body, headers))
        self._posts.add(post)
        try:
            await asyncio.wait([post])
        finally:
            self._posts.discard(post)
        return None if post.cancelled() else post.result()

    async def _poster(self) -> "Poster":
        if self._made is None:
            self._made = asyncio.create_task(asyncio.to_thread(self._make_poster))
        return await asyncio.shield(self._made)
