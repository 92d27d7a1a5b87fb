"""``ModelDefinition``: what a model is, read once from its class and checked before anything is served."""

import inspect
import re
import typing
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Generator, Iterable, Iterator
from typing import Annotated, Any, Literal, NamedTuple, NoReturn, TypeVar, cast

import msgspec
from msgspec import Meta

from zypher_jobs.contracts.model import Tensors
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
    """Plain values (dicts, lists, strings, numbers) that fit ``input_type``; ``None``: they would be too many."""
    output_example: Any
    takes_many: bool = False
    """Whether ``predict`` takes a list of inputs."""
    is_async: bool = False
    streams: bool = False
    """Whether ``predict`` yields its output in pieces."""
    chunk_type: Any = None
    """Of the pieces."""
    has_own_example: bool = False
    """Whether ``input_example`` is the author's, so that it may be run."""
    max_batch_size: int | None = None
    max_wait_ms: float | None = None
    concurrency: int | None = None
    """Calls of ``predict`` at once; ``None``: no limit."""
    isolation: Literal["thread", "process"] = "thread"
    memory_limit_mb: int | None = None
    load_timeout_s: float = 300
    cache_s: float = 0
    cache_mb: int = 64
    retries: RetryPolicy = RetryPolicy()
    tensors: Tensors | None = None
    """Input and output as tensors, where the types were made from them."""
    is_remote: bool = False
    """Whether another server runs it."""
    is_known: bool = True
    """Whether its types are: those of a remote model are not before its server has said them."""

    @property
    def reference(self) -> str:
        """``name@version``."""
        return f"{self.name}@{self.version}"


def define(model_class: type[Model[Any, Any]]) -> ModelDefinition:
    """Read and check a model's class; raises ``ModelDefinitionError`` with file, line, class and the way out."""
    _check_attributes(model_class)
    _check_methods(model_class)
    input_type, output_type = types_of(model_class)
    form = _form(model_class, input_type, output_type)
    chunk_type = output_type
    if form.streams:
        output_type = str if output_type is str else list[output_type]
    name = model_class.name or kebab(model_class.__name__)
    if not NAME_PATTERN.fullmatch(name):
        _refuse(
            model_class,
            f"the name {name!r} cannot be part of a path; "
            "set `name` to at most 64 of a-z, 0-9, '.', '_' and '-', the first a letter or digit",
        )
    if not VERSION_PATTERN.fullmatch(model_class.version):
        _refuse(
            model_class,
            f"the version {model_class.version!r} must be text such as '1' or '2024-05' (a-z, 0-9, '.', '_', '-')",
        )
    input_schema = schema_of(model_class, input_type, "input")
    output_schema = schema_of(model_class, output_type, "output")
    return ModelDefinition(
        name=name,
        version=model_class.version,
        description=model_class.description or _first_line(model_class),
        input_type=input_type,
        output_type=output_type,
        input_schema=input_schema,
        output_schema=output_schema,
        input_example=example_of(model_class, "input_example", input_type, input_schema),
        output_example=example_of(model_class, "output_example", output_type, output_schema),
        takes_many=form.takes_many,
        is_async=form.is_async,
        streams=form.streams,
        chunk_type=chunk_type if form.streams else None,
        has_own_example=model_class.input_example is not None,
        retries=model_class.retries,
        **_limits(model_class, form),
    )


class _Form(NamedTuple):
    takes_many: bool = False
    is_async: bool = False
    streams: bool = False


DEFAULT_CONCURRENCY = 32
"""Of a model that takes one: more threads only fight over the GIL."""
DEFAULT_BATCH_CONCURRENCY = 2
"""Of a model that takes many: one batch is prepared or finished in Python while the other computes without the GIL."""


