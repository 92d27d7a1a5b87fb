"""ONNX files: types made from the graph, batches that answer as single predictions do, and what is refused."""

import asyncio
import hashlib
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import onnx
import onnx.parser
import pytest

from tests.models.graphs import BATCHES, HEADER, PAIRS, serve, serve_file, write_graph
from zypher_api.openapi import document
from zypher_api.routes.predict_docs import named
from zypher_jobs.contracts.model import TensorSpec
from zypher_jobs.errors import InvalidInput, MalformedInput, ModelDefinitionError, ModelError, PredictionTimeout
from zypher_jobs.models import ServedModel

Ask = Callable[..., Awaitable[Any]]


async def ask(served: ServedModel, **tensors: Any) -> Any:
    """One prediction, as plain values."""
    if not served.ready:
        await served.load()
    assert served.error is None, served.error
    output = await served.run(served.decode(msgspec.json.encode(tensors)), timeout_s=20)
    return msgspec.json.decode(served.encode(output))


async def test_a_caller_sends_one_item_and_gets_its_output(tmp_path: Path) -> None:
    """Fields have the graph's names; the dimension of the batch is not the caller's."""
    served = serve(tmp_path, PAIRS)
    assert served.info.input_schema["properties"]["x"] == {
        "type": "array",
        "description": "FP32 tensor of shape [2].",
        "items": {"type": "number", "minimum": -3.4028234663852886e38, "maximum": 3.4028234663852886e38},
        "minItems": 2,
        "maxItems": 2,
    }
    assert await ask(served, x=[1, 2.5]) == {"sum": 3.5}
    await served.unload()


async def test_predictions_that_come_together_run_the_graph_once(tmp_path: Path) -> None:
    """The graph sees a batch of three, and each caller its own row."""
    served = serve(tmp_path, BATCHES)
    await served.load()
    outputs = await asyncio.gather(*(ask(served, x=[number, 1]) for number in range(3)))
    assert outputs == [{"batch": 3, "sum": number + 1.0} for number in range(3)]
    await served.unload()


async def test_inputs_of_different_sizes_run_in_groups_of_one_size(tmp_path: Path) -> None:
    """Nothing is padded: what cannot be stacked runs beside it, and answers in order."""
    served = serve(tmp_path, BATCHES)
    await served.load()
    outputs = await asyncio.gather(*(ask(served, x=[1.0] * length) for length in (1, 4, 1, 4, 4)))
    assert [(each["batch"], each["sum"]) for each in outputs] == [(2, 1), (3, 4), (2, 1), (3, 4), (3, 4)]
    await served.unload()


async def test_arrays_may_stand_in_for_lists(tmp_path: Path) -> None:
    """Tensors that came as bytes need not become lists."""
    served = serve(tmp_path, PAIRS)
    await served.load()
    arrays = [np.array([number, 1], dtype=np.float32) for number in range(3)]
    outputs = await asyncio.gather(*(served.run(served.input_type(each), timeout_s=20) for each in arrays))
    assert [each.sum for each in outputs] == [1, 2, 3]
    await served.unload()


@pytest.mark.parametrize(
    ("graph", "tensors", "output"),
    [
        ("g (float[1, 3] x) => (float[1, 3] y) { y = Neg(x) }", {"x": [1, 2, 3]}, {"y": [-1, -2, -3]}),
        ("g (float[1] x) => (float[1] y) { y = Neg(x) }", {"x": 1}, {"y": -1}),
        ("g (float[2] x) => (float[2] y) { y = Neg(x) }", {"x": [1, 2]}, {"y": [-1, -2]}),
        ("g (float[A, 1] x, float[B] z) => (float[A, B] y) { y = Add(x, z) }", {"x": [[1], [2]], "z": [3]}, None),
        ("g (float[N, N] x) => (float[N, N] y) { y = Neg(x) }", {"x": [[1, 2], [3, 4]]}, {"y": [[-1, -2], [-3, -4]]}),
        ("g (float x) => (float[1] y) { s = Constant<value_ints = [1]>() y = Reshape(x, s) }", {"x": 4}, {"y": 4}),
    ],
)
async def test_a_graph_without_a_batch_dimension_runs_one_at_a_time(
    tmp_path: Path, graph: str, tensors: dict[str, Any], output: dict[str, Any] | None
) -> None:
    """A first dimension that was exported as 1 is the batch's; any other is the caller's."""
    served = serve(tmp_path, graph)
    assert (served.definition.takes_many, served.definition.max_batch_size) == (False, 1)
    outputs = await asyncio.gather(*(ask(served, **tensors) for _ in range(3)))
    assert outputs == [output or {"y": [[4], [5]]}] * 3
    await served.unload()


