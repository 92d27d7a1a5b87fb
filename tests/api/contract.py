"""What of the OpenAPI document callers rely on, and whether a change of it would break them.

``python -m tests.api.contract`` (``just contract``) writes it down anew, once a change is meant.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import msgspec

from zypher_api.app import create_app
from zypher_api.openapi import document, operations
from zypher_jobs.settings import Settings

Json = dict[str, Any]

FILE = Path(__file__).with_suffix(".json")
_PROSE = {"description", "summary", "example", "examples", "title", "tags", "info", "default"}
_UPPER = ("maximum", "maxLength", "maxItems", "exclusiveMaximum")
_LOWER = ("minimum", "minLength", "minItems", "exclusiveMinimum")


def current() -> Json:
    """The contract of the API with the models that come with it."""
    settings = Settings(redis_url="redis://127.0.0.1")  # nothing connects to it
    said = document(operations(create_app(settings)), version="")
    return cast("Json", _without_prose(msgspec.to_builtins(said)))


def _without_prose(value: Any, *, names: bool = False) -> Any:
    """``names``: the keys of this object are names that somebody chose, ``title`` perhaps."""
    if isinstance(value, list):
        return [_without_prose(each) for each in cast("list[Any]", value)]
    if not isinstance(value, dict):
        return value
    return {
        key: _without_prose(each, names=key in {"properties", "schemas", "paths", "headers"} and not names)
        for key, each in cast("Json", value).items()
        if names or key not in _PROSE
    }


def breaks(before: Json, after: Json) -> list[str]:
    """What callers of ``before`` would stumble over, a sentence each."""
    return list(Comparison(before, after).breaks())


class Comparison:
    """Of two documents."""

    def __init__(self, before: Json, after: Json) -> None:
        self._before = before
        self._after = after
        self._compared: set[tuple[str, str, bool]] = set()

    def breaks(self) -> Iterator[str]:
        """Operation by operation."""
        for path, methods in self._before["paths"].items():
            for method, operation in methods.items():
                where = f"{method.upper()} {path}"
                now = self._after["paths"].get(path, {}).get(method)
                if now is None:
                    yield f"{where}: is gone."
                    continue
                yield from self._parameters(where, operation, now)
                yield from self._body(where, operation.get("requestBody"), now.get("requestBody"))
                yield from self._answers(where, operation["responses"], now["responses"])

    def _parameters(self, where: str, before: Json, after: Json) -> Iterator[str]:
        was, now = ({(each["in"], each["name"]): each for each in one.get("parameters", ())} for one in (before, after))
        for key, parameter in was.items():
            if key not in now:
                yield f"{where}: parameter {key[1]!r} is gone."
            else:
                schemas = parameter.get("schema", {}), now[key].get("schema", {})
                yield from self._schema(f"{where}: parameter {key[1]!r}", *schemas, sent=True)
        for key, parameter in now.items():
            if parameter.get("required") and not was.get(key, {}).get("required"):
                yield f"{where}: parameter {key[1]!r} is required now."

    def _body(self, where: str, before: Json | None, after: Json | None) -> Iterator[str]:
        if after is not None and after.get("required") and not (before or {}).get("required"):
            yield f"{where}: a body is required now."
        if before is not None:
            yield from self._contents(f"{where}: body", before, after or {}, sent=True)

    def _answers(self, where: str, before: Json, after: Json) -> Iterator[str]:
        for status, answer in before.items():
            if status in after:
                yield from self._contents(f"{where}: {status}", answer, after[status], sent=False)
                for header in answer.get("headers", {}).keys() - after[status].get("headers", {}).keys():
                    yield f"{where}: {status}: header {header!r} is gone."
            elif status < "400":
                yield f"{where}: {status} is gone."

    def _contents(self, where: str, before: Json, after: Json, *, sent: bool) -> Iterator[str]:
        for media, content in before.get("content", {}).items():
            now = after.get("content", {}).get(media)
            if now is None:
                yield f"{where}: {media} is gone."
            else:
                yield from self._schema(where, content.get("schema", {}), now.get("schema", {}), sent=sent)

    def _schema(self, where: str, before: Json, after: Json, *, sent: bool) -> Iterator[str]:
        """``sent``: by callers, who may send what they did; else to them, who must know what they get."""
        once = str(before), str(after), sent
        if once in self._compared:
            return
        self._compared.add(once)
        before, after = _resolved(self._before, before), _resolved(self._after, after)
        narrow, wide = (before, after) if sent else (after, before)
        for key in ("type", "enum"):
            if key in wide and not _values(narrow, key) <= _values(wide, key):
                yield f"{where}: {key} was {before.get(key, 'any')}, is {after.get(key, 'any')}."
        if sent:
            yield from _narrowed(where, before, after)
        yield from self._members(where, before, after, sent=sent)
        if "items" in before and "items" in after:
            yield from self._schema(f"{where}[]", before["items"], after["items"], sent=sent)
        for key in ("anyOf", "oneOf"):
            was, now = before.get(key, []), after.get(key, [])
            if was and now and len(was) == len(now):
                for one, other in zip(was, now, strict=True):
                    yield from self._schema(where, one, other, sent=sent)
            elif (sent and len(now) < len(was)) or (not sent and was and len(now) > len(was)):
                yield f"{where}: had {len(was)} forms, has {len(now)}."

    def _members(self, where: str, before: Json, after: Json, *, sent: bool) -> Iterator[str]:
        was, now = before.get("properties", {}), after.get("properties", {})
        for name, member in was.items():
            if name in now:
                yield from self._schema(f"{where}.{name}", member, now[name], sent=sent)
            else:
                yield f"{where}.{name}: is gone."
        needed, needs = set(before.get("required", ())), set(after.get("required", ()))
        if sent:
            yield from (f"{where}.{name}: is required now." for name in sorted(needs - needed))
        else:
            yield from (f"{where}.{name}: may be missing now." for name in sorted((needed - needs) & set(now)))


def _resolved(of: Json, schema: Json) -> Json:
    while "$ref" in schema:
        schema = of["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return schema


def _values(schema: Json, key: str) -> set[str]:
    value = schema.get(key, ["anything"])
    return set(map(str, cast("list[Any]", value if isinstance(value, list) else [value])))


def _narrowed(where: str, before: Json, after: Json) -> Iterator[str]:
    for key in (*_UPPER, *_LOWER):
        if key in after:
            sign = 1 if key in _UPPER else -1
            if key not in before or sign * after[key] < sign * before[key]:
                yield f"{where}: {key} was {before.get(key, 'none')}, is {after[key]}."
    if "pattern" in after and after["pattern"] != before.get("pattern"):
        yield f"{where}: pattern was {before.get('pattern', 'none')}, is {after['pattern']}."


if __name__ == "__main__":
    FILE.write_bytes(msgspec.json.format(msgspec.json.encode(current(), order="deterministic"), indent=1) + b"\n")
