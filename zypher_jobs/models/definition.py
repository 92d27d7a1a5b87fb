"""``ModelDefinition``: what a model is, read once from its class and checked before anything is served."""

import inspect
import re
import typing
from collections.abc import Callable
from typing import Any, NoReturn, TypeVar, cast

import msgspec

from zypher_jobs.errors import ModelDefinitionError
from zypher_jobs.models.model import Model
from zypher_jobs.models.retries import RetryPolicy
from zypher_jobs.models.schema import NoExampleError, derive_example, json_schema

NAME_PATTERN = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
VERSION_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


_unwritten = cast("Callable[..., Any]", Model[Any, Any].predict)


class ModelDefinition(msgspec.Struct, frozen=True, kw_only=True):
    """A model without its code: name, types, schemas, examples."""

    name: str
    version: str
    description: str
    input_type: Any
    output_type: Any
    input_schema: dict[str, Any]
    output_schema: dict[str, Any]
    input_example: Any
    """Plain values (dicts, lists, strings, numbers) that fit ``input_type``."""
    output_example: Any
    takes_many: bool
    """Whether ``predict`` takes a list of inputs."""
    is_async: bool
    retries: RetryPolicy = RetryPolicy()


def define(model_class: type[Model[Any, Any]]) -> ModelDefinition:
    """Read and check a model's class; raises ``ModelDefinitionError`` with file, line, class and the way out."""
    input_type, output_type = _types(model_class)
    takes_many = _takes_many(model_class, input_type, output_type)
    name = model_class.name or _kebab(model_class.__name__)
    if not NAME_PATTERN.fullmatch(name):
        _refuse(
            model_class,
            f"the name {name!r} cannot be part of a path; "
            "set `name` to at most 64 of a-z, 0-9, '.', '_' and '-', the first a letter or digit",
        )
    if not VERSION_PATTERN.fullmatch(model_class.version):
        _refuse(model_class, f"the version {model_class.version!r} must be text such as '1' or '2024-05'")
    input_schema = _schema(model_class, input_type, "input")
    output_schema = _schema(model_class, output_type, "output")
    return ModelDefinition(
        name=name,
        version=model_class.version,
        description=model_class.description or _first_line(model_class),
        input_type=input_type,
        output_type=output_type,
        input_schema=input_schema,
        output_schema=output_schema,
        input_example=_example(model_class, "input_example", input_type, input_schema),
        output_example=_example(model_class, "output_example", output_type, output_schema),
        takes_many=takes_many,
        is_async=inspect.iscoroutinefunction(model_class.predict),
        retries=model_class.retries,
    )


def _refuse(model_class: type[Any], reason: str, *, at: Callable[..., Any] | None = None) -> NoReturn:
    raise ModelDefinitionError(f"{_place(model_class, at)}: model {model_class.__qualname__}: {reason}.")


def _place(model_class: type[Any], function: Callable[..., Any] | None) -> str:
    """``file:line`` of the function, else of the class; the module's name where there is no source."""
    subject = function or model_class
    try:
        return f"{inspect.getsourcefile(subject)}:{inspect.getsourcelines(subject)[1]}"
    except (OSError, TypeError):
        return model_class.__module__


def _types(model_class: type[Any]) -> tuple[Any, Any]:
    """``In`` and ``Out`` of the nearest base written as ``Model[In, Out]``."""
    for cls in model_class.__mro__:
        for base in cls.__dict__.get("__orig_bases__", ()):
            if typing.get_origin(base) is Model:
                types = typing.get_args(base)
                if any(isinstance(part, TypeVar | str | typing.ForwardRef) for part in types):
                    _refuse(model_class, "its types must be real ones that are defined above it: Model[Text, Count]")
                return types[0], types[1]
    _refuse(model_class, f"say its types: class {model_class.__name__}(Model[YourInput, YourOutput])")


def _takes_many(model_class: type[Model[Any, Any]], input_type: Any, output_type: Any) -> bool:
    """Which form ``predict`` has; refuses every other."""
    predict: Callable[..., Any] = model_class.predict
    one = f"def predict(self, input: {_show(input_type)}) -> {_show(output_type)}"
    many = f"def predict(self, inputs: list[{_show(input_type)}]) -> list[{_show(output_type)}]"
    way_out = f"write `{many}` or `{one}`"
    if predict is _unwritten:
        _refuse(model_class, f"it has no predict; {way_out}")
    if not inspect.isfunction(predict):
        _refuse(model_class, f"predict must be a plain method; {way_out}")
    if inspect.isasyncgenfunction(predict) or inspect.isgeneratorfunction(predict):
        _refuse(model_class, f"predict must return its outputs, not yield them; {way_out}", at=predict)
    parameters = list(inspect.signature(predict).parameters.values())
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    if len(parameters) != 2 or any(p.kind not in positional for p in parameters):
        _refuse(model_class, f"predict must take exactly one argument beside self; {way_out}", at=predict)
    try:
        hints = typing.get_type_hints(predict, include_extras=True)
    except NameError as error:
        _refuse(model_class, f"an annotation of predict cannot be resolved ({error}); {way_out}", at=predict)
    found = (hints.get(parameters[1].name), hints.get("return"))
    if found == (list[input_type], list[output_type]):
        return True
    if found == (input_type, output_type):
        return False
    _refuse(model_class, f"the annotations of predict do not fit its types; {way_out}", at=predict)


def _schema(model_class: type[Any], of: Any, role: str) -> dict[str, Any]:
    try:
        msgspec.json.Decoder(of)
        return json_schema(of)
    except TypeError as error:
        _refuse(model_class, f"its {role} type {_show(of)} cannot be read from JSON ({error}); use a msgspec.Struct")


def _example(model_class: type[Any], attribute: str, of: Any, schema: dict[str, Any]) -> Any:
    """The class's own example, or a derived one; as plain values that fit the type."""
    given = getattr(model_class, attribute)
    try:
        plain = derive_example(of, schema) if given is None else msgspec.to_builtins(given)
        msgspec.convert(plain, of)
    except NoExampleError as error:
        _refuse(model_class, f"no example can be derived from {_show(of)} ({error}); set `{attribute}` to one")
    except (msgspec.ValidationError, TypeError) as error:
        _refuse(model_class, f"`{attribute}` does not fit {_show(of)}: {error}")
    return plain


def _first_line(model_class: type[Any]) -> str:
    lines = inspect.cleandoc(model_class.__doc__ or "").splitlines()
    return lines[0] if lines else ""


def _kebab(class_name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "-", class_name).lower()


def _show(of: Any) -> str:
    return of.__name__ if isinstance(of, type) and not typing.get_args(of) else str(of)
