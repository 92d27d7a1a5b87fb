"""``Services``: what handlers work with; made by ``create_app``, started and stopped by its lifespan."""

import asyncio
import os
import socket
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from litestar import Litestar
from litestar.types import Scope

from zypher_api.audit import Audit
from zypher_api.auth import Auth
from zypher_api.figures import Figures
from zypher_api.gate import Gate
from zypher_api.health import health_of
from zypher_api.keyring import KeyRing
from zypher_api.limits import KeyLimits
from zypher_api.meter import HttpMeter
from zypher_api.presence import UntilGone
from zypher_api.recorder import Recorder
from zypher_api.request_log import RequestLog
from zypher_api.seat import Entry, Seat
from zypher_jobs.board import LaneState
from zypher_jobs.contracts.stats import Health, Overview
from zypher_jobs.models import ModelRegistry, ServedModel
from zypher_jobs.models.deployer import Deployer
from zypher_jobs.models.rollout import Rollout
from zypher_jobs.models.store import store_of
from zypher_jobs.queue import PredictionQueue
from zypher_jobs.queue.api_keys import ApiKeys
from zypher_jobs.queue.audit import AuditLog
from zypher_jobs.queue.deployments import Deployments
from zypher_jobs.queue.historian import Historian
from zypher_jobs.queue.limits import Limits
from zypher_jobs.queue.once import Once
from zypher_jobs.queue.probe import warn_of_server
from zypher_jobs.queue.webhooks import Webhooks
from zypher_jobs.settings import Settings
from zypher_jobs.supervisor.data_dir import DataDir
from zypher_jobs.tracing import tracer_of
from zypher_jobs.webhooks.addresses import AddressPolicy

T = TypeVar("T")

LOAD_WAIT_S = 2.0
"""How long the caller of a model that is still loading is held, so that the first calls after a start succeed."""