def _limits(model_class: type[Model[Any, Any]], form: _Form) -> dict[str, Any]:
    """How many of its calls run at once, and where."""
    isolation = model_class.isolation
    if model_class.max_batch_size is not None and not form.takes_many:
        _refuse(model_class, "`max_batch_size` is for a predict that takes many; this one takes one at a time")
    if model_class.cache_s and form.streams:
        _refuse(model_class, "`cache_s` cannot be set on a model that streams: its pieces are not kept")
    if model_class.memory_limit_mb is not None and isolation != "process":
        _refuse(model_class, '`memory_limit_mb` needs `isolation = "process"`: a thread cannot be limited')
    if isolation == "process" and model_class.concurrency is None:
        concurrency = 1
    elif form.is_async and isolation == "thread":
        concurrency = model_class.concurrency
    else:
        concurrency = model_class.concurrency or (DEFAULT_BATCH_CONCURRENCY if form.takes_many else DEFAULT_CONCURRENCY)
    return {
        "max_batch_size": model_class.max_batch_size if form.takes_many else 1,
        "max_wait_ms": model_class.max_wait_ms,
        "concurrency": concurrency,
        "isolation": isolation,
        "memory_limit_mb": model_class.memory_limit_mb,
        "load_timeout_s": float(model_class.load_timeout_s),
        "cache_s": float(model_class.cache_s),
        "cache_mb": model_class.cache_mb,
    }


_COUNT: Any = Annotated[int, Meta(ge=1)]
_AMOUNT: Any = Annotated[float, Meta(ge=0)]
_ATTRIBUTES: list[tuple[str, Any, str]] = [
    ("name", str, "must be text"),
    ("version", str, "must be text such as '1' or '2024-05'"),
    ("description", str, "must be text"),
    ("max_batch_size", _COUNT | None, "must be a whole number of at least 1, or None"),
    ("max_wait_ms", _AMOUNT | None, "must be a number of at least 0, or None"),
    ("concurrency", _COUNT | None, "must be a whole number of at least 1, or None"),
    ("isolation", Literal["thread", "process"], "must be 'thread' or 'process'"),
    ("memory_limit_mb", _COUNT | None, "must be a whole number of at least 1, or None"),
    ("load_timeout_s", Annotated[float, Meta(gt=0)], "must be a number of seconds above 0"),
    ("cache_s", _AMOUNT, "must be a number of seconds, 0 for no cache"),
    ("cache_mb", _COUNT, "must be a whole number of at least 1"),
    ("retries", RetryPolicy, "must be a zypher_jobs.models.RetryPolicy"),
]


def _check_attributes(model_class: type[Model[Any, Any]]) -> None:
    for attribute, wanted, sentence in _ATTRIBUTES:
        value = getattr(model_class, attribute)
        try:
            fits = msgspec.convert(value, wanted) == value  # never for NaN
        except msgspec.ValidationError:
            fits = False
        if not fits:
            _refuse(model_class, f"`{attribute}` {sentence}; it is {value!r}")


def _check_methods(model_class: type[Model[Any, Any]]) -> None:
    """That Zypher can make an instance and get it ready."""
    if not _can_be_called(model_class):
        _refuse(
            model_class,
            "its __init__ must take no argument: Zypher makes the instance; read what it needs in `load`",
            at=model_class.__init__,
        )
    for name in ("load", "unload"):
        method: Callable[..., Any] = getattr(model_class, name)
        if inspect.iscoroutinefunction(method):
            _refuse(model_class, f"{name} must be a plain `def`: it is called in a thread", at=method)
        if not inspect.isfunction(method) or not _can_be_called(method, model_class):
            _refuse(model_class, f"Zypher calls {name} without arguments; write `def {name}(self) -> None`", at=method)


def _can_be_called(function: Callable[..., Any], *arguments: Any) -> bool:
    try:
        inspect.signature(function).bind(*arguments)
    except TypeError:
        return False
    return True


def _refuse(model_class: type[Any], reason: str, *, at: Callable[..., Any] | None = None) -> NoReturn:
    raise ModelDefinitionError(f"{place_of(model_class, at)}: model {model_class.__qualname__}: {reason}.")


def place_of(model_class: type[Any], function: Callable[..., Any] | None = None) -> str:
    """``file:line`` of the function, else of the class; the module's name where there is no source."""
    subject = function or model_class
    try:
        return f"{inspect.getsourcefile(subject)}:{inspect.getsourcelines(subject)[1]}"
    except (OSError, TypeError):
        return model_class.__module__