async def test_every_kind_of_tensor_has_its_type(tmp_path: Path) -> None:
    """A column (``[N, 1]``) is a plain value; text, truth and numbers of each width come back as they went."""
    kinds = {
        "bool": True,
        "string": "tea",
        "uint8": 255,
        "int8": -128,
        "uint64": 2**63 - 1,
        "float16": 0.5,
        "double": 1e300,
    }
    ports = [f"{kind}[N, 1] {kind}_in" for kind in kinds]
    given = [f"{kind}[N, 1] {kind}_out" for kind in kinds]
    body = " ".join(f"{kind}_out = Identity({kind}_in)" for kind in kinds)
    served = serve(tmp_path, f"g ({', '.join(ports)}) => ({', '.join(given)}) {{ {body} }}")
    assert served.definition.tensors is not None
    assert served.definition.tensors.inputs[:3] == (
        TensorSpec(name="bool_in", datatype="BOOL", shape=(1,)),
        TensorSpec(name="string_in", datatype="BYTES", shape=(1,)),
        TensorSpec(name="uint8_in", datatype="UINT8", shape=(1,)),
    )
    assert all(each.is_plain for each in served.definition.tensors.inputs)
    output = await ask(served, **{f"{kind}_in": value for kind, value in kinds.items()})
    assert output == {f"{kind}_out": value for kind, value in kinds.items()}
    msgspec.convert(served.info.input_example, served.input_type)
    msgspec.convert(served.info.output_example, served.output_type)
    await served.unload()


async def test_names_that_python_does_not_allow_are_the_callers_all_the_same(tmp_path: Path) -> None:
    """Exporters call tensors ``input.1`` and ``class``."""
    graph = onnx.parser.parse_model(
        f"{HEADER}\ng (float[N, 2] a, float[N, 2] class) => (float[N, 2] out) {{ out = Add(a, class) }}"
    )
    graph.graph.input[0].name = graph.graph.node[0].input[0] = "input.1"
    graph.graph.output[0].name = graph.graph.node[0].output[0] = "out:0"
    (tmp_path / "model.onnx").write_bytes(graph.SerializeToString())
    served = serve_file(tmp_path)
    assert await ask(served, **{"input.1": [1, 2], "class": [3, 4]}) == {"out:0": [4, 6]}
    await served.unload()


def test_an_image_has_no_example_that_nobody_could_read(tmp_path: Path) -> None:
    """12,288 zeros would make the list of models, and each refusal, longer than all the rest."""
    served = serve(tmp_path, "image (float[N, 3, 64, 64] x) => (float[N, 3, 64, 64] y) { y = Neg(x) }")
    assert (served.info.input_example, served.info.output_example) == (None, None)
    with pytest.raises(MalformedInput, match=r"The body is empty; send JSON that fits the model's schema\."):
        served.decode(b"")
    body = document([named(served)], version="1")["paths"]["/models/test/predict"]["post"]["requestBody"]
    assert list(body["content"]["application/json"]) == ["schema"]


SEQUENCES = "g (int64[N, L] ids, int64[N, L] mask, float[N, H, W] image) => (int64[N, L] y) { y = Mul(ids, mask) }"


