"""``ModelRegistry``: name → served model. The built-in ones, then those of ``settings.models``."""

import asyncio
import difflib
import logging
from typing import Any

from zypher_jobs.contracts.model import ModelInfo
from zypher_jobs.errors import SettingError, UnknownModel
from zypher_jobs.models.definition import define
from zypher_jobs.models.importing import import_model
from zypher_jobs.models.model import Model
from zypher_jobs.models.runtimes import Runtime
from zypher_jobs.models.runtimes.mock import MockRuntime
from zypher_jobs.models.runtimes.python import PythonRuntime
from zypher_jobs.models.runtimes.threads import ModelThreads
from zypher_jobs.models.served import ServedModel
from zypher_jobs.models.shipped.digits import Digits
from zypher_jobs.settings import Settings

log = logging.getLogger("zypher.models")

MOST_THREADS = 32
"""More only fight over the GIL: digits at 100 at once runs 8,000/s in 32 threads, 5,000/s in 100 (2 cores)."""

CLOSE_TIMEOUT_S = 2.0
"""How long ``close`` waits for threads; predictions have drained before, only hung ones are left."""


class ModelRegistry:
    """Every model that this process serves, and the threads they run in."""

    def __init__(self, *, threads: int = MOST_THREADS) -> None:
        self._threads = ModelThreads(threads)
        self._models: dict[str, ServedModel] = {}

    @classmethod
    def from_settings(cls, settings: Settings) -> "ModelRegistry":
        """``mock``, ``digits``, then ``settings.models``; nothing is loaded yet.

        Raises ``SettingError`` or ``ModelDefinitionError``.
        """
        registry = cls(threads=min(settings.concurrency, MOST_THREADS))
        registry.add_runtime(MockRuntime(latency_ms=settings.mock_latency_ms, failure_rate=settings.mock_failure_rate))
        registry.add(Digits)
        for entry in settings.models:
            registry.add(import_model(entry))
        if settings.default_model not in registry._models:
            near = difflib.get_close_matches(settings.default_model, registry.names(), n=1)
            hint = f"Did you mean {near[0]!r}?" if near else f"Known models: {', '.join(registry.names())}."
            raise SettingError(f"ZYPHER_DEFAULT_MODEL={settings.default_model!r} is no model. {hint}")
        return registry

    def add(self, model_class: type[Model[Any, Any]]) -> ServedModel:
        """Register a model's class."""
        return self.add_runtime(PythonRuntime(model_class, define(model_class), self._threads))

    def add_runtime(self, runtime: Runtime) -> ServedModel:
        """Register what runs a model."""
        served = ServedModel(runtime)
        if served.name in self._models:
            raise SettingError(f"Two models are called {served.name!r}; give one another `name`.")
        self._models[served.name] = served
        return served

    async def load_all(self) -> None:
        """Load every model that is not ready, each in a thread. A failure makes that model unready, with its error."""
        await asyncio.gather(*(self._load(served) for served in self._models.values() if not served.ready))

    async def _load(self, served: ServedModel) -> None:
        await self._threads.submit(served.load)
        if served.error is not None:
            log.error("model not loaded", extra={"model": served.name, "error": served.error})

    def get(self, name: str) -> ServedModel:
        """The model of that name; raises ``UnknownModel``."""
        try:
            return self._models[name]
        except KeyError:
            raise UnknownModel(name, known=list(self._models)) from None

    def names(self) -> list[str]:
        """In order of registration."""
        return list(self._models)

    def infos(self) -> list[ModelInfo]:
        """What each says of itself, in order of registration."""
        return [served.info for served in self._models.values()]

    async def close(self) -> None:
        """End the threads; one that hangs in a model is left behind and ends with the process."""
        if not await asyncio.to_thread(self._threads.close, CLOSE_TIMEOUT_S):
            log.warning("a model still runs; it ends with the process")