def types_of(model_class: type[Any], base_class: type[Any] = Model) -> tuple[Any, Any]:
    """``In`` and ``Out`` of the nearest base written as ``Model[In, Out]``."""
    of = base_class.__name__
    for cls in model_class.__mro__:
        for base in cls.__dict__.get("__orig_bases__", ()):
            if typing.get_origin(base) is base_class:
                types = typing.get_args(base)
                if any(isinstance(part, TypeVar | str | typing.ForwardRef) for part in types):
                    _refuse(model_class, f"its types must be real ones that are defined above it: {of}[Text, Count]")
                return types[0], types[1]
    _refuse(model_class, f"say its types: class {model_class.__name__}({of}[YourInput, YourOutput])")


def _form(model_class: type[Model[Any, Any]], input_type: Any, output_type: Any) -> _Form:
    """Which form ``predict`` has; refuses every other."""
    predict: Callable[..., Any] = model_class.predict
    one = f"def predict(self, input: {_show(input_type)}) -> {_show(output_type)}"
    many = f"def predict(self, inputs: list[{_show(input_type)}]) -> list[{_show(output_type)}]"
    way_out = f"write `{many}` or `{one}`"
    if predict is _unwritten:
        _refuse(model_class, f"it has no predict; {way_out}")
    if not inspect.isfunction(predict):
        _refuse(model_class, f"predict must be a plain method; {way_out}")
    yields = inspect.isasyncgenfunction(predict) or inspect.isgeneratorfunction(predict)
    if yields:
        kind = "async def {}AsyncIterator" if inspect.isasyncgenfunction(predict) else "def {}Iterator"
        head = kind.format(f"predict(self, input: {_show(input_type)}) -> ")
        way_out = f"since it yields, write `{head}[{_show(output_type)}]`"
    parameters = list(inspect.signature(predict).parameters.values())
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    if len(parameters) != 2 or any(p.kind not in positional for p in parameters):
        _refuse(model_class, f"predict must take exactly one argument beside self; {way_out}", at=predict)
    try:
        hints = typing.get_type_hints(predict, include_extras=True)
    except (NameError, AttributeError, TypeError, SyntaxError) as error:
        _refuse(model_class, f"an annotation of predict cannot be resolved ({error}); {way_out}", at=predict)
    found = (_plain(hints.get(parameters[1].name)), _plain(hints.get("return")))
    is_async = inspect.iscoroutinefunction(predict) or inspect.isasyncgenfunction(predict)
    if yields and found[0] == input_type and found[1] in _streams_of(output_type, is_async=is_async):
        return _Form(streams=True, is_async=is_async)
    if not yields and found == (list[input_type], list[output_type]):
        return _Form(takes_many=True, is_async=is_async)
    if not yields and found == (input_type, output_type):
        return _Form(is_async=is_async)
    _refuse(model_class, f"the annotations of predict do not fit its types; {way_out}", at=predict)


def _plain(hint: Any) -> Any:
    """``typing.List[T]`` as ``list[T]``, and so on."""
    origin: Any = typing.get_origin(hint)
    if origin not in _KINDS or type(hint).__module__ != "typing":
        return hint
    return origin[tuple(None if part is type(None) else part for part in typing.get_args(hint))]


_KINDS: tuple[Any, ...] = (list, Iterator, Iterable, Generator, AsyncIterator, AsyncIterable, AsyncGenerator)


def _streams_of(of: Any, *, is_async: bool) -> tuple[Any, ...]:
    if is_async:
        return (AsyncIterator[of], AsyncGenerator[of], AsyncIterable[of], AsyncGenerator[of, None])
    return (Iterator[of], Iterable[of], Generator[of, None, None])


def schema_of(model_class: type[Any], of: Any, role: str) -> dict[str, Any]:
    """Its JSON Schema; refuses a type that JSON cannot hold."""
    try:
        msgspec.json.Decoder(of)
        return json_schema(of)
    except TypeError as error:
        reason = " ".join(str(error).split())
        _refuse(model_class, f"its {role} type {_show(of)} cannot be read from JSON ({reason}); use a msgspec.Struct")


def example_of(model_class: type[Any], attribute: str, of: Any, schema: dict[str, Any], other: Any = None) -> Any:
    """The ``other`` one, the class's own example, or a derived one; as plain values that fit the type."""
    given = getattr(model_class, attribute) if other is None else other
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


def kebab(class_name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "-", class_name).lower()


def _show(of: Any) -> str:
    return of.__name__ if isinstance(of, type) and not typing.get_args(of) else str(of)
