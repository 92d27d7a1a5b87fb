"""``ModelRegistry``: name and version → served model."""

import asyncio
import difflib
import logging
from typing import Any

from zypher_jobs.contracts.model import ModelInfo
from zypher_jobs.errors import SettingError, UnknownModel
from zypher_jobs.models.discovery import discover, python_runtime
from zypher_jobs.models.model import Model
from zypher_jobs.models.runtimes import Runtime
from zypher_jobs.models.served import ServedModel
from zypher_jobs.models.versions import Versions
from zypher_jobs.settings import Settings

log = logging.getLogger("zypher.models")


class ModelRegistry:
    """Every model that this process serves."""

    def __init__(self) -> None:
        self._models: dict[str, Versions] = {}

    @classmethod
    def from_settings(cls, settings: Settings, *, in_worker: bool = False) -> "ModelRegistry":
        """All that ``discover`` finds; nothing is loaded yet. Raises as that does."""
        registry = cls()
        for runtime in discover(settings, in_worker=in_worker):
            registry.add_runtime(runtime)
        if settings.default_model not in registry._models:
            near = difflib.get_close_matches(settings.default_model, registry.names(), n=1)
            hint = f"Did you mean {near[0]!r}?" if near else f"Known models: {', '.join(registry.names())}."
            raise SettingError(f"ZYPHER_DEFAULT_MODEL={settings.default_model!r} is no model. {hint}")
        return registry

    def add(self, model_class: type[Model[Any, Any]]) -> ServedModel:
        """Register a model's class; raises ``ModelDefinitionError`` if it cannot be served as it is written."""
        return self.add_runtime(python_runtime(model_class))

    def add_runtime(self, runtime: Runtime) -> ServedModel:
        """Register what runs a version of a model; it is live then. Raises ``SettingError`` if it is there already."""
        served = ServedModel(runtime)
        versions = self.versions_of(served.name)
        if versions.find(served.version) is not None:
            raise SettingError(
                f"Two models are called {served.name!r}, both of version {served.version!r}; "
                "give one another `name` or `version`."
            )
        versions.add(served)
        return served

    async def load_all(self) -> None:
        """Load every model that is not ready. A failure makes that one unready, with its error."""
        await asyncio.gather(*(self._load(served) for served in self.all() if not served.ready))

    async def _load(self, served: ServedModel) -> None:
        await served.load()
        if served.error is not None:
            log.error("model not loaded", extra={"model": served.definition.reference, "error": served.error})

    def lack(self) -> str | None:
        """Why not every model here can predict; one on another server may be away."""
        for served in self.all():
            if served.error is not None and not served.asleep and not served.definition.is_remote:
                return f"Model {served.definition.reference!r} does not load: {served.error.rstrip('.')}."
        return None

    def versions_of(self, name: str) -> Versions:
        """All versions of a model, of none if it is a new one."""
        return self._models.setdefault(name, Versions(name))

    def forget(self, name: str) -> None:
        """A model that has no version any more."""
        self._models.pop(name, None)

    def get(self, name: str, version: str | None = None) -> ServedModel:
        """That version, or a live one; raises ``UnknownModel``, ``UnknownVersion``, ``ModelNotReady``."""
        versions = self.versions(name)
        return versions.choose() if version is None else versions.get(version)

    def versions(self, name: str) -> Versions:
        """All versions of a model; raises ``UnknownModel``."""
        try:
            return self._models[name]
        except KeyError:
            raise UnknownModel(name, known=list(self._models)) from None

    def names(self) -> list[str]:
        """In order of registration."""
        return list(self._models)

    def infos(self) -> list[ModelInfo]:
        """What each version says of itself, in order of registration."""
        return [served.info for served in self.all()]

    async def close(self) -> None:
        """Let every model go; one that hangs in a thread is left behind and ends with the process."""
        await asyncio.gather(*(served.unload() for served in self.all()))

    def all(self) -> list[ServedModel]:
        """Every version of every model, in order of registration."""
        return [served for versions in self._models.values() for served in versions.all]
