"""The OpenAPI 3.1 document, made from what each handler says of itself in ``opt``.

Litestar's own document cannot know what handlers that read raw bodies take and answer, and gives its errors the wrong
shape. Here every status of every operation has its own schema and an example, and each model its own path.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Literal, cast

import msgspec
from litestar import Litestar
from litestar.routes import HTTPRoute

from zypher_api.field_docs import as_description, describe_fields, structs_in
from zypher_api.problems import KINDS, Problem, problem_type
from zypher_jobs.contracts.access import Scope
from zypher_jobs.contracts.webhook import WebhookPayload

OPT = "operations"
"""Key in a handler's ``opt``; under it a list of ``Operation``, or of what gives one as things stand."""
ANY_SCOPE = (Scope.PREDICT, Scope.READ, Scope.OPERATE, Scope.DEPLOY)
"""Whoever has a key may."""


class Parameter(msgspec.Struct, frozen=True, kw_only=True):
    """A path, query or header parameter."""

    name: str
    place: Literal["path", "query", "header"]
    description: str
    schema: dict[str, Any]
    """With a ``title``, it becomes a component of that name. What has a default is sent by typed clients."""
    example: Any
    required: bool = False


class Content(msgspec.Struct, frozen=True, kw_only=True):
    """A body: its type, and an example of it (an instance, or plain values)."""

    type: Any
    example: Any
    media_type: str = "application/json"


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """One status that is no error."""

    description: str
    content: Content | None = None
    events: Content | None = None
    """The same as server-sent events, for those whose ``Accept`` prefers them."""
    headers: dict[str, str] = {}
    """Name → description."""


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """One method of one path."""

    method: Literal["get", "post", "put", "patch", "delete"]
    path: str
    operation_id: str
    tag: str
    summary: str
    description: str = ""
    parameters: tuple[Parameter, ...] = ()
    body: Content | None = None
    body_is_required: bool = True
    answers: dict[int, Answer]
    scopes: tuple[Scope, ...] = (Scope.ADMIN,)
    """Of a caller's key one of these is enough; none: it is open to everybody."""
    problems: tuple[str, ...] = ()
    """Codes of ``zypher_api.problems.KINDS``; ``internal_error`` is understood."""
    problem_examples: dict[str, tuple[str, str | None]] = {}
    """Code → sentence and field, where this operation says it otherwise than ``KINDS``."""


DESCRIPTION = """\
Predictions now, or later through a queue.

- **Now:** `POST /predict` answers with the model's output.
- **Later:** the same with `Async-Mode: true` or `Prefer: respond-async` answers 202 with an id;
  `GET /predict/{prediction_id}` reads the result, and waits for it with `?wait=30`.
- **While it runs:** either way as server-sent events, with progress, log lines and the output piece by piece:
  now with `Accept: text/event-stream`, later from `GET /predict/{prediction_id}/events`.

Once the server has API keys, each call but the probes and these pages wants one, as `Authorization: Bearer zk_…`, with
one of the scopes that stand at the call.

Every error is a problem document (RFC 9457); its `code` is for programs, its `detail` for people.
What answers `GET` answers `HEAD` too, with the same headers.
"""

KEY = "key"
"""The security scheme."""
_COMPONENTS = "#/components/schemas/"

TAGS = [
    {"name": "predictions", "description": "Ask a model, now or later."},
    {"name": "models", "description": "What can be asked."},
    {
        "name": "inference protocol",
        "description": "The Open Inference Protocol v2 over the same models, for clients of Triton and KServe.",
    },
    {"name": "operators", "description": "Act on predictions, queues and workers, and see who did."},
    {"name": "webhooks", "description": "Who is told that predictions have ended."},
    {"name": "keys", "description": "Who may call, and what."},
    {"name": "system", "description": "Health and figures, for people and machines that watch."},
    {"name": "documentation", "description": "These pages."},
]


