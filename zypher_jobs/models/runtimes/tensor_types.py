"""Types, examples and checks for models that are made of tensors: one field per tensor, nested lists of fixed sizes."""

import keyword
import math
import re
import sys
from collections.abc import Iterable, Sequence
from typing import Annotated, Any, NamedTuple, cast

import msgspec
from msgspec import Meta

from zypher_jobs.contracts.model import Datatype, TensorSpec
from zypher_jobs.errors import InvalidInput
from zypher_jobs.models.elements import RANGES

MOST_EXAMPLE_ELEMENTS = 1_000
_LARGEST_FLOATS = {"FP16": 65504.0, "FP32": 3.4028234663852886e38, "FP64": sys.float_info.max}
_INT64_MAX = 2**63 - 1
"""The highest that msgspec compares with, below the highest UINT64."""


class Sized(NamedTuple):
    """A tensor of one prediction."""

    name: str
    datatype: Datatype
    dims: tuple[int | str, ...]
    """A size, a name for sizes that are equal, or "" for any."""

    @property
    def spec(self) -> TensorSpec:
        """In the words of the Open Inference Protocol."""
        sizes = tuple(dim if isinstance(dim, int) else -1 for dim in self.dims)
        return TensorSpec(name=self.name, datatype=self.datatype, shape=sizes)


def input_struct(model: str, tensors: Sequence[Sized], *, doc: str) -> type[msgspec.Struct]:
    """What a caller sends: a Struct with one field for each tensor, in order, whose sizes are checked."""
    check = _SizeCheck(tensors)

    def __post_init__(self: msgspec.Struct) -> None:  # noqa: N807 it becomes the Struct's method
        check(self)

    return tensors_struct(
        f"{camel(model)}Input",
        [(tensor.name, _input_type(tensor)) for tensor in tensors],
        doc=doc,
        forbid_unknown_fields=True,
        namespace={"__post_init__": __post_init__} if check.is_needed else {},
    )


def tensors_struct(
    name: str, fields: Sequence[tuple[str, Any]], *, doc: str, namespace: dict[str, Any] | None = None, **options: Any
) -> type[msgspec.Struct]:
    """A frozen Struct whose fields have the tensors' names in JSON, and the nearest that Python allows in Python."""
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


def output_type(tensor: Sized) -> Any:
    """Of the value of one output."""
    kinds: dict[str, Any] = {"BOOL": bool, "BYTES": str}
    of: Any = kinds.get(tensor.datatype, float if tensor.datatype.startswith("FP") else int)
    if tensor.spec.is_plain:
        return of
    for dim in reversed(tensor.dims):
        of = Annotated[list[of], Meta(min_length=dim, max_length=dim)] if isinstance(dim, int) else list[of]
    return of


def examples_of(tensors: Sequence[Sized]) -> dict[str, Any] | None:
    """The least values that fit, zeros; ``None`` where they would be more than anybody reads."""
    return {tensor.name: example_of(tensor) for tensor in tensors} if are_few(each.dims for each in tensors) else None


def are_few(every_dims: Iterable[tuple[int | str, ...]]) -> bool:
    """Whether tensors of those sizes make an example that somebody reads."""
    elements = sum(math.prod(dim if isinstance(dim, int) else 1 for dim in dims) for dims in every_dims)
    return elements <= MOST_EXAMPLE_ELEMENTS


def example_of(tensor: Sized) -> Any:
    """The least value that fits."""
    value: Any = {"BOOL": False, "BYTES": "hello"}.get(tensor.datatype, 0.0 if tensor.datatype.startswith("FP") else 0)
    if tensor.spec.is_plain:
        return value
    for dim in reversed(tensor.dims):
        value = [value] * (dim if isinstance(dim, int) else 1)
    return value


def camel(name: str) -> str:
    """``word-count`` → ``WordCount``."""
    joined = "".join(part[:1].upper() + part[1:] for part in re.split(r"[^A-Za-z0-9]+", name))
    return joined if joined[:1].isalpha() else f"Model{joined}"


def _input_type(tensor: Sized) -> Any:
    of = _element_type(tensor.datatype)
    if tensor.spec.is_plain:
        return of
    for dim in reversed(tensor.dims):
        sizes = Meta(min_length=dim, max_length=dim) if isinstance(dim, int) else Meta(min_length=1)
        of = Annotated[list[of], sizes]
    shown = ", ".join(str(dim or "any") for dim in tensor.dims)
    return Annotated[of, Meta(description=f"{tensor.datatype} tensor of shape [{shown}].")]


def _element_type(datatype: Datatype) -> Any:
    """Numbers within the tensor's range; neither NaN nor infinity is."""
    if datatype == "BOOL":
        return bool
    if datatype == "BYTES":
        return str
    if datatype in _LARGEST_FLOATS:
        most = _LARGEST_FLOATS[datatype]
        return Annotated[float, Meta(ge=-most, le=most)]
    low, high = RANGES[datatype]
    return Annotated[int, Meta(ge=low, le=min(high, _INT64_MAX))]


class _SizeCheck:
    """Whether sizes that are left open are the same where they must be: in one tensor, and by their names."""

    def __init__(self, tensors: Sequence[Sized]) -> None:
        self._tensors = tensors
        names = [dim for tensor in tensors for dim in tensor.dims if isinstance(dim, str) and dim]
        may_be_ragged = any(isinstance(dim, str) for tensor in tensors for dim in tensor.dims[1:])
        self.is_needed = may_be_ragged or len(names) > len(set(names))

    def __call__(self, input: msgspec.Struct) -> None:
        """Raises ``InvalidInput``, which msgspec hands on as it is."""
        named = dict[str, tuple[int, str]]()
        for tensor, field in zip(self._tensors, input.__struct_fields__, strict=True):
            for dim, size in zip(tensor.dims, _sizes(getattr(input, field), tensor), strict=False):
                if not dim or isinstance(dim, int):
                    continue
                other_size, other = named.setdefault(dim, (size, tensor.name))
                if size != other_size:
                    raise InvalidInput(
                        f"Field {tensor.name!r} must have as many items as {other!r} has ({dim}: {other_size}), "
                        f"it has {size}.",
                        field=f"$.{tensor.name}",
                    )


def _sizes(value: Any, tensor: Sized) -> tuple[int, ...]:
    """Of each dimension; raises ``InvalidInput`` when the lists of one level differ in length."""
    if not isinstance(value, list):
        return getattr(value, "shape", ())  # an array has one
    sizes, level = list[int](), [cast("list[Any]", value)]
    for depth, _ in enumerate(tensor.dims):
        sizes.append(len(level[0]))
        for number, each in enumerate(level):
            if len(each) != sizes[depth]:
                place = f"{tensor.name}{_index(number, sizes[:depth])}"
                raise InvalidInput(
                    f"Field {place!r} must have {sizes[depth]} items, as the lists beside it have, it has {len(each)}.",
                    field=f"$.{place}",
                )
        if depth + 1 < len(tensor.dims):
            level = [inner for each in level for inner in each]
    return tuple(sizes)


def _index(number: int, sizes: Sequence[int]) -> str:
    """``[1][2]`` of the list with that number on its level."""
    indices = list[str]()
    for size in reversed(sizes):
        number, index = divmod(number, size)
        indices.append(f"[{index}]")
    return "".join(reversed(indices))
