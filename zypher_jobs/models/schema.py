"""Types → JSON Schema, and from a schema an example that fits it."""

from typing import Any, cast

import msgspec

DEEPEST = 6
"""Levels after which a derived example takes the shortest way out of a recursive type."""


class NoExampleError(Exception):
    """No example that fits could be derived (a pattern, a check of the type's own)."""


def json_schema(of: Any) -> dict[str, Any]:
    """A self-contained JSON Schema 2020-12 of a type; other Structs stand under ``$defs``."""
    schema = msgspec.json.schema(of)
    definitions = cast("dict[str, Any]", schema.get("$defs", {}))
    if set(schema) == {"$ref", "$defs"}:
        name = schema["$ref"].removeprefix("#/$defs/")
        if f'"{schema["$ref"]}"'.encode() not in msgspec.json.encode(definitions):  # else it is recursive
            rest = {key: value for key, value in definitions.items() if key != name}
            return {**definitions[name], "$defs": rest} if rest else definitions[name]
    return schema


def resolve(schema: dict[str, Any], root: dict[str, Any]) -> dict[str, Any]:
    """Follow ``$ref``."""
    while "$ref" in schema:
        schema = root["$defs"][schema["$ref"].removeprefix("#/$defs/")]
    return schema


def derive_example(of: Any, schema: dict[str, Any]) -> Any:
    """Plain values that fit ``of``; raises ``NoExampleError``."""
    problem = ""
    for word in _WORDS:
        example = _Deriver(schema, word).value(schema)
        try:
            msgspec.convert(example, of)
        except msgspec.ValidationError as error:
            problem = problem or str(error)
        else:
            return example
    raise NoExampleError(problem)


_WORDS = ("hello", "2024-05-17T12:30:00Z", "12:30:00Z")
"""Tried in turn as every free string: in msgspec's schema a datetime or time without a zone looks like any text."""

_FORMATS = {
    "date-time": "2024-05-17T12:30:00Z",
    "date": "2024-05-17",
    "time": "12:30:00Z",
    "duration": "PT30S",
    "uuid": "f81d4fae-7dec-41d0-8765-00a0c91e6bf6",
    "decimal": "1.5",
}


class _Deriver:
    def __init__(self, root: dict[str, Any], word: str) -> None:
        self._root = root
        self._word = word

    def value(self, schema: dict[str, Any], depth: int = 0) -> Any:
        """Of any schema."""
        schema = resolve(schema, self._root)
        if choices := schema.get("examples") or schema.get("enum"):
            return choices[0]
        if "const" in schema:
            return schema["const"]
        if depth > 4 * DEEPEST:
            raise NoExampleError("the type never ends")
        match "anyOf" if "anyOf" in schema else schema.get("type"):
            case "anyOf":
                return self._any_of(schema, depth)
            case "object":
                return self._object(schema, depth)
            case "array":
                return self._array(schema, depth)
            case kind:
                return self._plain(schema, kind)

    def _any_of(self, schema: dict[str, Any], depth: int) -> Any:
        """The first that is not null; deep down null, for a recursive type has to end."""
        options = cast("list[dict[str, Any]]", schema["anyOf"])
        options = sorted(options, key=lambda option: (option.get("type") == "null") == (depth < DEEPEST))
        return self.value(options[0], depth + 1)

    def _object(self, schema: dict[str, Any], depth: int) -> dict[str, Any]:
        required = schema.get("required", [])
        example: dict[str, Any] = {}
        for name, part in schema.get("properties", {}).items():
            if "default" in part and name not in required:
                example[name] = part["default"]
            elif name in required or depth < DEEPEST:
                example[name] = self.value(part, depth + 1)
        return example

    def _array(self, schema: dict[str, Any], depth: int) -> list[Any]:
        if "prefixItems" in schema:
            return [self.value(part, depth + 1) for part in schema["prefixItems"]]
        fewest = schema.get("minItems", 1 if depth < DEEPEST and schema.get("maxItems", 1) else 0)
        part = cast("dict[str, Any]", schema.get("items") or {})
        return [self.value(part, depth + 1) for _ in range(fewest)]

    def _plain(self, schema: dict[str, Any], kind: str | None) -> Any:
        match kind:
            case "string":
                return self._string(schema)
            case "integer":
                return int(_number(schema, step=1))
            case "number":
                return _number(schema, step=0.5)
            case _:
                return True if kind == "boolean" else None

    def _string(self, schema: dict[str, Any]) -> str:
        if schema.get("format") in _FORMATS:
            return _FORMATS[schema["format"]]
        if schema.get("contentEncoding") == "base64":
            return "SGVsbG8="
        longest = schema.get("maxLength", 1_000_000)
        return self._word.ljust(schema.get("minLength", 0), "o")[:longest]


def _number(schema: dict[str, Any], *, step: float) -> float:
    """The lowest number allowed, else the highest, else 1."""
    if "minimum" in schema:
        return schema["minimum"]
    if "exclusiveMinimum" in schema:
        return schema["exclusiveMinimum"] + step
    if "maximum" in schema:
        return schema["maximum"]
    if "exclusiveMaximum" in schema:
        return schema["exclusiveMaximum"] - step
    return schema.get("multipleOf", 1)
