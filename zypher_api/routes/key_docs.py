"""What the routes of API keys say of themselves."""

from datetime import UTC, datetime

import msgspec

from zypher_api.answers import ApiKeyList
from zypher_api.openapi import Answer, Content, Operation, Parameter
from zypher_jobs.contracts.access import ApiKey, ApiKeyRequest, NewApiKey, Scope

MALFORMED = 'The body is not JSON; send one such as {"name":"shop","scopes":["predict"]}.'

_KEY = ApiKey(
    key_id="3f9a1c0b7d2e",
    name="shop",
    scopes=[Scope.PREDICT],
    created_at=datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC),
    requests="100/s",
)
_NEW = NewApiKey(
    **msgspec.structs.asdict(_KEY), token=f"zk_{_KEY.key_id}_6d0f0e6c1b5a49e2a7c8d3f4b5a69788796a5b4c3d2e1f00"
)
_KEY_ID = Parameter(
    name="key_id",
    place="path",
    description="A key's id, or its name.",
    schema={"type": "string"},
    example=_KEY.key_id,
)
_ONE = Content(type=ApiKey, example=_KEY)

CREATE = Operation(
    method="post",
    path="/keys",
    operation_id="create_key",
    scopes=(Scope.ADMIN,),
    tag="keys",
    summary="Make an API key",
    description="Its `token` is shown in this answer and never again. The first key of a server closes it to all who "
    "have none: make one with the scope `admin` first.",
    body=Content(type=ApiKeyRequest, example=ApiKeyRequest(name="shop", requests="100/s")),
    answers={
        201: Answer(
            description="It may be used at once.",
            content=Content(type=NewApiKey, example=_NEW),
            headers={"Location": "Where to read it."},
        )
    },
    problems=(
        *("malformed_request", "malformed_input", "body_too_large", "unsupported_media_type", "invalid_input"),
        *("conflict", "redis_unavailable"),
    ),
    problem_examples={
        "malformed_input": (MALFORMED, "$"),
        "invalid_input": ("Expected `array` of length >= 1.", "$.scopes"),
        "conflict": ("A key is called 'shop' already; choose another name, or revoke that one first.", None),
    },
)
LIST = Operation(
    method="get",
    path="/keys",
    operation_id="list_keys",
    scopes=(Scope.ADMIN,),
    tag="keys",
    summary="List API keys",
    answers={
        200: Answer(description="All of them.", content=Content(type=ApiKeyList, example=ApiKeyList(keys=[_KEY])))
    },
    problems=("redis_unavailable",),
)
READ = Operation(
    method="get",
    path="/keys/{key_id}",
    operation_id="read_key",
    scopes=(Scope.ADMIN,),
    tag="keys",
    summary="Read an API key",
    parameters=(_KEY_ID,),
    answers={200: Answer(description="What it may do; not what proves it.", content=_ONE)},
    problems=("unknown_key", "redis_unavailable"),
)
REVOKE = Operation(
    method="delete",
    path="/keys/{key_id}",
    operation_id="revoke_key",
    scopes=(Scope.ADMIN,),
    tag="keys",
    summary="Revoke an API key",
    description="Every process refuses it as soon as it hears of it, within a few milliseconds.",
    parameters=(_KEY_ID,),
    answers={200: Answer(description="It was that one.", content=_ONE)},
    problems=("unknown_key", "redis_unavailable"),
)
