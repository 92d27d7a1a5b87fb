"""docs/models/onnx.md, followed to the letter."""

import asyncio
import json
import re
import shutil
import sys
import tomllib
from pathlib import Path
from typing import Any

import msgspec
import pytest

from zypher_jobs.contracts.model import ModelManifest
from zypher_jobs.models import ModelRegistry, ServedModel
from zypher_jobs.models.runtimes.from_manifest import runtime_of

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "models" / "onnx.md").read_text(encoding="utf-8")
IRISES: list[dict[str, Any]] = json.loads((ROOT / "tests" / "examples" / "held_out_irises.json").read_text("utf-8"))


def block(language: str, number: int = 0) -> str:
    """A block of code of the page."""
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)[number]


async def loaded(table: str, directory: Path) -> ServedModel:
    """The model of a table of the page, loaded."""
    ((name, fields),) = tomllib.loads(table)["model"].items()
    runtime = runtime_of(msgspec.convert({"name": name, **fields}, ModelManifest), directory)
    served = ModelRegistry().add_runtime(runtime)
    await served.load()
    assert served.error is None
    return served


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder where Zypher is started: the file, and the hook."""
    shutil.copy(ROOT / "examples" / "iris" / "iris.onnx", tmp_path)
    (tmp_path / "irises.py").write_text(block("python"), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.delitem(sys.modules, "irises", raising=False)
    return tmp_path


async def test_the_table_serves_the_file(folder: Path) -> None:
    """And the classifier answers as it says."""
    served = await loaded(block("toml"), folder)
    flower = {"sepal_length": 5.1, "sepal_width": 3.4, "petal_length": 1.5, "petal_width": 0.2}
    output = msgspec.to_builtins(await served.run(served.convert(flower), timeout_s=20))
    said = json.loads(block("json"))
    assert output == {"label": said["label"], "probabilities": pytest.approx(said["probabilities"], abs=0.0001)}
    await served.unload()


async def test_the_hook_serves_it_with_types_of_its_own(folder: Path) -> None:
    """Right on every flower that training never saw, in batches."""
    served = await loaded(block("toml", 1), folder)
    flowers = [
        {"sepal": [each["sepal_length"], each["sepal_width"]], "petal": [each["petal_length"], each["petal_width"]]}
        for each in IRISES
    ]
    outputs = await asyncio.gather(*(served.run(served.convert(each), timeout_s=20) for each in flowers))
    assert [msgspec.to_builtins(each) for each in outputs] == [
        {"kind": each["kind"], "sure": max(each["probabilities"]) > 0.8} for each in IRISES
    ]
    await served.unload()


def test_every_field_of_its_table_is_one_of_the_manifest() -> None:
    """A renamed field is renamed on the page."""
    rows = re.findall(r"^\| (`[a-z_0-9`, ]+`) \|", PAGE, re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"`([a-z_0-9]+)`", row)}
    assert len(named) > 10
    assert named <= set(ModelManifest.__struct_fields__)
