"""Whether a text is JSON that fits a model's input, and where it does not."""

import importlib
import json
from collections.abc import Mapping
from typing import Any, cast

import msgspec

from zypher_tui.core.cleaning import clean
from zypher_tui.core.values import Draft

SAID_CHARS = 200
MOST_CHOICES = 8
_KINDS: Mapping[type[Any], str] = {
    dict: "an object", list: "a list", str: "a text", bool: "true or false", int: "a number", float: "a number",
}  # fmt: skip
_NAMES = {
    "object": "an object", "array": "a list", "string": "a text", "boolean": "true or false",
    "integer": "a whole number", "number": "a number", "null": "null",
}  # fmt: skip


class Misfit(msgspec.Struct, frozen=True, kw_only=True):
    """What is wrong; its strings are clean."""

    path: str
    """Of the field, as the server names it (``$.text[0]``); of a text that is no JSON, ``line 3``."""
    says: str

    @property
    def sentence(self) -> str:
        """Both."""
        return f"{self.path}: {self.says}"


def misfit(text: str, schema: Mapping[str, Any], draft: Draft | None = None) -> Misfit | None:
    """Why the text is no input of that JSON Schema; ``None``: it is one. An empty schema takes any JSON.

    ``draft`` knows what is meant by the names in it.
    """
    try:
        value = json.loads(text, parse_constant=_refuse)
    except json.JSONDecodeError as error:
        return Misfit(
            path=f"line {error.lineno}, column {error.colno}", says=clean(error.msg[:1].lower() + error.msg[1:])
        )
    except (ValueError, RecursionError) as error:
        return Misfit(path="line 1", says=clean(str(error))[:SAID_CHARS])
    return _schema_misfit(draft.value_of(value) if draft else value, schema) if schema else None


def _schema_misfit(value: Any, schema: Mapping[str, Any]) -> Misfit | None:
    jsonschema: Any = importlib.import_module("jsonschema")  # 100 ms, when an input is edited
    try:
        found = jsonschema.exceptions.best_match(jsonschema.Draft202012Validator(schema).iter_errors(value))
    except Exception:  # noqa: BLE001  # a schema that it does not understand: the server decides
        return None
    if found is None:
        return None
    path = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in found.absolute_path)
    return Misfit(path=clean(f"${path}")[:SAID_CHARS], says=clean(_says(found))[:SAID_CHARS])


def _says(error: Any) -> str:
    """In the words of the rest, without the value itself: it may be long."""
    wanted: Any = error.validator_value
    match error.validator:
        case "type":
            kinds = cast("list[str]", wanted if isinstance(wanted, list) else [wanted])
            named = " or ".join(_NAMES.get(kind, kind) for kind in kinds)
            return f"must be {named}, not {_kind_of(error.instance)}"
        case "required":
            missing = [name for name in wanted if name not in error.instance]
            return f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing"
        case "additionalProperties":
            known = error.schema.get("properties", {})
            unknown = [name for name in error.instance if name not in known]
            return (
                f"{', '.join(unknown[:MOST_CHOICES])} is not known; there are {', '.join(list(known)[:MOST_CHOICES])}"
            )
        case "enum":
            return f"must be one of {', '.join(json.dumps(each) for each in wanted[:MOST_CHOICES])}"
        case "const":
            return f"must be {json.dumps(wanted)}"
        case _:
            text = str(error.message)
            return text if len(text) <= SAID_CHARS else f"does not fit {error.validator} {json.dumps(wanted)[:60]}"


def _kind_of(value: Any) -> str:
    return "null" if value is None else next(kind for of, kind in _KINDS.items() if isinstance(value, of))


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")
