"""Requests and answers of the Open Inference Protocol v2 as bytes: JSON, and the raw elements that may follow it.

The header ``Inference-Header-Content-Length`` says where the JSON ends; without it the body is all JSON. Each tensor
whose ``binary_data_size`` is given has the next so many bytes behind it.
"""

import struct
from collections.abc import Collection, Sequence
from typing import Any, TypeVar

import msgspec

from zypher_jobs.contracts.inference import Answered, InferRequest, InferResponse, WireTensor
from zypher_jobs.errors import InvalidInput, MalformedInput, ModelError
from zypher_jobs.models.elements import DATATYPES, Tensor, dump, pack, parse, unpack
from zypher_jobs.models.schema import json_schema
from zypher_jobs.models.sentences import invalid_input

T = TypeVar("T")

LENGTH_HEADER = "Inference-Header-Content-Length"
_BINARY_SIZE = "binary_data_size"
_SCHEMA = json_schema(InferRequest)
_encode = msgspec.json.Encoder().encode
_decode_request = msgspec.json.Decoder(InferRequest).decode
_decode_answered = msgspec.json.Decoder(Answered).decode


class Framed(msgspec.Struct, frozen=True, kw_only=True):
    """A body, and how much of it is JSON."""

    body: bytes
    json_bytes: int | None = None
    """``None``: all of it."""


def read_request(framed: Framed) -> tuple[InferRequest, list[Tensor]]:
    """What a caller asks; raises ``MalformedInput`` for a broken body, ``InvalidInput`` for one that does not fit."""
    json, binary = _split(framed)
    try:
        request = _decode_request(json)
    except (ValueError, RecursionError) as error:
        raise refusal(json, error, _SCHEMA) from None
    return request, _read_tensors(request.inputs, binary, role="inputs")


def read_response(framed: Framed) -> list[Tensor]:
    """The outputs that another server answered; raises as ``read_request``."""
    json, binary = _split(framed)
    try:
        outputs = _decode_answered(json).outputs
    except (ValueError, RecursionError) as error:
        raise MalformedInput(f"The answer is no inference response: {error}.") from None
    described = [
        WireTensor(name=t.name, shape=t.shape, datatype=t.datatype, parameters=t.parameters or {}, data=t.data)
        for t in outputs
    ]
    return _read_tensors(described, binary, role="outputs")


def write_request(tensors: Sequence[Tensor], *, binary: Collection[str], parameters: dict[str, Any]) -> Framed:
    """A request, with the elements of the tensors ``binary`` behind the JSON."""
    inputs, raw = _write_tensors(tensors, binary)
    return _framed(InferRequest(inputs=inputs, parameters=parameters), raw)


def write_response(
    tensors: Sequence[Tensor], *, binary: Collection[str], model_name: str, model_version: str, request_id: str
) -> Framed:
    """An answer; raises ``ModelError`` where a tensor cannot hold its elements, ``InvalidInput`` where JSON cannot."""
    outputs, raw = _write_tensors(tensors, binary)
    return _framed(
        InferResponse(model_name=model_name, model_version=model_version, id=request_id, outputs=outputs), raw
    )


def refusal(body: bytes | memoryview, error: Exception, schema: dict[str, Any]) -> InvalidInput:
    """Why a body could not be read: no JSON (400), or JSON that does not fit ``schema`` (422)."""
    if not bytes(body).strip():
        return MalformedInput("The body is empty; send a JSON object.")
    try:
        msgspec.json.decode(body)
    except RecursionError:
        return MalformedInput("The body is nested too deeply.")
    except (msgspec.DecodeError, UnicodeDecodeError) as malformed:
        reason = str(malformed).removeprefix("JSON is malformed: ")
        return MalformedInput(
            f"The body is not valid JSON ({reason}); where binary tensors follow it, the header {LENGTH_HEADER} says "
            "how long it is."
        )
    return invalid_input(str(error), schema)


