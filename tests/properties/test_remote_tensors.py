"""Whatever tensors a model on another server has: a batch goes there and back, and each prediction has its own."""

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from zypher_jobs.contracts.inference import WireSpec
from zypher_jobs.contracts.model import ModelManifest
from zypher_jobs.models.elements import Tensor
from zypher_jobs.models.inference import read_request, read_response, write_request, write_response
from zypher_jobs.models.runtimes.remote.columns import Columns, Group
from zypher_jobs.models.runtimes.remote.definitions import known
from zypher_jobs.models.runtimes.remote.server import Described

MANIFEST = ModelManifest(name="echo", runtime="remote", url="http://127.0.0.1:1")
ELEMENTS: dict[str, Any] = {
    "BOOL": st.booleans(),
    "INT8": st.integers(-(2**7), 2**7 - 1),
    "UINT64": st.integers(0, 2**63 - 1),
    "FP32": st.floats(width=32, allow_nan=False, allow_infinity=False),
    "FP64": st.floats(allow_nan=False, allow_infinity=False),
    "BYTES": st.text(max_size=5),
}
SHAPES = st.lists(st.sampled_from([-1, 1, 2, 3]), max_size=3)


def values(draw: st.DrawFn, datatype: str, shape: list[int]) -> Any:
    """One that a caller may send; what may be of any size is of one size on each level."""
    if shape in ([], [1]):
        return draw(ELEMENTS[datatype])
    sizes = [draw(st.integers(1, 3)) if size < 0 else size for size in shape]

    def level(depth: int) -> Any:
        return draw(ELEMENTS[datatype]) if depth == len(sizes) else [level(depth + 1) for _ in range(sizes[depth])]

    return level(0)


@st.composite
def batches(draw: st.DrawFn) -> tuple[Columns, Any, list[Any]]:
    """A model that gives back what it takes, its input type, and inputs that came together."""
    is_batched = draw(st.booleans())
    kinds = draw(st.lists(st.tuples(st.sampled_from(list(ELEMENTS)), SHAPES), min_size=1, max_size=3))
    specs = [
        WireSpec(name=f"t-{number}", datatype=datatype, shape=[-1, *shape] if is_batched else shape)
        for number, (datatype, shape) in enumerate(kinds)
    ]
    definition = known(
        MANIFEST,
        Described(specs, specs, takes_binary=draw(st.booleans()), max_batch_size=None if is_batched else 0),
    )
    inputs = [
        {spec.name: values(draw, datatype, shape) for spec, (datatype, shape) in zip(specs, kinds, strict=True)}
        for _ in range(draw(st.integers(1, 5)))
    ]
    return Columns(definition, is_binary=draw(st.booleans())), definition.input_type, inputs


def echo(group: Group, *, is_binary: bool) -> list[Tensor]:
    """There and back, as bytes."""
    names = [tensor.name for tensor in group.tensors] if is_binary else []
    _, asked = read_request(write_request(group.tensors, binary=names, parameters={}))
    return read_response(write_response(asked, binary=names, model_name="echo", model_version="1", request_id=""))


@given(batches())
def test_what_goes_there_comes_back_in_its_place(batch: tuple[Columns, Any, list[Any]]) -> None:
    """In JSON and as bytes, stacked or one by one, whatever the sizes."""
    columns, input_type, inputs = batch
    groups = columns.groups([msgspec.convert(each, input_type) for each in inputs])
    outputs: dict[int, Any] = {}
    for group in groups:
        answered = columns.outputs(echo(group, is_binary=columns.is_binary), len(group.members))
        outputs |= dict(zip(group.members, map(msgspec.to_builtins, answered), strict=True))
    assert [outputs[number] for number in range(len(inputs))] == inputs