def operations(app: Litestar) -> Iterator[Operation]:
    """What all handlers of the application say of themselves."""
    seen: set[int] = set()
    for route in app.routes:
        handlers = route.route_handlers if isinstance(route, HTTPRoute) else [route.route_handler]
        for handler in handlers:
            declared = cast("list[Operation | Callable[[], Operation]]", handler.opt.get(OPT, []))
            if id(declared) not in seen:
                seen.add(id(declared))
                yield from (each if isinstance(each, Operation) else each() for each in declared)


def document(described: Iterable[Operation], *, version: str) -> dict[str, Any]:
    """The whole document, as plain values."""
    described = sorted(described, key=lambda operation: [tag["name"] for tag in TAGS].index(operation.tag))
    contents = [content for operation in described for content in _contents(operation)]
    types = [Problem, WebhookPayload, *(content.type for content in contents)]
    components, (problem_schema, payload_schema, *schemas) = _schemas(types)
    named = {frozenset(component["enum"]): name for name, component in components.items() if "enum" in component}
    for parameter in (each for operation in described for each in operation.parameters):
        if "title" in parameter.schema:
            components[parameter.schema["title"]] = parameter.schema
            named[frozenset(parameter.schema["enum"])] = parameter.schema["title"]
    schema_of = {id(content): schema for content, schema in zip(contents, schemas, strict=True)}
    paths: dict[str, dict[str, Any]] = {}
    for operation in described:
        paths.setdefault(operation.path, {})[operation.method] = _operation(operation, schema_of, problem_schema, named)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Zypher",
            "version": version,
            "description": DESCRIPTION,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "tags": TAGS,
        "paths": paths,
        "webhooks": {"prediction_ended": {"post": _webhook(payload_schema)}},
        "components": {
            "schemas": components,
            "securitySchemes": {
                KEY: {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "zk_…",
                    "description": "An API key, from `zypher keys create` or `POST /keys`. A server without keys wants "
                    "none, and serves its own machine only.",
                }
            },
        },
    }


def _webhook(payload_schema: dict[str, Any]) -> dict[str, Any]:
    """What receivers are sent."""
    headers = {
        "webhook-id": ("The same in every attempt to deliver it.", f"{EXAMPLE_ID}-direct"),
        "webhook-timestamp": ("Of this attempt, in Unix seconds.", "1795700000"),
        "webhook-signature": (
            "One for each secret that signs, by spaces.",
            "v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4=",
        ),
    }
    return {
        "tags": ["webhooks"],
        "operationId": "prediction_ended",
        "summary": "A prediction of the queue has ended",
        "description": "Any 2xx takes it. 410 has a registered webhook disabled. Anything else is tried again.",
        "parameters": [
            {
                "name": name,
                "in": "header",
                "required": True,
                "description": text,
                "schema": {"type": "string"},
                "example": example,
            }
            for name, (text, example) in headers.items()
        ],
        "requestBody": {"required": True, "content": {"application/json": {"schema": payload_schema}}},
        "responses": {"2XX": {"description": "It was taken."}, "410": {"description": "Nothing more is wanted."}},
    }


def _schemas(types: list[Any]) -> tuple[dict[str, Any], tuple[dict[str, Any], ...]]:
    """The components that the types need, and the schema of each type."""
    structs = structs_in(types)
    schemas, components = msgspec.json.schema_components([*types, *structs], ref_template=f"{_COMPONENTS}{{name}}")
    for struct, reference in zip(structs, schemas[len(types) :], strict=True):
        describe_fields(struct, components[reference["$ref"].removeprefix(_COMPONENTS)])
    for component in components.values():
        if "description" in component:
            component["description"] = as_description(component["description"])
    return components, schemas[: len(types)]


def _contents(operation: Operation) -> Iterator[Content]:
    if operation.body is not None:
        yield operation.body
    for answer in operation.answers.values():
        yield from (content for content in (answer.content, answer.events) if content is not None)


