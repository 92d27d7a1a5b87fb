"""``TextForm``: which models take a text and give one, as ``generate`` of the Open Inference Protocol wants it."""

from typing import Any, NamedTuple

import msgspec
import msgspec.inspect as types

from zypher_jobs.models.definition import ModelDefinition


class TextForm(NamedTuple):
    """Where the text is in a model's input and output; ``None``: it is all of it."""

    input_member: str | None
    parameters: frozenset[str]
    """Other members of the input."""
    output_member: str | None

    def input(self, text: str, parameters: dict[str, Any]) -> Any:
        """Plain values for the model's input."""
        return text if self.input_member is None else {**parameters, self.input_member: text}

    def text(self, output: Any) -> str:
        """Of an output, or of a piece of a streamed one."""
        plain = msgspec.to_builtins(output)
        return plain if self.output_member is None else plain[self.output_member]


def text_form(definition: ModelDefinition) -> TextForm | None:
    """``None``: it is no text model. One has one text in its input beside what has defaults, and one in its output."""
    given = _text_member(definition.input_type)
    gives = _text_member(definition.chunk_type if definition.streams else definition.output_type)
    if given is None or gives is None:
        return None
    members = frozenset(each.encode_name for each in _members(definition.input_type))
    return TextForm(given.name, members - {given.name or ""}, gives.name)


class _Text(NamedTuple):
    name: str | None


def _text_member(of: Any) -> _Text | None:
    """The only text in a type, or the only one that must be given."""
    if isinstance(_bare(types.type_info(of)), types.StrType):
        return _Text(None)
    members = _members(of)
    texts = [member for member in members if isinstance(_bare(member.type), types.StrType)]
    needed = [member for member in members if member.required]
    found = texts if len(texts) == 1 else [member for member in texts if member.required]
    if len(found) != 1 or any(member not in found for member in needed if member in texts):
        return None
    return _Text(found[0].encode_name)


def _members(of: Any) -> tuple[types.Field, ...]:
    info = _bare(types.type_info(of))
    return info.fields if isinstance(info, types.StructType | types.DataclassType | types.TypedDictType) else ()


def _bare(of: types.Type) -> types.Type:
    while isinstance(of, types.Metadata):
        of = of.type
    return of
