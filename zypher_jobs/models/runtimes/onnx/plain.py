"""``Plain``: input and output types made from the graph."""

from collections.abc import Sequence
from typing import Any, cast

import msgspec
import numpy as np

from zypher_jobs.contracts.model import Datatype, ModelManifest, Tensors
from zypher_jobs.models.definition import ModelDefinition
from zypher_jobs.models.runtimes.onnx.conversion import Feed, limits
from zypher_jobs.models.runtimes.onnx.graph import Batch, Graph, Port, refusal
from zypher_jobs.models.runtimes.onnx.inputs import DTYPES, examples_of, input_type, spec_of
from zypher_jobs.models.runtimes.onnx.outputs import answers_of
from zypher_jobs.models.schema import json_schema


class Plain:
    """See ``Conversion``."""

    def __init__(self, manifest: ModelManifest, graph: Graph) -> None:
        of = input_type(manifest, graph)
        self._answers = answers_of(manifest, graph)
        self._batch = graph.batch
        self._fields = [
            (name, port, DTYPES[cast("Datatype", port.datatype)])
            for name, port in zip(of.__struct_fields__, graph.items, strict=True)
        ]
        self._is_fixed = all(isinstance(dim, int) for port in graph.items for dim in port.dims)
        self.definition = ModelDefinition(
            input_type=of,
            output_type=self._answers.type,
            input_schema=json_schema(of),
            output_schema=json_schema(self._answers.type),
            input_example=_example(manifest, "input_example", examples_of(graph.items), of),
            output_example=_example(manifest, "output_example", self._answers.example, self._answers.type),
            tensors=Tensors(
                inputs=tuple(spec_of(port) for port in graph.items),
                outputs=self._answers.tensors,
                is_batched=graph.batch is not Batch.NONE,
            ),
            **limits(manifest, graph),
        )

    def load(self) -> None:
        """Nothing to do."""

    def feeds(self, inputs: Sequence[Any]) -> list[Feed]:
        """One run; where sizes vary, one for the inputs of each size."""
        if self._batch is Batch.NONE:
            (input,) = inputs
            return [
                Feed(
                    {port.name: _tensor(getattr(input, name), port, dtype) for name, port, dtype in self._fields}, (0,)
                )
            ]
        if self._is_fixed:
            return [Feed(self._stacked(inputs), range(len(inputs)))]
        groups = dict[tuple[Any, ...], list[int]]()
        for number, input in enumerate(inputs):
            sizes = tuple(np.shape(getattr(input, name)) for name, _, _ in self._fields)
            groups.setdefault(sizes, []).append(number)
        return [Feed(self._stacked([inputs[member] for member in members]), members) for members in groups.values()]

    def split(self, outputs: Sequence[Any], inputs: Sequence[Any]) -> list[Any]:
        """See ``Conversion``."""
        return self._answers.split(outputs, len(inputs))

    def _stacked(self, inputs: Sequence[Any]) -> dict[str, Any]:
        return {
            port.name: _tensor([getattr(input, name) for input in inputs], port, dtype, len(inputs))
            for name, port, dtype in self._fields
        }


def _tensor(value: Any, port: Port, dtype: Any, *batch: int) -> Any:
    array = np.array(value, dtype=dtype)
    return array.reshape(*batch, 1) if port.dims == (1,) else array


def _example(manifest: ModelManifest, attribute: str, derived: Any, of: Any) -> Any:
    """The manifest's, as plain values that fit the type, else the derived one."""
    given = getattr(manifest, attribute)
    if given is None:
        return derived
    try:
        msgspec.convert(given, of)
    except msgspec.ValidationError as error:
        raise refusal(manifest, f"`{attribute}` does not fit its graph: {error}") from None
    return given
