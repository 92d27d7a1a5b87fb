# /// script
# requires-python = ">=3.11"
# dependencies = ["scikit-learn==1.9.*", "skl2onnx==1.20.*"]
# ///
# pyright: basic, reportMissingImports=false
# (what it needs, above, is not what the project needs)
"""Trains the iris classifier and exports it: four measurements of a flower, which of three irises it is.

The data are Fisher's 150 irises (``sklearn.datasets.load_iris``). Run ``uv run examples/iris/train.py``, three seconds;
the same data and seed give the same model. It writes ``iris.onnx``, what scikit-learn itself says of the flowers that
training never saw (the test compares), and the file's SHA-256.
"""

import hashlib
import json
from pathlib import Path

import numpy as np
from onnx import GraphProto, TensorProto
from onnx.helper import make_node, make_tensor_value_info
from skl2onnx import to_onnx
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

SEED = 7
HERE = Path(__file__).parent
SAMPLES = HERE.parents[1] / "tests" / "examples" / "held_out_irises.json"
MEASUREMENTS = ["sepal_length", "sepal_width", "petal_length", "petal_width"]
"""In cm, in the order of the data set."""


def name_measurements(graph: GraphProto) -> None:
    """Give the graph an input for each measurement, in place of one for all four: callers see names."""
    (all_four,) = graph.input
    columns = [make_tensor_value_info(name, TensorProto.FLOAT, ["flowers", 1]) for name in MEASUREMENTS]
    graph.node.insert(0, make_node("Concat", MEASUREMENTS, [all_four.name], axis=1))
    del graph.input[:]
    graph.input.extend(columns)


def main() -> None:
    """Train, judge, export."""
    irises = load_iris()
    flowers, held_out, kinds, truth = train_test_split(
        irises.data.astype(np.float32), irises.target, test_size=0.2, random_state=SEED, stratify=irises.target
    )
    classifier = make_pipeline(StandardScaler(), LogisticRegression(max_iter=500)).fit(flowers, kinds)
    print(f"accuracy on {len(held_out)} flowers that training never saw: {classifier.score(held_out, truth):.4f}")

    # zipmap: False gives the probabilities as one tensor, which is faster than a mapping per row
    model = to_onnx(classifier, X=held_out[:1], options={"zipmap": False}, target_opset=17)
    name_measurements(model.graph)
    content = model.SerializeToString()
    (HERE / "iris.onnx").write_bytes(content)
    print(f"iris.onnx: {len(content)} bytes, SHA-256 {hashlib.sha256(content).hexdigest()}")

    samples = [
        {
            **{name: round(float(each), 2) for name, each in zip(MEASUREMENTS, flower, strict=True)},
            "kind": kind,
            "probabilities": row,
        }
        for flower, kind, row in zip(
            held_out, irises.target_names[truth], classifier.predict_proba(held_out).tolist(), strict=True
        )
    ]
    SAMPLES.write_text("[\n" + ",\n".join(json.dumps(each) for each in samples) + "\n]\n", encoding="utf-8")


if __name__ == "__main__":
    main()