def _split(framed: Framed) -> tuple[memoryview, memoryview]:
    view = memoryview(framed.body)
    if framed.json_bytes is None:
        return view, view[len(view) :]
    if framed.json_bytes > len(view):
        raise MalformedInput(
            f"The header {LENGTH_HEADER} says that the JSON has {framed.json_bytes:,} bytes, "
            f"but the body has only {len(view):,}."
        )
    return view[: framed.json_bytes], view[framed.json_bytes :]


def _read_tensors(described: Sequence[WireTensor], binary: memoryview, *, role: str) -> list[Tensor]:
    tensors: list[Tensor] = []
    at = 0
    for number, each in enumerate(described):
        where = f"$.{role}[{number}]"
        if each.datatype not in DATATYPES:
            raise InvalidInput(
                f"Tensor {each.name!r} has no known datatype: {each.datatype!r}; known: {', '.join(DATATYPES)}.",
                field=f"{where}.datatype",
            )
        if "shared_memory_region" in each.parameters:
            raise InvalidInput(
                f"Tensor {each.name!r} is in shared memory, which is not served here; send it in the body.",
                field=f"{where}.parameters.shared_memory_region",
            )
        shape = tuple(each.shape)
        size = _binary_size(each, where)
        if not isinstance(each.data, msgspec.UnsetType):
            values = parse(each.name, each.datatype, shape, each.data, where=where)
        elif size > len(binary) - at:
            raise MalformedInput(
                f"Tensor {each.name!r} declares {size:,} bytes behind the JSON, and {len(binary) - at:,} are left.",
                field=f"{where}.parameters.{_BINARY_SIZE}",
            )
        else:
            values = unpack(each.name, each.datatype, shape, binary[at : at + size])
            at += size
        tensors.append(Tensor(each.name, each.datatype, shape, values))
    if at != len(binary):
        raise MalformedInput(f"{len(binary) - at:,} bytes behind the JSON belong to no tensor.")
    return tensors


def _binary_size(tensor: WireTensor, where: str) -> int:
    """How many bytes it has behind the JSON."""
    has_data = tensor.data is not msgspec.UNSET
    size = tensor.parameters.get(_BINARY_SIZE)
    if size is None:
        if not has_data:
            raise InvalidInput(f"Tensor {tensor.name!r} has no data.", field=f"{where}.data")
        return 0
    if isinstance(size, bool) or not isinstance(size, int) or size < 0 or has_data:
        problem = "has `data` and" if has_data else "needs a number of bytes as"
        raise InvalidInput(
            f"Tensor {tensor.name!r} {problem} `{_BINARY_SIZE}`.", field=f"{where}.parameters.{_BINARY_SIZE}"
        )
    return size


def _write_tensors(tensors: Sequence[Tensor], binary: Collection[str]) -> tuple[list[WireTensor], list[bytes]]:
    written: list[WireTensor] = []
    raw: list[bytes] = []
    for name, datatype, shape, values in tensors:
        try:
            if name in binary:
                raw.append(pack(datatype, values))
                placed: dict[str, Any] = {"parameters": {_BINARY_SIZE: len(raw[-1])}}
            else:
                placed = {"data": dump(values)}
        except UnicodeDecodeError:
            raise InvalidInput(f"Output {name!r} is not text; ask for it as binary.", field="$.outputs") from None
        except (OverflowError, TypeError, ValueError, struct.error) as error:
            raise ModelError(f"Tensor {name!r} of {datatype} cannot hold what the model returned: {error}.") from error
        written.append(WireTensor(name=name, datatype=datatype, shape=list(shape), **placed))
    return written, raw


def _framed(message: InferRequest | InferResponse, raw: Sequence[bytes]) -> Framed:
    json = _encode(message)
    return Framed(body=b"".join((json, *raw)), json_bytes=len(json)) if raw else Framed(body=json)