class Services:
    """The parts of one API process."""

    def __init__(self, settings: Settings, seat: Seat | None = None) -> None:
        self.settings = settings
        self.registry = ModelRegistry.from_settings(settings)
        self.queue = PredictionQueue.from_settings(settings)
        self.process_id = f"api-{socket.gethostname()}-{os.getpid()}"
        """The ``worker`` of synchronous predictions."""
        self.api_keys = ApiKeys(self.queue)
        self.key_ring = KeyRing(ApiKeys(self.queue), local_token=DataDir(settings.data_dir).local_token())
        self.auth = Auth(self.key_ring, settings.auth)
        self.audit_log = AuditLog(self.queue)
        self.audit = Audit(self.audit_log)
        self.limits = KeyLimits(Limits(self.queue), longest_run_s=settings.run_timeout_s)
        self.once = Once(self.queue, lifetime_s=settings.idempotency_s)
        self.deployments = Deployments(self.queue)
        self.webhooks = Webhooks(self.queue, retention_ms=self.queue.retention_ms)
        self.webhook_policy = AddressPolicy(settings.webhook_allow)
        store = store_of(settings)
        self.deployer = Deployer(
            self.registry,
            self.deployments,
            store,
            process_id=self.process_id,
            part="api",
            kept_loaded=settings.models_kept_loaded,
        )
        self.rollout = Rollout(
            self.registry, self.deployer, self.deployments, store, timeout_s=settings.deploy_timeout_s
        )
        self.recorder = Recorder(self.queue.record_sync, policy=settings.record_sync, process_id=self.process_id)
        seat = seat or Seat.alone()
        self.board = seat.board
        self.lane = seat.lane
        self.lane.enter(os.getpid())
        self.meter = HttpMeter(self.lane)
        self.gate = Gate(settings.shed_wait_s)
        self.figures = Figures(self.lane, self.registry, self.recorder, self.gate)
        self.refusal: str | None = None
        """Why this process must not take another's place: what it lacks."""
        self._entry = seat.entry
        self.request_log = RequestLog()
        self.tracer = self.queue.tracer = tracer_of(settings, part="api", process_id=self.process_id)
        """``None``: nobody asked for traces."""
        self.historian = Historian(self.queue, self.queue.inspect, kept_s=settings.history_s)
        self.started = time.monotonic()
        self._draining = asyncio.Event()
        self._open: set[Callable[[], None]] = set()
        self._left: set[asyncio.Task[Any]] = set()
        self._loading: asyncio.Task[None] | None = None

    @property
    def default_model(self) -> ServedModel:
        """The model behind ``POST /predict``."""
        return self.registry.get(self.settings.default_model)

    @property
    def draining(self) -> bool:
        """Whether this process is about to end."""
        return self._draining.is_set()

    def health(self, overview: Overview | None) -> Health:
        """How each part is; ``overview`` is ``None`` while Redis is away."""
        return health_of(self.registry, overview, uptime_s=time.monotonic() - self.started)

    @asynccontextmanager
    async def running(self, _: Litestar) -> AsyncGenerator[None]:
        """Record, and load the models behind the first requests; in the end flush and close."""
        await asyncio.gather(self.deployer.start(), self.key_ring.start())
        self.auth.warn(self.settings.host)
        self._loading = loading = asyncio.create_task(self._load())
        warning = asyncio.create_task(warn_of_server(self.queue))  # beside the start: Redis may be away
        self.recorder.start()
        publishing = asyncio.create_task(self.figures.keep_publishing())
        recording = asyncio.create_task(self.historian.keep_recording(self.health))
        if self._entry is not Entry.AT_ONCE:
            await asyncio.wait([loading])
        if self._entry is Entry.COMPLETE:
            self.refusal = self.registry.lack()
        try:
            yield
        finally:
            self.drain()
            for task in (loading, warning, publishing, recording, *self._left):
                task.cancel()
            await asyncio.wait([loading, warning, publishing, recording, *self._left])
            await self.recorder.close()
            self.figures.publish()
            await self.deployer.close()
            await self.key_ring.close()
            await self.limits.aclose()
            await self.once.aclose()
            await self.api_keys.aclose()
            await self.registry.close()
            await self.webhooks.aclose()
            await self.queue.aclose()
            self.request_log.flush()
            if self.tracer is not None:
                await self.tracer.aclose()

    async def _load(self) -> None:
        await self.registry.load_all()
        await self.deployer.settled()

    async def loaded(self) -> None:
        """Wait until every model has loaded or failed to, for at most ``LOAD_WAIT_S``."""
        if self._loading is not None:
            await asyncio.wait([self._loading], timeout=LOAD_WAIT_S)

    def drain(self) -> None:
        """End what is held open for its caller's sake: each waiting request is answered with what is known now."""
        self._draining.set()
        self.lane.say(LaneState.DRAINING)
        for wake in list(self._open):
            wake()

    def when_draining(self, wake: Callable[[], None]) -> None:
        """Have a stream woken that is open for its caller's sake; it ends then."""
        self._open.add(wake)

    def forget_draining(self, wake: Callable[[], None]) -> None:
        """The stream has ended."""
        self._open.discard(wake)

    def let_end(self, task: asyncio.Task[Any]) -> None:
        """Let what nobody waits for any more come to its end, if this process lives that long."""
        self._left.add(task)
        task.add_done_callback(self._leave)

    def _leave(self, task: asyncio.Task[Any]) -> None:
        self._left.discard(task)
        if not task.cancelled():
            task.exception()  # seen: it is recorded

    async def hold(self, wait: Callable[[], Awaitable[T]], scope: Scope) -> T | None:
        """What ``wait`` gives, or ``None`` as soon as the process drains: then it is canceled.

        It is canceled too when the caller goes away; raises ``CallerGone`` then. Who is held costs no further task.
        """
        task = asyncio.current_task()
        is_drained = False

        def end() -> None:
            nonlocal is_drained
            if task is not None:
                is_drained = True
                task.cancel()

        with UntilGone(scope):
            at_once = asyncio.get_running_loop().call_soon(end) if self.draining else None
            self._open.add(end)
            try:
                return await wait()
            except asyncio.CancelledError:
                if task is None or not is_drained:
                    raise
                task.uncancel()
                return None
            finally:
                self._open.discard(end)
                if at_once is not None:
                    at_once.cancel()