BAD_INPUTS: list[tuple[dict[str, Any], str, str | None]] = [
    (
        {"image": [[1, 2], [3]]},
        "$.image[1]",
        "Field 'image[1]' must have 2 items, as the lists beside it have, it has 1.",
    ),
    ({"image": [[1], [2, 3]]}, "$.image[1]", None),
    ({"image": []}, "$.image", "Field 'image' must not be empty."),
    ({"image": [[]]}, "$.image[0]", "Field 'image[0]' must not be empty."),
    ({"image": [1]}, "$.image[0]", "Field 'image[0]' must be a list, got int."),
    ({"image": [[[1]]]}, "$.image[0][0]", "Field 'image[0][0]' must be a number, got array."),
    ({"mask": [1]}, "$.mask", "Field 'mask' must have as many items as 'ids' has (L: 2), it has 1."),
    ({"ids": [0.5, 1]}, "$.ids[0]", "Field 'ids[0]' must be an integer, got float."),
    ({"ids": ["1", 1]}, "$.ids[0]", "Field 'ids[0]' must be an integer, got str."),
    ({"ids": [2**63, 1]}, "$.ids[0]", "Field 'ids[0]' must be at most 9223372036854775807."),
    ({"image": [[1e39]]}, "$.image[0][0]", "Field 'image[0][0]' must be at most 3.4028234663852886e+38."),
    ({"image": [[None]]}, "$.image[0][0]", "Field 'image[0][0]' must be a number, got null."),
    ({"other": 1}, "$.other", "Field 'other' is not known here; known: ids, mask, image."),
]


@pytest.mark.parametrize(("change", "field", "sentence"), BAD_INPUTS)
async def test_an_input_that_does_not_fit_the_graph_says_where(
    tmp_path: Path, change: dict[str, Any], field: str, sentence: str | None
) -> None:
    """Sizes, ragged lists, sizes that must agree, kinds of numbers and their range; before anything runs."""
    served = serve(tmp_path, SEQUENCES)
    body = {"ids": [1, 2], "mask": [1, 1], "image": [[1]]} | change
    for refuse in (lambda: served.decode(msgspec.json.encode(body)), lambda: served.convert(body)):
        with pytest.raises(InvalidInput) as refused:
            refuse()
        assert refused.value.field == field
        assert sentence is None or refused.value.message == sentence


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_a_number_that_is_none_does_not_get_in(tmp_path: Path, number: float) -> None:
    """JSON has no word for it, and what comes as MessagePack is refused."""
    served = serve(tmp_path, PAIRS)
    with pytest.raises(InvalidInput, match=r"Field 'x\[1\]'"):
        served.convert({"x": [1, number]})


async def test_an_output_that_json_has_no_word_for_fails_alone(tmp_path: Path) -> None:
    """Its neighbors in the batch have their answers."""
    served = serve(tmp_path, "g (float[N, 2] x) => (float[N, 2] y) { y = Log(x) }")
    await served.load()
    outputs = await asyncio.gather(*(ask(served, x=[1, x]) for x in (1, 0, 1, -1)), return_exceptions=True)
    assert [each for each in outputs if isinstance(each, dict)] == [{"y": [0, 0]}] * 2
    for failure in (outputs[1], outputs[3]):
        assert isinstance(failure, ModelError)
        assert failure.message == "Model 'test' answered with NaN or infinity in 'y', which JSON cannot hold."
    await served.unload()


SCORES = "g (float[N, 3] x) => (float[N, 3] {}) {{ {} = Identity(x) }}"


@pytest.mark.parametrize(("name", "field"), [("logits", "scores"), ("probabilities", "probabilities")])
async def test_labels_name_the_classes(tmp_path: Path, name: str, field: str) -> None:
    """The winner and every score by name; probabilities only where the graph says that they are."""
    served = serve(tmp_path, SCORES.format(name, name), labels=["ant", "bee", "cat"])
    assert served.info.output_schema["properties"]["label"] == {"enum": ["ant", "bee", "cat"]}
    assert await ask(served, x=[0, 1, 0.5]) == {"label": "bee", field: {"ant": 0, "bee": 1, "cat": 0.5}}
    await served.unload()


@pytest.mark.parametrize("labels", [None, ["a", "b"]])
async def test_outputs_without_a_row_for_each_prediction_are_no_answers(
    tmp_path: Path, labels: list[str] | None
) -> None:
    """A graph that keeps one row of a batch answers single predictions; those of a batch run again, each by itself."""
    graph = "g (float[N, 2] x) => (float[M, 2] y) <bool[1] first = {1}> { y = Compress<axis = 0>(x, first) }"
    served = serve(tmp_path, graph, labels=labels)
    await served.load()
    outputs = await asyncio.gather(*(ask(served, x=[number, 9]) for number in range(4)))
    scores = [{"a": each, "b": 9} for each in range(4)]
    assert outputs == (
        [{"label": "b", "scores": row} for row in scores] if labels else [{"y": [row["a"], 9]} for row in scores]
    )
    await served.unload()


