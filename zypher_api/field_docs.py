"""Attribute docstrings of Structs, for the OpenAPI document.

msgspec takes a Struct's docstring into its schema, but what stands below a field is not kept at run time: it is read
from the source, where there is one.
"""

import ast
import inspect
import textwrap
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Any, get_origin

import msgspec
from msgspec import inspect as types


def structs_in(of: Iterable[Any]) -> list[Any]:
    """Every Struct that the types are made of, each once; a generic one once for each use (``Box[int]``)."""
    found: dict[Any, None] = {}
    seen: set[int] = set()
    left: list[Any] = list(types.multi_type_info(of))
    while left:
        node = left.pop()
        if isinstance(node, tuple):
            left += node
        elif isinstance(node, types.Type | types.Field) and id(node) not in seen:
            seen.add(id(node))
            left += msgspec.structs.astuple(node)
            if isinstance(node, types.StructType):
                found[node.cls] = None
    return list(found)


def describe_fields(struct: Any, schema: dict[str, Any]) -> None:
    """Put the docstrings of a Struct's fields into its schema, where that has no descriptions yet."""
    bases = inspect.getmro(get_origin(struct) or struct)
    texts = dict(pair for base in reversed(bases) for pair in _attribute_docstrings(base))
    properties = schema.get("properties", {})
    for field in msgspec.structs.fields(struct):
        if field.name in texts and field.encode_name in properties:
            properties[field.encode_name].setdefault("description", texts[field.name])


def as_description(docstring: str) -> str:
    """Markdown without Python's indentation (four spaces would make it code), and ``null`` for ``None``."""
    return inspect.cleandoc(docstring).replace("``None``", "``null``")


def _attribute_docstrings(cls: type) -> Iterator[tuple[str, str]]:
    try:
        source = inspect.getsource(cls)
    except (OSError, TypeError):  # written at a prompt, or in C
        return
    definition = ast.parse(textwrap.dedent(source)).body[0]
    if isinstance(definition, ast.ClassDef):
        for statement, below in pairwise(definition.body):
            match statement, below:
                case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                    yield name, as_description(text)
                case _:
                    pass
