"""What a remote model is: at first only what its manifest says, then what its server says of its tensors."""

from collections.abc import Sequence
from typing import Any, cast, get_args

import msgspec

from zypher_jobs.contracts.inference import WireSpec
from zypher_jobs.contracts.model import Datatype, ModelManifest, Tensors
from zypher_jobs.errors import InvalidInput, ModelNotReady
from zypher_jobs.models.definition import ModelDefinition
from zypher_jobs.models.retries import RetryPolicy
from zypher_jobs.models.runtimes.remote.server import Described
from zypher_jobs.models.runtimes.tensor_types import (
    Sized,
    camel,
    examples_of,
    input_struct,
    output_type,
    tensors_struct,
)
from zypher_jobs.models.schema import json_schema

DEFAULT_CONCURRENCY = 8
"""Requests under way from one process."""
RETRIES = RetryPolicy(max_attempts=8, max_backoff_s=30)
"""A server that is started again is back in a minute or two."""


def unknown(manifest: ModelManifest) -> ModelDefinition:
    """While its server has not said what it takes: any object."""
    takes = dict[str, Any]
    return ModelDefinition(
        input_type=takes,
        output_type=Any,
        input_schema=json_schema(takes),
        output_schema={},
        input_example=manifest.input_example,
        output_example=manifest.output_example,
        takes_many=True,
        max_batch_size=manifest.max_batch_size,
        is_known=False,
        **_limits(manifest),
    )


def known(manifest: ModelManifest, described: Described) -> ModelDefinition:
    """By its tensors; raises ``ModelNotReady`` for what cannot be served, whose message is the end of a sentence."""
    if not described.inputs or not described.outputs:
        raise ModelNotReady("its server does not say which tensors it takes and gives; its metadata there has to")
    varies = all(spec.shape[:1] == [-1] for spec in (*described.inputs, *described.outputs))
    is_batched = varies and described.max_batch_size != 0
    if not is_batched and (manifest.max_batch_size or 1) > 1:
        raise ModelNotReady(
            "`max_batch_size` cannot be kept: the first dimension of its tensors is not that of a batch"
        )
    inputs = [_sized(spec, is_batched=is_batched, is_input=True) for spec in described.inputs]
    outputs = [_sized(spec, is_batched=is_batched, is_input=False) for spec in described.outputs]
    takes = input_struct(manifest.name, inputs, doc=f"One input of {manifest.name}, as its server takes it.")
    gives: Any = tensors_struct(
        f"{camel(manifest.name)}Output",
        [(tensor.name, output_type(tensor)) for tensor in outputs],
        doc=f"One output of {manifest.name}, as its server gives it.",
    )
    return ModelDefinition(
        input_type=takes,
        output_type=gives,
        input_schema=json_schema(takes),
        output_schema=json_schema(gives),
        input_example=_example(manifest, "input_example", inputs, takes),
        output_example=_example(manifest, "output_example", outputs, gives),
        takes_many=is_batched,
        max_batch_size=(manifest.max_batch_size or described.max_batch_size) if is_batched else 1,
        tensors=Tensors(
            inputs=tuple(tensor.spec for tensor in inputs),
            outputs=tuple(tensor.spec for tensor in outputs),
            is_batched=is_batched,
        ),
        **_limits(manifest),
    )


def _limits(manifest: ModelManifest) -> dict[str, Any]:
    """What does not depend on types."""
    return {
        "name": manifest.name,
        "version": manifest.version,
        "description": manifest.description or f"The model {manifest.remote_name or manifest.name} of another server.",
        "max_wait_ms": manifest.max_wait_ms,
        "concurrency": manifest.concurrency or DEFAULT_CONCURRENCY,
        "cache_s": manifest.cache_s,
        "retries": RETRIES,
        "is_remote": True,
    }


def _sized(spec: WireSpec, *, is_batched: bool, is_input: bool) -> Sized:
    datatype = "FP32" if spec.datatype == "BF16" and not is_input else spec.datatype
    if datatype not in get_args(Datatype):
        raise ModelNotReady(f"its tensor {spec.name!r} is of datatype {spec.datatype!r}, which is not served")
    sizes = spec.shape[1:] if is_batched else spec.shape
    return Sized(spec.name, cast("Datatype", datatype), tuple(size if size >= 0 else "" for size in sizes))


def _example(manifest: ModelManifest, attribute: str, tensors: Sequence[Sized], of: Any) -> Any:
    """The manifest's, as plain values that fit the type, else a derived one."""
    given = getattr(manifest, attribute)
    if given is None:
        return examples_of(tensors)
    try:
        msgspec.convert(given, of)
    except (msgspec.ValidationError, InvalidInput) as error:
        raise ModelNotReady(f"`{attribute}` does not fit what its server takes and gives: {error}") from None
    return given
