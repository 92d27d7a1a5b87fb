"""``module:Class`` of the settings → the model's class."""

import difflib
import importlib
import sys
import traceback
from pathlib import Path
from types import ModuleType
from typing import Any, cast

from zypher_jobs.errors import SettingError
from zypher_jobs.models.model import Model

_SETTING = "ZYPHER_MODELS"


def import_model(entry: str) -> type[Model[Any, Any]]:
    """Import ``module:Class``, also from the current directory; raises ``SettingError`` that says what is near."""
    module_name, colon, class_name = entry.partition(":")
    if not colon or not module_name or not class_name:
        raise SettingError(f"{_SETTING}: {entry!r} must be module:Class, such as word_count:WordCount.")
    module = _import(module_name, entry)
    found = getattr(module, class_name, None)
    if isinstance(found, type) and issubclass(found, Model):
        return cast("type[Model[Any, Any]]", found)
    classes = [
        name
        for name, value in vars(module).items()
        if isinstance(value, type) and issubclass(value, Model) and value is not Model
    ]
    if found is not None:
        problem = f"{class_name} in {module_name} is not a subclass of zypher_jobs.models.Model"
    else:
        problem = f"module {module_name} has no {class_name}"
    raise SettingError(f"{_SETTING}: {entry!r}: {problem}. {_hint(class_name, classes, prefix=module_name + ':')}")


def _import(name: str, entry: str) -> ModuleType:
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    importlib.invalidate_caches()
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(error.name + ".")):
            files = [path.stem for path in sorted(Path.cwd().glob("*.py"))]
            raise SettingError(
                f"{_SETTING}: {entry!r}: no module is called {error.name}, here or installed. {_hint(name, files)}"
            ) from error
        raise SettingError(_failed(name, entry, error)) from error
    except Exception as error:
        raise SettingError(_failed(name, entry, error)) from error


def _failed(name: str, entry: str, error: Exception) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    place = f" ({frames[-1].filename}:{frames[-1].lineno})" if frames and not isinstance(error, SyntaxError) else ""
    return f"{_SETTING}: {entry!r}: importing {name} failed: {type(error).__name__}: {error}{place}."


def _hint(wanted: str, known: list[str], *, prefix: str = "") -> str:
    if near := difflib.get_close_matches(wanted, known, n=1):
        return f"Did you mean {prefix}{near[0]}?"
    if known:
        return f"Known there: {', '.join(known)}."
    return "Start zypher in the directory that holds it, or install it."