def _operation(
    operation: Operation,
    schema_of: dict[int, Any],
    problem_schema: dict[str, Any],
    named: dict[frozenset[str], str],
) -> dict[str, Any]:
    described: dict[str, Any] = {
        "tags": [operation.tag],
        "operationId": operation.operation_id,
        "summary": operation.summary,
    }
    if operation.scopes:
        described["security"] = [{KEY: [scope]} for scope in operation.scopes]
    if operation.description:
        described["description"] = operation.description
    if operation.parameters:
        described["parameters"] = [_parameter(parameter, named) for parameter in operation.parameters]
    if operation.body is not None:
        described["requestBody"] = {
            "required": operation.body_is_required,
            "content": _media(operation.body, schema_of),
        }
    responses: dict[str, Any] = {}
    for status, answer in operation.answers.items():
        responses[str(status)] = {"description": answer.description}
        if answer.headers:
            responses[str(status)]["headers"] = {
                name: {"description": text, "schema": {"type": "string"}} for name, text in answer.headers.items()
            }
        if answer.content is not None:
            responses[str(status)]["content"] = _media(answer.content, schema_of)
        if answer.events is not None:
            responses[str(status)]["content"] |= _media(answer.events, schema_of)
    for status, problem in _problems(operation, problem_schema).items():
        # a status may be both: /health answers 503 with its own body
        responses.setdefault(status, problem)["content"].update(problem["content"])
    described["responses"] = dict(sorted(responses.items()))
    return described


def _parameter(parameter: Parameter, named: dict[frozenset[str], str]) -> dict[str, Any]:
    """``named``: values → the component that has them, so that typed clients have one type for it."""
    name = named.get(frozenset(parameter.schema.get("enum", ())))
    schema = {"$ref": f"{_COMPONENTS}{name}"} if name else parameter.schema
    # what stands in ``example`` is what "Try it out" sends: no header, for each changes what is answered
    shown: dict[str, Any] = (
        {"schema": {**schema, "examples": [parameter.example]}}
        if parameter.place == "header"
        else {"schema": schema, "example": parameter.example}
    )
    return {
        "name": parameter.name,
        "in": parameter.place,
        "description": parameter.description,
        "required": parameter.required or parameter.place == "path",
        **shown,
    }


def _media(content: Content, schema_of: dict[int, Any]) -> dict[str, Any]:
    example = msgspec.to_builtins(content.example)
    shown = {} if example is None else {"example": example}
    return {content.media_type: {"schema": schema_of[id(content)], **shown}}


def _problems(operation: Operation, schema: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Status → response, with an example for each code."""
    responses: dict[str, dict[str, Any]] = {}
    of_keys = ("unauthorized", "forbidden", "protected", "rate_limited") if operation.scopes else ()
    for code in (*operation.problems, *of_keys, "internal_error"):
        kind = KINDS[code]
        response = responses.setdefault(
            str(kind.status),
            {"description": "", "content": {"application/problem+json": {"schema": schema, "examples": {}}}},
        )
        response["description"] = " / ".join(filter(None, [response["description"], kind.title]))
        response["content"]["application/problem+json"]["examples"][code] = {
            "summary": kind.title,
            "value": msgspec.to_builtins(_example(operation, code)),
        }
        if kind.status in (429, 503):
            response["headers"] = {
                "Retry-After": {"description": "Seconds until it is worth trying again.", "schema": {"type": "string"}}
            }
    return responses


def _example(operation: Operation, code: str) -> Problem:
    kind = KINDS[code]
    detail, field = operation.problem_examples.get(code, (kind.example, kind.example_field))
    name = "mick" if code == "unknown_model" else "mock"
    return Problem(
        type=problem_type(code),
        title=kind.title,
        status=kind.status,
        detail=detail,
        instance=operation.path.replace("{prediction_id}", EXAMPLE_ID).replace("{name}", name),
        error=detail,
        code=code,
        request_id="8c1f0d3a5b7e00000001",
        field=field,
    )


EXAMPLE_ID = "0f8fad5bd9cb469fa16570867728950e"
