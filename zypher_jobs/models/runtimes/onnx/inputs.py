"""The input type of a graph: one field per tensor, as nested lists of the sizes that the graph fixes."""

import keyword
import math
import re
from collections.abc import Sequence
from typing import Annotated, Any, cast

import msgspec
import numpy as np
from msgspec import Meta

from zypher_jobs.contracts.model import Datatype, ModelManifest, TensorSpec
from zypher_jobs.errors import InvalidInput
from zypher_jobs.models.runtimes.onnx.graph import Graph, Port, refusal

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
MOST_EXAMPLE_ELEMENTS = 1_000
_INT64_MAX = 2**63 - 1
"""The highest that msgspec compares with, below the highest UINT64."""


def input_type(manifest: ModelManifest, graph: Graph) -> type[msgspec.Struct]:
    """A Struct with one field for each input, in order; raises ``ModelDefinitionError`` where one is no tensor."""
    for port in graph.inputs:
        if port.datatype is None:
            raise refusal(
                manifest,
                f"its graph's input {port} is of a kind that cannot be made from JSON; tensors of bool, "
                "integers, float16, float, double and string can",
            )
    types = [_tensor_type(port) for port in graph.items]
    check = _SizeCheck(graph.items)

    def __post_init__(self: msgspec.Struct) -> None:  # noqa: N807 it becomes the Struct's method
        check(self)

    return tensors_struct(
        f"{camel(manifest.name)}Input",
        [(port.name, of) for port, of in zip(graph.items, types, strict=True)],
        doc=f"One input of {manifest.name}, as its graph takes it.",
        forbid_unknown_fields=True,
        namespace={"__post_init__": __post_init__} if check.is_needed else {},
    )


def spec_of(port: Port) -> TensorSpec:
    """A tensor of one prediction, in the words of the Open Inference Protocol."""
    sizes = tuple(dim if isinstance(dim, int) else -1 for dim in port.dims)
    return TensorSpec(name=port.name, datatype=cast("Datatype", port.datatype), shape=sizes)


def examples_of(ports: Sequence[Port]) -> dict[str, Any] | None:
    """The least values that fit, zeros; ``None`` where they would be more than anybody reads."""
    elements = sum(math.prod(dim if isinstance(dim, int) else 1 for dim in port.dims) for port in ports)
    return None if elements > MOST_EXAMPLE_ELEMENTS else {port.name: _example(port) for port in ports}


def _example(port: Port) -> Any:
    if port.is_maps:
        return {}
    datatype = cast("Datatype", port.datatype)
    value: Any = {"BOOL": False, "BYTES": "hello"}.get(datatype, 0.0 if datatype.startswith("FP") else 0)
    if spec_of(port).is_plain:
        return value
    for dim in reversed(port.dims):
        value = [value] * (dim if isinstance(dim, int) else 1)
    return value


def tensors_struct(
    name: str, fields: Sequence[tuple[str, Any]], *, doc: str, namespace: dict[str, Any] | None = None, **options: Any
) -> type[msgspec.Struct]:
    """A frozen Struct whose fields have the graph's names in JSON, and the nearest that Python allows in Python."""
    names = dict[str, str]()
    for number, (given, _) in enumerate(fields):
        usable = given.isidentifier() and not given.startswith("_") and not keyword.iskeyword(given)
        names[given if usable else f"tensor_{number}"] = given
    return msgspec.defstruct(
        name,
        list(zip(names, (of for _, of in fields), strict=True)),
        frozen=True,
        rename=names,
        namespace={"__doc__": doc, **(namespace or {})},
        **options,
    )


def camel(name: str) -> str:
    """``word-count`` → ``WordCount``."""
    joined = "".join(part[:1].upper() + part[1:] for part in re.split(r"[^A-Za-z0-9]+", name))
    return joined if joined[:1].isalpha() else f"Model{joined}"


def _tensor_type(port: Port) -> Any:
    datatype = cast("Datatype", port.datatype)
    of = _element_type(datatype)
    if spec_of(port).is_plain:
        return of
    for dim in reversed(port.dims):
        sizes = Meta(min_length=dim, max_length=dim) if isinstance(dim, int) else Meta(min_length=1)
        of = Annotated[list[of], sizes]
    shown = ", ".join(str(dim or "any") for dim in port.dims)
    return Annotated[of, Meta(description=f"{datatype} tensor of shape [{shown}].")]


def _element_type(datatype: Datatype) -> Any:
    """Numbers within the tensor's range; neither NaN nor infinity is."""
    if datatype == "BOOL":
        return bool
    if datatype == "BYTES":
        return str
    if datatype.startswith("FP"):
        most = float(np.finfo(DTYPES[datatype]).max)
        return Annotated[float, Meta(ge=-most, le=most)]
    range_ = np.iinfo(DTYPES[datatype])
    return Annotated[int, Meta(ge=int(range_.min), le=min(int(range_.max), _INT64_MAX))]


class _SizeCheck:
    """Whether sizes that the graph leaves open are the same where they must be: in one tensor, and by their names."""

    def __init__(self, ports: Sequence[Port]) -> None:
        self._ports = ports
        names = [dim for port in ports for dim in port.dims if isinstance(dim, str) and dim]
        may_be_ragged = any(isinstance(dim, str) for port in ports for dim in port.dims[1:])
        self.is_needed = may_be_ragged or len(names) > len(set(names))

    def __call__(self, input: msgspec.Struct) -> None:
        """Raises ``InvalidInput``, which msgspec hands on as it is."""
        named = dict[str, tuple[int, str]]()
        for port, field in zip(self._ports, input.__struct_fields__, strict=True):
            for dim, size in zip(port.dims, _sizes(getattr(input, field), port), strict=False):
                if not dim or isinstance(dim, int):
                    continue
                other_size, other = named.setdefault(dim, (size, port.name))
                if size != other_size:
                    raise InvalidInput(
                        f"Field {port.name!r} must have as many items as {other!r} has ({dim}: {other_size}), "
                        f"it has {size}.",
                        field=f"$.{port.name}",
                    )


def _sizes(value: Any, port: Port) -> tuple[int, ...]:
    """Of each dimension; raises ``InvalidInput`` when the lists of one level differ in length."""
    if isinstance(value, np.ndarray):
        return cast("np.ndarray[Any, Any]", value).shape
    if not isinstance(value, list):
        return ()
    sizes, level = list[int](), [cast("list[Any]", value)]
    for depth, _ in enumerate(port.dims):
        sizes.append(len(level[0]))
        for number, each in enumerate(level):
            if len(each) != sizes[depth]:
                place = f"{port.name}{_index(number, sizes[:depth])}"
                raise InvalidInput(
                    f"Field {place!r} must have {sizes[depth]} items, as the lists beside it have, it has {len(each)}.",
                    field=f"$.{place}",
                )
        if depth + 1 < len(port.dims):
            level = [inner for each in level for inner in each]
    return tuple(sizes)


def _index(number: int, sizes: Sequence[int]) -> str:
    """``[1][2]`` of the list with that number on its level."""
    indices = list[str]()
    for size in reversed(sizes):
        number, index = divmod(number, size)
        indices.append(f"[{index}]")
    return "".join(reversed(indices))
