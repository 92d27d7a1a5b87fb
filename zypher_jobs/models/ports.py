"""``Port``: the tensors that a model's input and output types are."""

from typing import Any, NamedTuple, cast

import msgspec.inspect as types

from zypher_jobs.contracts.model import Datatype, TensorSpec


class _Shaped(NamedTuple):
    """A type that is a tensor."""

    datatype: Datatype
    shape: tuple[int, ...] = ()
    is_raw: bool = False
    """``BYTES`` that need be no text."""


class Port(NamedTuple):
    """One tensor of a form."""

    spec: TensorSpec
    member: str | None
    """Of the input or output; ``None``: it is all of it."""
    is_required: bool = True
    is_raw: bool = False
    is_json: bool = False


def ports_of(of: Any, name: str) -> list[Port]:
    """The tensors of an input or output type; ``name`` is that of the only one, where it is no Struct of tensors."""
    info = _bare(types.type_info(of))
    if isinstance(info, types.StructType | types.DataclassType | types.TypedDictType):
        plain = not isinstance(info, types.StructType) or (info.tag is None and not info.array_like)
        ports = [_field_port(field, is_input=name == "input") for field in info.fields]
        if plain and ports and None not in ports:
            return cast("list[Port]", ports)
    elif shaped := _shaped(info):
        return [_port(name, None, shaped)]
    return [Port(TensorSpec(name=name, datatype="BYTES", shape=()), None, is_json=True)]


def _field_port(field: types.Field, *, is_input: bool) -> Port | None:
    of = _bare(field.type)
    if isinstance(of, types.UnionType) and is_input and not field.required:
        rest = [each for each in of.types if not isinstance(each, types.NoneType)]
        of = rest[0] if len(rest) == 1 else of
    shaped = _shaped(of)
    return shaped and _port(field.encode_name, field.encode_name, shaped, is_required=field.required)


def _port(name: str, member: str | None, shaped: _Shaped, *, is_required: bool = True) -> Port:
    spec = TensorSpec(name=name, datatype=shaped.datatype, shape=shaped.shape)
    return Port(spec, member, is_required=is_required, is_raw=shaped.is_raw)


def _bare(of: types.Type) -> types.Type:
    while isinstance(of, types.Metadata):
        of = of.type
    return of


_TEXTS = (
    types.StrType,
    types.DateTimeType,
    types.DateType,
    types.TimeType,
    types.TimeDeltaType,
    types.UUIDType,
    types.DecimalType,
)


def _shaped(of: types.Type) -> _Shaped | None:  # noqa: PLR0911 one line per kind of type
    """``None``: it is no tensor."""
    match _bare(of):
        case types.BoolType():
            return _Shaped("BOOL")
        case types.IntType():
            return _Shaped("INT64")
        case types.FloatType():
            return _Shaped("FP64")
        case types.BytesType() | types.ByteArrayType():
            return _Shaped("BYTES", is_raw=True)
        case types.EnumType() | types.LiteralType() as choice:
            return _chosen(choice)
        case types.ListType() | types.VarTupleType() as many:
            fixed = many.min_length is not None and many.min_length == many.max_length
            return _longer(_shaped(many.item_type), cast("int", many.min_length) if fixed else -1)
        case types.TupleType(item_types=items) if items and len({_shaped(each) for each in items}) == 1:
            return _longer(_shaped(items[0]), len(items))
        case types.UnionType(types=(types.IntType(), types.FloatType()) | (types.FloatType(), types.IntType())):
            return _Shaped("FP64")
        case text if isinstance(text, _TEXTS):
            return _Shaped("BYTES")
        case _:
            return None


def _longer(item: _Shaped | None, size: int) -> _Shaped | None:
    return item and item._replace(shape=(size, *item.shape))


def _chosen(choice: types.EnumType | types.LiteralType) -> _Shaped | None:
    values = choice.values if isinstance(choice, types.LiteralType) else [each.value for each in choice.cls]
    if all(isinstance(each, str) for each in values):
        return _Shaped("BYTES")
    return _Shaped("INT64") if all(isinstance(each, int) for each in values) else None
