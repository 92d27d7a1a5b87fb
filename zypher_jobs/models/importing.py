"""``module:Class`` of the settings or of a manifest, and what installed packages offer, → the class."""

import difflib
import importlib
import sys
import sysconfig
import traceback
from collections.abc import Callable, Iterator
from functools import partial
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

from zypher_jobs.errors import SettingError
from zypher_jobs.models.model import Model

SETTING = "ZYPHER_MODELS"
GROUP = "zypher.models"
"""Of the entry points by which a package that is installed offers models."""

Base = TypeVar("Base")

_OTHERS = ("<", __file__, sysconfig.get_path("stdlib"), sysconfig.get_path("purelib"), sysconfig.get_path("platlib"))
"""Where the frames of a traceback are that its reader did not write."""


def import_model(entry: str, *, setting: str) -> type[Model[Any, Any]]:
    """Import ``module:Class``, also from the current directory; raises ``SettingError`` that says what is near.

    ``setting`` is what that begins with: where the entry was written.
    """
    return import_class(entry, Model, setting=setting)


def installed_models() -> Iterator[tuple[str, Callable[[], type[Model[Any, Any]]]]]:
    """The name of each entry point of the group, and what imports it; that raises ``SettingError``."""
    for point in sorted(entry_points(group=GROUP)):
        package = f" of {point.dist.name} {point.dist.version}" if point.dist else ""
        yield point.name, partial(import_model, point.value, setting=f"Entry point {point.name}{package}")


def import_class(entry: str, base: type[Base], *, setting: str) -> type[Base]:
    """The same of another class that people write, and another place that names it."""
    module_name, colon, class_name = entry.partition(":")
    if not colon or not module_name or not class_name:
        raise SettingError(f"{setting}: {entry!r} must be module:Class, such as word_count:WordCount.")
    module = _import(module_name, entry, setting)
    found = getattr(module, class_name, None)
    if isinstance(found, type) and issubclass(found, base):
        return found
    classes = [
        name
        for name, value in vars(module).items()
        if isinstance(value, type) and issubclass(value, base) and value is not base
    ]
    if isinstance(found, type) and not classes:
        raise SettingError(
            f"{setting}: {entry!r}: {class_name} is no model; "
            f"write `class {class_name}({base.__name__}[YourInput, YourOutput])`."
        )
    if found is not None:
        problem = f"{class_name} in {module_name} is not a subclass of zypher_jobs.models.{base.__name__}"
    else:
        problem = f"module {module_name} has no {class_name}"
    raise SettingError(f"{setting}: {entry!r}: {problem}. {_hint(class_name, classes, prefix=module_name + ':')}")


def _import(name: str, entry: str, setting: str) -> ModuleType:
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
                f"{setting}: {entry!r}: no module is called {error.name}, here or installed. {_hint(name, files)}"
            ) from error
        raise SettingError(_failed(name, entry, error, setting)) from error
    except (Exception, SystemExit) as error:
        raise SettingError(_failed(name, entry, error, setting)) from error


def _failed(name: str, entry: str, error: BaseException, setting: str) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if not frame.filename.startswith(_OTHERS)] or frames
    place = f" ({own[-1].filename}:{own[-1].lineno})" if own and not isinstance(error, SyntaxError) else ""
    return f"{setting}: {entry!r}: importing {name} failed: {type(error).__name__}: {error}{place}."


def _hint(wanted: str, known: list[str], *, prefix: str = "") -> str:
    if near := difflib.get_close_matches(wanted, known, n=1):
        return f"Did you mean {prefix}{near[0]}?"
    if known:
        return f"Known there: {', '.join(known)}."
    return "Start zypher in the directory that holds it, or install it."