CLASSES = """g (float[N, 2] x) => (int64[N] label, {0} probabilities) {{
    label = ArgMax<axis = 1, keepdims = 0>(x) {1}
}}"""


@pytest.mark.parametrize(
    ("kind", "node", "manifest", "output"),
    [
        (
            "float[N, 2]",
            "Identity(x)",
            {"labels": ["no", "yes"]},
            {"label": "yes", "probabilities": {"no": 0, "yes": 1}},
        ),
        ("float[N, 2]", "Identity(x)", {}, {"label": 1, "probabilities": [0, 1]}),
        ("seq(map(int64, float))", "ZipMap", {}, {"label": "1", "probabilities": {"0": 0, "1": 1}}),
        (
            "seq(map(int64, float))",
            "ZipMap",
            {"labels": ["no", "yes"]},
            {"label": "yes", "probabilities": {"no": 0, "yes": 1}},
        ),
    ],
)
async def test_what_scikit_learn_exports_answers_as_a_classifier(
    tmp_path: Path, kind: str, node: str, manifest: dict[str, Any], output: dict[str, Any]
) -> None:
    """A winner with its row of probabilities, or with a mapping (ZipMap)."""
    if node == "ZipMap":
        node = "ai.onnx.ml.ZipMap<classlabels_int64s = [0, 1]>(x)"
    served = serve(tmp_path, CLASSES.format(kind, f"probabilities = {node}"), **manifest)
    assert await asyncio.gather(*(ask(served, x=[0, 1]) for _ in range(2))) == [output] * 2
    await served.unload()


@pytest.mark.parametrize(
    ("graph", "manifest", "reason"),
    [
        (
            PAIRS,
            {"labels": ["a", "b"]},
            "`labels` are for a classifier: one float output with a score for each of the 2",
        ),
        (SCORES.format("y", "y"), {"labels": ["a", "b"]}, "tensor(float)[N, 3]. Leave them out, or write a hook."),
        (
            PAIRS,
            {"input_example": {"x": [1]}},
            "`input_example` does not fit its graph: Expected `array` of length >= 2",
        ),
        (PAIRS, {"output_example": {}}, "`output_example` does not fit its graph: Object missing required field `sum`"),
        ("g (float[2] x) => (float[2] y) { y = Neg(x) }", {"max_batch_size": 8}, "`max_batch_size` cannot be kept"),
        ("g (seq(float[N]) x) => (int64 y) { y = SequenceLength(x) }", {}, "of a kind that cannot be made from JSON"),
        ("g (float[N] x) => (seq(float[N]) y) { y = SequenceConstruct(x) }", {}, "of a kind that JSON cannot hold"),
    ],
)
def test_a_manifest_that_its_graph_cannot_keep_is_refused(
    tmp_path: Path, graph: str, manifest: dict[str, Any], reason: str
) -> None:
    """Before it is served, with what to do."""
    with pytest.raises(ModelDefinitionError) as refused:
        serve(tmp_path, graph, **manifest)
    assert reason in refused.value.message


