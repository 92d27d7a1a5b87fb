# pyright: basic, reportMissingImports=false
"""Makes the larger model of ``just bench models``: a sentence encoder with the dimensions of MiniLM-L6, in float32.

6 layers, 384 wide, 12 heads, 1536 in between, 30,522 tokens: 22.7 million weights, 90 MB. The output is the mean over
the tokens, of length 1. The weights are random, of a fixed seed: what it costs does not depend on them, and nothing has
to be downloaded. ``python -m bench.peers.encoder FILE``
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

LAYERS, WIDE, HEADS, BETWEEN, TOKENS, LONGEST = 6, 384, 12, 1536, 30_522, 512
OPSET = 20


class _Graph:
    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.weights: list[Any] = []
        self._random = np.random.default_rng(6)

    def constant(self, value: Any) -> str:
        name = f"w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def random(self, *shape: int) -> str:
        return self.constant(self._random.normal(0, 0.05, shape).astype(np.float32))

    def node(self, op: str, *inputs: str, **attributes: Any) -> str:
        name = f"{op}{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, inputs, [name], name, **attributes))
        return name

    def linear(self, x: str, wide: int, out: int) -> str:
        return self.node("Add", self.node("MatMul", x, self.random(wide, out)), self.random(out))

    def norm(self, x: str) -> str:
        ones, zeros = np.ones(WIDE, np.float32), np.zeros(WIDE, np.float32)
        return self.node("LayerNormalization", x, self.constant(ones), self.constant(zeros), axis=-1)

    def attention(self, x: str) -> str:
        split = self.constant(np.array([0, 0, HEADS, WIDE // HEADS], np.int64))

        def heads(perm: list[int]) -> str:
            return self.node("Transpose", self.node("Reshape", self.linear(x, WIDE, WIDE), split), perm=perm)

        query, key, value = heads([0, 2, 1, 3]), heads([0, 2, 3, 1]), heads([0, 2, 1, 3])
        scale = self.constant(np.float32((WIDE / HEADS) ** -0.5))
        shares = self.node("Softmax", self.node("Mul", self.node("MatMul", query, key), scale), axis=-1)
        seen = self.node("Transpose", self.node("MatMul", shares, value), perm=[0, 2, 1, 3])
        joined = self.node("Reshape", seen, self.constant(np.array([0, 0, WIDE], np.int64)))
        return self.linear(joined, WIDE, WIDE)

    def layer(self, x: str) -> str:
        x = self.norm(self.node("Add", x, self.attention(x)))
        between = self.node("Gelu", self.linear(x, WIDE, BETWEEN))
        return self.norm(self.node("Add", x, self.linear(between, BETWEEN, WIDE)))


def make(path: Path) -> None:
    """Write it: ``tokens`` int64 [batch, length] → ``embedding`` float [batch, 384]."""
    graph = _Graph()
    length = graph.node("Shape", "tokens", start=1, end=2)
    places = graph.node("Slice", graph.random(LONGEST, WIDE), graph.constant(np.array([0])), length)
    x = graph.norm(graph.node("Add", graph.node("Gather", graph.random(TOKENS, WIDE), "tokens"), places))
    for _ in range(LAYERS):
        x = graph.layer(x)
    mean = graph.node("ReduceMean", x, graph.constant(np.array([1])), keepdims=0)
    graph.nodes.append(helper.make_node("LpNormalization", [mean], ["embedding"], axis=1, p=2))
    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "encoder",
            [helper.make_tensor_value_info("tokens", TensorProto.INT64, ["batch", "length"])],
            [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", WIDE])],
            graph.weights,
        ),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=10,
    )
    onnx.save(model, str(path))


if __name__ == "__main__":
    make(Path(sys.argv[1]))
