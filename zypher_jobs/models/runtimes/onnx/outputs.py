"""The output type of a graph, and its outputs as one value for each prediction of a batch.

A classifier (a score for each class, and perhaps the winner) answers with names; any other graph with its tensors.
"""

import math
from collections.abc import Sequence
from typing import Annotated, Any, Literal, NamedTuple, Protocol, cast

import msgspec
import numpy as np
from msgspec import Meta

from zypher_jobs.contracts.model import ModelManifest, TensorSpec
from zypher_jobs.errors import ModelError
from zypher_jobs.models.runtimes.onnx.graph import Batch, Graph, Port, refusal
from zypher_jobs.models.runtimes.onnx.inputs import examples_of, sized, spec_of
from zypher_jobs.models.runtimes.tensor_types import camel, output_type, tensors_struct

_PROBABILITIES = "probabilities"
_SCORES = "scores"
_UNKNOWN = ("unknown",)
"""Sizes of a tensor whose rank the graph does not know."""


class Answers(Protocol):
    """Makes the outputs of predictions."""

    type: Any
    example: Any
    """Plain values that fit ``type``; ``None``: they would be too many."""
    tensors: tuple[TensorSpec, ...]
    """Of the fields of ``type``."""

    def split(self, outputs: Sequence[Any], count: int) -> list[Any]:
        """One output for each of so many predictions; raises ``ModelError`` for what JSON cannot hold."""
        ...


def answers_of(manifest: ModelManifest, graph: Graph) -> Answers:
    """How the graph answers; raises ``ModelDefinitionError`` where it cannot, or ``labels`` do not fit it."""
    found = _Classes.find(manifest, graph)
    if found is not None:
        return _Classifier(manifest, graph, found)
    if manifest.labels is not None:
        shown = "; ".join(map(str, graph.outputs))
        raise refusal(
            manifest,
            f"`labels` are for a classifier: one float output with a score for each of the {len(manifest.labels)} "
            f"labels, and at most the winner beside it. Its outputs are {shown}. Leave them out, or write a hook",
        )
    return _Raw(manifest, graph)


class _Classes(NamedTuple):
    """Which outputs of a classifier are what."""

    scores: int
    winner: int | None

    @classmethod
    def find(cls, manifest: ModelManifest, graph: Graph) -> "_Classes | None":
        """``None``: the graph is no classifier, or nothing says what its classes are called."""
        scores = [number for number, port in enumerate(graph.outputs) if _has_scores(graph.item(port), manifest.labels)]
        winners = [number for number, port in enumerate(graph.outputs) if _is_winner(graph.item(port))]
        if len(scores) != 1 or len(scores) + len(winners) != len(graph.outputs) or len(winners) > 1:
            return None
        return cls(scores[0], winners[0] if winners else None)


def _has_scores(item: Port, labels: Sequence[str] | None) -> bool:
    if item.is_maps:
        return True
    is_row = item.datatype in {"FP16", "FP32", "FP64"} and len(item.dims) == 1
    return labels is not None and is_row and (isinstance(item.dims[0], str) or item.dims[0] == len(labels))


def _is_winner(item: Port) -> bool:
    return item.datatype in {"INT64", "INT32", "BYTES"} and item.dims in {(), (1,)}