def test_a_file_that_cannot_be_served_says_why(tmp_path: Path) -> None:
    """None, not there, no ONNX, cut off, or not the one that was meant: then it is not even opened."""
    with pytest.raises(ModelDefinitionError, match=r"Model 'test': it needs `file`"):
        serve_file(tmp_path, file=None)
    with pytest.raises(ModelDefinitionError, match=r"model\.onnx cannot be read \(No such file"):
        serve_file(tmp_path)
    path = write_graph(tmp_path, PAIRS)
    whole = path.read_bytes()
    for content in (b"", b"no model at all", whole[: len(whole) // 2]):
        path.write_bytes(content)
        with pytest.raises(ModelDefinitionError, match=r"its file model\.onnx is no ONNX model that can be run"):
            serve_file(tmp_path)
        with pytest.raises(ModelDefinitionError, match=r"has the SHA-256 [0-9a-f]{64}, not that of its manifest"):
            serve_file(tmp_path, sha256=hashlib.sha256(whole).hexdigest())


async def test_a_file_that_changed_since_does_not_load(tmp_path: Path) -> None:
    """Its digest is looked at again before the session that runs it is opened."""
    path = write_graph(tmp_path, PAIRS)
    served = serve_file(tmp_path, sha256=hashlib.sha256(path.read_bytes()).hexdigest())
    write_graph(tmp_path, BATCHES)
    await served.load()
    assert served.error is not None
    assert "not that of its manifest" in served.error


async def test_weights_in_a_file_beside_it_are_read(tmp_path: Path) -> None:
    """As PyTorch's exporter writes them."""
    graph = "g (float[N, 2] x) => (float[N, 2] y) <float[2] w = {10, 20}> { y = Mul(x, w) }"
    model = onnx.parser.parse_model(f"{HEADER}\n{graph}")
    weights = np.array([10, 20], dtype=np.float32)
    model.graph.initializer[0].CopyFrom(onnx.numpy_helper.from_array(weights, "w"))
    untyped: Any = onnx
    untyped.save_model(
        model, str(tmp_path / "model.onnx"), save_as_external_data=True, size_threshold=0, location="w.bin"
    )
    served = serve_file(tmp_path)
    assert await ask(served, x=[1, 2]) == {"y": [10, 40]}
    await served.unload()


async def test_it_loads_again_after_it_was_unloaded(tmp_path: Path) -> None:
    """A model that left memory comes back."""
    served = serve(tmp_path, PAIRS, input_example={"x": [1, 2]})
    for _ in range(2):
        assert await ask(served, x=[1, 2]) == {"sum": 3}
        await served.unload()


FOREVER = """g (float[N, 1] x) => (float[N, 1] y) {
    most = Constant<value_int = 9000000000000000000>()
    yes = Constant<value_int = 1>()
    go = Cast<to = 9>(yes)
    y = Loop(most, go, x) <body = body (int64 i, bool on, float[N, 1] before) => (bool on_out, float[N, 1] after) {
        on_out = Identity(on)
        after = Neg(before)
    }>
}"""


async def test_a_run_that_nobody_waits_for_ends_inside_the_graph(tmp_path: Path) -> None:
    """At its deadline a graph that would never end gives its thread back to the next prediction."""
    served = serve(tmp_path, FOREVER, concurrency=1)
    await served.load()
    for _ in range(2):
        with pytest.raises(PredictionTimeout):
            await served.run(served.convert({"x": 1}), timeout_s=0.2)
    await asyncio.wait_for(served.unload(), timeout=1.5)  # it would wait longer for a thread that hangs


async def test_in_a_process_of_its_own_it_answers_the_same(tmp_path: Path) -> None:
    """Types made from the graph on both sides of the socket, and again after it was unloaded."""
    served = serve(tmp_path, SCORES.format("y", "y"), labels=["ant", "bee", "cat"], isolation="process")
    assert (served.definition.isolation, served.definition.concurrency) == ("process", 1)
    answer = {"label": "bee", "scores": {"ant": 0, "bee": 1, "cat": 0.5}}
    assert await asyncio.gather(*(ask(served, x=[0, 1, 0.5]) for _ in range(3))) == [answer] * 3
    await served.unload()
    assert await ask(served, x=[0, 1, 0.5]) == answer
    await served.unload()


def test_without_the_extra_it_says_what_to_install(tmp_path: Path) -> None:
    """And nothing but such a model asks for it."""
    write_graph(tmp_path, PAIRS)
    code = f"""
import sys
sys.modules["onnxruntime"] = None
from pathlib import Path
from zypher_jobs.contracts.model import ModelManifest
from zypher_jobs.errors import ModelDefinitionError
from zypher_jobs.models.runtimes.from_manifest import runtime_of
try:
    runtime_of(ModelManifest(name="test", file="model.onnx"), Path({str(tmp_path)!r}))
except ModelDefinitionError as error:
    print(error.message)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("ONNX files need the onnx extra: pip install 'zypher[onnx]'.\n"), done.stdout
