"""The input type of a graph: one field per tensor, as nested lists of the sizes that the graph fixes."""

from collections.abc import Sequence
from typing import Any, cast

import msgspec
import numpy as np

from zypher_jobs.contracts.model import Datatype, ModelManifest, TensorSpec
from zypher_jobs.models.runtimes.onnx.graph import Graph, Port, refusal
from zypher_jobs.models.runtimes.tensor_types import Sized, are_few, example_of, input_struct

DTYPES: dict[Datatype, Any] = {
    "BOOL": np.bool_,
    "UINT8": np.uint8,
    "UINT16": np.uint16,
    "UINT32": np.uint32,
    "UINT64": np.uint64,
    "INT8": np.int8,
    "INT16": np.int16,
    "INT32": np.int32,
    "INT64": np.int64,
    "FP16": np.float16,
    "FP32": np.float32,
    "FP64": np.float64,
    "BYTES": np.object_,
}


def input_type(manifest: ModelManifest, graph: Graph) -> type[msgspec.Struct]:
    """A Struct with one field for each input, in order; raises ``ModelDefinitionError`` where one is no tensor."""
    for port in graph.inputs:
        if port.datatype is None:
            raise refusal(
                manifest,
                f"its graph's input {port} is of a kind that cannot be made from JSON; tensors of bool, "
                "integers, float16, float, double and string can",
            )
    tensors = [sized(port) for port in graph.items]
    return input_struct(manifest.name, tensors, doc=f"One input of {manifest.name}, as its graph takes it.")


def sized(port: Port) -> Sized:
    """A tensor of one prediction."""
    return Sized(port.name, cast("Datatype", port.datatype), port.dims)


def spec_of(port: Port) -> TensorSpec:
    """The same in the words of the Open Inference Protocol."""
    return sized(port).spec


def examples_of(ports: Sequence[Port]) -> dict[str, Any] | None:
    """The least values that fit, zeros; ``None`` where they would be more than anybody reads."""
    if not are_few(port.dims for port in ports):
        return None
    return {port.name: {} if port.is_maps else example_of(sized(port)) for port in ports}
