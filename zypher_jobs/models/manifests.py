"""``[model.NAME]`` of ``zypher.toml``, and ``.onnx`` files of the settings, → what runs them."""

import difflib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import msgspec

from zypher_jobs.contracts.model import ModelManifest
from zypher_jobs.errors import ModelDefinitionError, SettingError
from zypher_jobs.models.runtimes import Runtime
from zypher_jobs.models.runtimes.from_manifest import runtime_of
from zypher_jobs.models.schema import json_schema
from zypher_jobs.models.sentences import invalid_input
from zypher_jobs.settings import CONFIG_FILE, MODEL_TABLES, read_config

_NEEDED = {"onnx": ("file", "the .onnx file"), "remote": ("url", "the server, such as http://triton:8000")}
"""Runtime → the field without which it cannot run, and what that is."""
_ONLY_REMOTE = ("url", "remote_name", "remote_version", "api_key_env")


def configured_models(directory: Path) -> Iterator[Runtime]:
    """What the tables describe, in their order; their files are found from ``directory``, where ``zypher.toml`` is.

    Raises ``SettingError`` or ``ModelDefinitionError``, which names the file, the table, the field and the way out.
    """
    tables: Any = read_config(directory).get(MODEL_TABLES, {})
    if not isinstance(tables, dict) or not all(isinstance(table, dict) for table in cast("Any", tables).values()):
        raise SettingError(
            f'{CONFIG_FILE}: a model is a table such as [model.iris]; for classes: models = ["word_count:WordCount"].'
        )
    for name, table in cast("dict[str, dict[str, Any]]", tables).items():
        place = f"{CONFIG_FILE}: [{MODEL_TABLES}.{name}]"
        yield _runtime(_manifest({"name": name, **table}, place), directory, place)


def model_of_file(path: str, *, setting: str) -> Runtime:
    """The model in an ``.onnx`` file, named for it; raises as ``configured_models``."""
    name = re.sub(r"[^a-z0-9.]+", "-", Path(path).stem.lower()).strip("-.")
    place = f"{setting}: {path!r}"
    return _runtime(_manifest({"name": name, "file": path}, place), Path.cwd(), place)


def _manifest(table: dict[str, Any], place: str) -> ModelManifest:
    try:
        manifest = msgspec.convert(table, ModelManifest)
    except msgspec.ValidationError as error:
        raise SettingError(f"{place}: {_sentence(table, error)}") from error
    for field in _ONLY_REMOTE if manifest.runtime != "remote" else ():
        if getattr(manifest, field) is not None:
            way_out = 'set runtime = "remote" too, or leave it out'
            raise SettingError(f"{place}: Field {field!r} is of a model on another server: {way_out}.")
    field, meaning = _NEEDED[manifest.runtime]
    if getattr(manifest, field) is None:
        raise SettingError(f"{place}: Field {field!r} is missing: {meaning}.")
    return manifest


def _sentence(table: dict[str, Any], error: msgspec.ValidationError) -> str:
    """What is wrong with it, with the nearest name of a field that there is not."""
    fields = ModelManifest.__struct_fields__
    for field in table:
        if field not in fields:
            near = difflib.get_close_matches(field, fields, n=1)
            hint = f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(fields)}."
            return f"Field {field!r} is not known. {hint}"
    return invalid_input(str(error), json_schema(ModelManifest)).message.replace(" or null", "")  # TOML has none


def _runtime(manifest: ModelManifest, directory: Path, place: str) -> Runtime:
    if manifest.file is not None and not (directory / manifest.file).is_file():
        files = [path.name for path in sorted((directory / manifest.file).parent.glob("*.onnx"))]
        near = difflib.get_close_matches(Path(manifest.file).name, files, n=1)
        hint = f" Did you mean {str(Path(manifest.file).with_name(near[0]))!r}?" if near else ""
        raise SettingError(f"{place}: there is no file {manifest.file!r} in {directory}.{hint}")
    try:
        return runtime_of(manifest, directory)
    except (ModelDefinitionError, SettingError) as error:
        raise type(error)(f"{place}: {error.message}") from error
