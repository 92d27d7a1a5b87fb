"""Hooks for ONNX graphs: one that works, and some that do not."""

from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from zypher_jobs.models import OnnxHook


class Sides(msgspec.Struct, forbid_unknown_fields=True):
    left: float
    right: float


class Total(msgspec.Struct):
    total: float
    unit: str
    together: int


class Adds(OnnxHook[Sides, Total]):
    """Over ``tests.models.graphs.PAIRS``; the unit stands in a file beside the graph."""

    input_example = Sides(left=1, right=2)
    unit = ""

    def load(self, directory: Path) -> None:
        self.unit = (directory / "unit.txt").read_text(encoding="utf-8")

    def before(self, inputs: list[Sides]) -> dict[str, np.ndarray[Any, Any]]:
        if any(each.left == 13 for each in inputs):
            raise ValueError("13 is never added")
        return {"x": np.array([[each.left, each.right] for each in inputs])}

    def after(self, outputs: dict[str, np.ndarray[Any, Any]], inputs: list[Sides]) -> list[Total]:
        return [Total(total=float(each), unit=self.unit, together=len(inputs)) for each in outputs["sum"]]


class WrongName(Adds):
    def load(self, directory: Path) -> None: ...

    def before(self, inputs: list[Sides]) -> dict[str, np.ndarray[Any, Any]]:
        return {"y": np.zeros((len(inputs), 2))}


class WrongKind(WrongName):
    def before(self, inputs: list[Sides]) -> dict[str, np.ndarray[Any, Any]]:
        return {"x": np.full((len(inputs), 2), "a")}


class WrongSize(WrongName):
    def before(self, inputs: list[Sides]) -> dict[str, np.ndarray[Any, Any]]:
        return {"x": np.zeros((len(inputs), 3))}


class TooFew(WrongName):
    def before(self, inputs: list[Sides]) -> dict[str, np.ndarray[Any, Any]]:
        return {"x": np.zeros((len(inputs), 2))}

    def after(self, outputs: dict[str, np.ndarray[Any, Any]], inputs: list[Sides]) -> list[Total]:
        return []


class NoAfter(OnnxHook[Sides, Total]):
    def before(self, inputs: list[Sides]) -> dict[str, np.ndarray[Any, Any]]:
        return {}


class NoTypes(OnnxHook):  # pyright: ignore[reportMissingTypeArgument]
    def before(self, inputs: list[Any]) -> dict[str, Any]:
        return {}

    def after(self, outputs: dict[str, Any], inputs: list[Any]) -> list[Any]:
        return []


class NoHook:
    pass