class _Classifier:
    """``{"label": "setosa", "probabilities": {"setosa": 0.98, …}}``; ``scores`` where they are no probabilities."""

    def __init__(self, manifest: ModelManifest, graph: Graph, classes: _Classes) -> None:
        self._name = manifest.name
        self._labels = manifest.labels
        self._classes = classes
        self._graph = graph
        port = graph.outputs[classes.scores]
        is_sure = port.is_maps or any(word in port.name.lower() for word in ("prob", "softmax"))
        self.scores = _PROBABILITIES if is_sure else _SCORES
        label: Any = Literal[tuple(self._labels)] if self._labels else str
        described = Annotated[dict[str, float], Meta(description="Of each label.")]
        self.type = msgspec.defstruct(
            f"{camel(manifest.name)}Output",
            [("label", label), (self.scores, described)],
            frozen=True,
            namespace={"__doc__": f"What {manifest.name} takes its input for."},
        )
        names = self._labels or ["a", "b"]
        self.example = {"label": names[0], self.scores: dict(zip(names, [1.0] + [0.0] * len(names), strict=False))}
        self.tensors = (
            TensorSpec(name="label", datatype="BYTES", shape=(1,)),
            TensorSpec(name=self.scores, datatype="FP32", shape=(len(self._labels) if self._labels else -1,)),
        )

    def split(self, outputs: Sequence[Any], count: int) -> list[Any]:
        """See ``Answers``."""
        scores = self._scores(outputs, count)
        if self._classes.winner is None:
            labels = [max(row, key=row.__getitem__) for row in scores]
        else:
            winners = self._rows(self._classes.winner, outputs, count)
            labels = [self._label(each) for each in winners.reshape(count).tolist()]
        for label, row in zip(labels, scores, strict=True):
            if label not in row:
                raise ModelError(f"Model {self._name!r} answered with class {label!r}, which is none of its labels.")
            if not all(map(math.isfinite, row.values())):
                raise not_finite(self._name, self.scores)
        return [self.type(label, row) for label, row in zip(labels, scores, strict=True)]

    def _scores(self, outputs: Sequence[Any], count: int) -> list[dict[str, float]]:
        output = outputs[self._classes.scores]
        if isinstance(output, list):
            maps = cast("list[dict[Any, float]]", output)
            return [{self._label(key): score for key, score in each.items()} for each in maps]
        rows = self._rows(self._classes.scores, outputs, count).tolist()
        labels = cast("list[str]", self._labels)
        if len(rows[0]) != len(labels):
            raise ModelError(f"Model {self._name!r} answered with {len(rows[0])} scores for {len(labels)} labels.")
        return [dict(zip(labels, row, strict=True)) for row in rows]

    def _rows(self, number: int, outputs: Sequence[Any], count: int) -> Any:
        return rows_of(outputs[number], self._graph.outputs[number].name, self._graph, count, model=self._name)

    def _label(self, given: Any) -> str:
        """Of a class as the graph says it: its number among the labels, or what it is called."""
        if self._labels and isinstance(given, int) and 0 <= given < len(self._labels):
            return self._labels[given]
        return str(given)


class _Raw:
    """Each tensor under the graph's own name."""

    def __init__(self, manifest: ModelManifest, graph: Graph) -> None:
        for port in graph.outputs:
            if port.datatype is None and not port.is_maps:
                raise refusal(manifest, f"its graph's output {port} is of a kind that JSON cannot hold; write a hook")
        self._name = manifest.name
        self._graph = graph
        self._items = [self._item(port) for port in graph.outputs]
        self.type = tensors_struct(
            f"{camel(manifest.name)}Output",
            [(item.name, _output_type(item)) for item in self._items],
            doc=f"One output of {manifest.name}, as its graph gives it.",
        )
        self.example = examples_of(self._items)
        self.tensors = tuple(
            TensorSpec(name=item.name, datatype="FP32", shape=(-1,)) if item.is_maps else spec_of(item)
            for item in self._items
        )

    def split(self, outputs: Sequence[Any], count: int) -> list[Any]:
        """See ``Answers``."""
        columns = [self._column(item, output, count) for item, output in zip(self._items, outputs, strict=True)]
        return [self.type(*row) for row in zip(*columns, strict=True)]

    def _item(self, port: Port) -> Port:
        return self._graph.item(port) if port.dims else port._replace(dims=_UNKNOWN)

    def _column(self, item: Port, output: Any, count: int) -> list[Any]:
        """The values of one output, one for each prediction."""
        if isinstance(output, list):
            maps = cast("list[dict[Any, float]]", output)
            if not all(math.isfinite(score) for row in maps for score in row.values()):
                raise not_finite(self._name, item.name)
            return [{str(key): score for key, score in row.items()} for row in maps]
        array = rows_of(output, item.name, self._graph, count, model=self._name)
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise not_finite(self._name, item.name)
        return (array.reshape(count) if item.dims == (1,) else array).tolist()


def rows_of(output: Any, name: str, graph: Graph, count: int, *, model: str) -> Any:
    """An output tensor with one row for each prediction; raises ``ModelError`` where it has not."""
    array = output if graph.batch is not Batch.NONE else output[np.newaxis]
    if not array.ndim or len(array) != count:
        raise ModelError(
            f"Model {model!r} has no row for each prediction in its output {name!r}: of {count} "
            f"predictions it has the shape {list(array.shape)}; a hook can tell what it is."
        )
    return array


def not_finite(model: str, output: str) -> ModelError:
    """The error for an output that JSON has no word for."""
    return ModelError(f"Model {model!r} answered with NaN or infinity in {output!r}, which JSON cannot hold.")


def _output_type(item: Port) -> Any:
    if item.is_maps:
        return dict[str, float]
    return Any if item.dims == _UNKNOWN else output_type(sized(item))
