"""msgspec's validation errors → one sentence that names the field and the way out."""

import re
from collections.abc import Callable
from typing import Any, cast

from zypher_jobs.errors import InvalidInput
from zypher_jobs.models.schema import resolve

_TYPES = {
    "str": "a string",
    "int": "an integer",
    "float": "a number",
    "bool": "true or false",
    "object": "an object",
    "array": "a list",
    "null": "null",
    "bytes": "a base64 string",
}
_COUNTED = {"str": "characters", "array": "items", "object": "members", "bytes": "bytes"}
_BOUNDS = {">=": "at least", "<=": "at most", ">": "more than", "<": "less than"}

_PLACE = re.compile(r" - at (?P<key>`key` in )?`(?P<path>\$.*)`$", re.DOTALL)
_SEGMENT = re.compile(r"\.(?P<name>[^.\[]+)|\[(?P<index>\d+|\.\.\.)\]")


def invalid_input(message: str, schema: dict[str, Any]) -> InvalidInput:
    """The error for a message of msgspec's about a value that should have fitted ``schema``."""
    path = "$"
    if place := _PLACE.search(message):
        path, message = place["path"], message[: place.start()]
        if place["key"]:
            return InvalidInput(f"A key of {_name(path)} cannot be used: {message}.", field=path)
    for pattern, sentence in _RULES:
        if match := re.fullmatch(pattern, message, re.DOTALL):
            return sentence(match, path, schema_at(schema, path))
    return InvalidInput(f"{_name(path)} cannot be used: {message.rstrip('.')}.", field=path)


def schema_at(root: dict[str, Any], path: str) -> dict[str, Any]:
    """The part of a schema that a path such as ``$.rows[0]`` leads to; empty when it cannot be told."""
    here = resolve(root, root)
    for segment in _SEGMENT.finditer(path):
        if segment["name"]:
            step = here.get("properties", {}).get(segment["name"])
        elif segment["index"] != "..." and int(segment["index"]) < len(here.get("prefixItems", [])):
            step = here["prefixItems"][int(segment["index"])]
        else:
            step = here.get("items") or here.get("additionalProperties")
        if not isinstance(step, dict):
            return {}
        here = resolve(cast("dict[str, Any]", step), root)
    return here


def _name(path: str) -> str:
    return "The input" if path == "$" else f"Field '{path.removeprefix('$.').removeprefix('$')}'"


def _unknown(match: re.Match[str], path: str, schema: dict[str, Any]) -> InvalidInput:
    known = ", ".join(schema.get("properties", {})) or "none"
    field = f"{path}.{match[1]}"
    return InvalidInput(f"{_name(field)} is not known here; known: {known}.", field=field)


def _missing(match: re.Match[str], path: str, _schema: dict[str, Any]) -> InvalidInput:
    field = f"{path}.{match[1]}"
    return InvalidInput(f"{_name(field)} is missing.", field=field)


def _wrong_type(match: re.Match[str], path: str, _schema: dict[str, Any]) -> InvalidInput:
    expected = " or ".join(_TYPES.get(part, part) for part in match[1].split(" | "))
    return InvalidInput(f"{_name(path)} must be {expected}, got {match[2]}.", field=path)


def _wrong_length(match: re.Match[str], path: str, schema: dict[str, Any]) -> InvalidInput:
    unit = _COUNTED.get(match[1], "items")
    low, high = ("minLength", "maxLength") if unit == "characters" else ("minItems", "maxItems")
    bounds = (schema.get(low), schema.get(high))
    if bounds[0] is not None and bounds[0] == bounds[1]:
        wanted = f"exactly {bounds[0]}"
    else:
        wanted = f"{_BOUNDS.get(match[2], 'exactly')} {match[3]}"
        if (match[2], match[3]) == (">=", "1"):
            return InvalidInput(f"{_name(path)} must not be empty.", field=path)
    return InvalidInput(f"{_name(path)} must have {wanted} {unit}.", field=path)


def _no_match(match: re.Match[str], path: str, schema: dict[str, Any]) -> InvalidInput:
    if match[1] in (r"'\\S'", r"\S"):
        return InvalidInput(f"{_name(path)} must not be blank.", field=path)
    meaning = f": {schema['description'].rstrip('.')}" if "description" in schema else ""
    return InvalidInput(f"{_name(path)} must match the pattern {schema.get('pattern', match[1])}{meaning}.", field=path)


def _out_of_bounds(match: re.Match[str], path: str, _schema: dict[str, Any]) -> InvalidInput:
    return InvalidInput(f"{_name(path)} must be {_BOUNDS[match[1]]} {match[2]}.", field=path)


def _no_choice(match: re.Match[str], path: str, schema: dict[str, Any]) -> InvalidInput:
    choices = schema.get("enum") or ([schema["const"]] if "const" in schema else [])
    way_out = f"; known: {', '.join(map(str, choices))}" if choices else ""
    return InvalidInput(f"{_name(path)} cannot be {match[1]}{way_out}.", field=path)


_RULES: list[tuple[str, Callable[[re.Match[str], str, dict[str, Any]], InvalidInput]]] = [
    (r"Object contains unknown field `(.*)`", _unknown),
    (r"Object missing required field `(.*)`", _missing),
    (r"Expected `([^`]*)`, got `([^`]*)`", _wrong_type),
    (r"Expected `([^`]*)` of (?:at least )?length (>=|<=|>|<|) ?(\d+).*", _wrong_length),
    (r"Expected `str` matching regex (.*)", _no_match),
    (r"Expected `(?:int|float)` (>=|<=|>|<) (\S+)", _out_of_bounds),
    (r"Invalid (?:enum )?value (.*)", _no_choice),
]
