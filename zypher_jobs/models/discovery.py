"""Every model that there is to serve: the built-in ones, those that installed packages offer, those of the settings."""

import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from zypher_jobs.errors import ModelDefinitionError, SettingError
from zypher_jobs.models.definition import define
from zypher_jobs.models.importing import SETTING, import_model, installed_models
from zypher_jobs.models.manifests import configured_models, model_of_file
from zypher_jobs.models.model import Model
from zypher_jobs.models.runtimes import Runtime
from zypher_jobs.models.runtimes.broken import BrokenRuntime
from zypher_jobs.models.runtimes.mock import MockRuntime
from zypher_jobs.models.runtimes.process import ProcessRuntime, place_of_class
from zypher_jobs.models.runtimes.python import PythonRuntime
from zypher_jobs.models.shipped.digits import Digits
from zypher_jobs.settings import CONFIG_FILE, Settings, read_config

log = logging.getLogger("zypher.models")


def discover(settings: Settings, *, in_worker: bool = False) -> list[Runtime]:
    """What runs each of them, in the order in which they are registered; nothing is loaded yet.

    What is configured takes the place of what is installed under the same name and version. Raises ``SettingError`` or
    ``ModelDefinitionError`` for what is configured and cannot be served; what is installed and cannot be served is
    there as a model that is never ready. ``in_worker``: whether another process takes over what this one loses.
    """
    built_in = [
        MockRuntime(settings, may_crash=in_worker),
        python_runtime(Digits),
    ]
    here = Path.cwd()
    written = f"models in {CONFIG_FILE}" if read_config(here).get("models") == list(settings.models) else SETTING
    configured = [*(runtime_named(each, setting=written) for each in settings.models), *configured_models(here)]
    taken = {_key(each) for each in (*built_in, *configured)}
    installed: list[Runtime] = []
    for runtime in _installed():
        if _key(runtime) in taken:
            log.warning("the place of an installed model is taken", extra={"model": runtime.definition.reference})
        else:
            installed.append(runtime)
            taken.add(_key(runtime))
    return [*built_in, *installed, *configured]


def runtime_named(entry: str, *, setting: str) -> Runtime:
    """``module:Class`` or the path of an ``.onnx`` file → what runs it; ``setting`` is where that was written."""
    if entry.endswith(".onnx"):
        return model_of_file(entry, setting=setting)
    return python_runtime(import_model(entry, setting=setting))


def python_runtime(model_class: type[Model[Any, Any]]) -> Runtime:
    """What runs a model's class; raises ``ModelDefinitionError``."""
    definition = define(model_class)
    if definition.isolation == "process":
        return ProcessRuntime(place_of_class(model_class), definition)
    return PythonRuntime(model_class, definition)


def _installed() -> Iterator[Runtime]:
    for name, load in installed_models():
        try:
            yield python_runtime(load())
        except (SettingError, ModelDefinitionError) as error:
            shown = re.sub(r"[^a-z0-9._-]+", "-", name.lower()).strip("._-")[:64]
            yield BrokenRuntime(shown or "unnamed", error)


def _key(runtime: Runtime) -> tuple[str, str]:
    return runtime.definition.name, runtime.definition.version
