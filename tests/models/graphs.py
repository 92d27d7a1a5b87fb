"""Small ONNX graphs, written as text, and models that serve them."""

from pathlib import Path
from typing import Any

import msgspec
import onnx
import onnx.parser

from zypher_jobs.contracts.model import ModelManifest
from zypher_jobs.models import ModelRegistry, ServedModel
from zypher_jobs.models.runtimes.from_manifest import runtime_of

HEADER = '<ir_version: 10, opset_import: ["" : 21, "ai.onnx.ml" : 3]>'

PAIRS = """pairs (float[N, 2] x) => (float[N] sum) {
    axis = Constant<value_ints = [1]>()
    sum = ReduceSum<keepdims = 0>(x, axis)
}"""
"""Adds two numbers."""

BATCHES = """batches (float[N, L] x) => (int64[N] batch, float[N] sum) {
    axis = Constant<value_ints = [1]>()
    sum = ReduceSum<keepdims = 0>(x, axis)
    size = Shape<start = 0, end = 1>(x)
    batch = Expand(size, size)
}"""
"""Says beside the sum how many predictions ran together."""


def write_graph(directory: Path, graph: str) -> Path:
    """The graph as ``model.onnx`` there."""
    model = onnx.parser.parse_model(f"{HEADER}\n{graph}")
    path = directory / "model.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def serve(directory: Path, graph: str, **manifest: Any) -> ServedModel:
    """A served model of the graph, not loaded yet."""
    write_graph(directory, graph)
    return serve_file(directory, **manifest)


def serve_file(directory: Path, **manifest: Any) -> ServedModel:
    """A served model of a file that stands there already."""
    given = msgspec.convert({"name": "test", "file": "model.onnx", **manifest}, ModelManifest)
    return ModelRegistry().add_runtime(runtime_of(given, directory))
