"""Bodies of the Open Inference Protocol v2, with Triton's extensions for binary tensors, texts and the repository.

Members that are not here are ignored: the protocol is open to extensions.
"""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

Size = Annotated[int, Meta(ge=0)]
ID = Annotated[str, Meta(description="The caller's own; it comes back in the answer.")]
PARAMETERS = Annotated[dict[str, Any], Meta(description="Strings, numbers and booleans.")]


class WireTensor(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One tensor of a request or an answer."""

    name: str
    shape: list[Size]
    datatype: Annotated[str, Meta(description="Such as FP32 or BYTES.")]
    parameters: PARAMETERS = {}
    """``binary_data_size``: it stands behind the JSON, in so many bytes, and has no ``data``."""
    data: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    """Its elements in row-major order, flat or nested."""


class RequestedOutput(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An output tensor that the caller wants."""

    name: str
    parameters: PARAMETERS = {}
    """``binary_data``: behind the JSON."""


class InferRequest(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What ``…/infer`` takes."""

    id: ID = ""
    parameters: PARAMETERS = {}
    """``binary_data_output``: all outputs behind the JSON. ``timeout``: in microseconds."""
    inputs: list[WireTensor]
    outputs: list[RequestedOutput] = []
    """All, where none is named."""


class InferResponse(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What ``…/infer`` answers."""

    model_name: str
    model_version: str = ""
    id: ID = ""
    parameters: PARAMETERS = {}
    outputs: list[WireTensor]


class AnsweredTensor(msgspec.Struct, frozen=True, kw_only=True):
    """A tensor of another server's answer; some write ``null`` for what they leave out."""

    name: str
    shape: list[Size]
    datatype: str
    parameters: dict[str, Any] | None = None
    data: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class Answered(msgspec.Struct, frozen=True, kw_only=True):
    """What of another server's answer is read."""

    outputs: list[AnsweredTensor]


class WireSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A tensor that a model takes or gives."""

    name: str
    datatype: str
    shape: list[int]
    """-1 is any size. The first is that of the batch, where the model's predictions can be stacked."""


class ModelMetadata(msgspec.Struct, frozen=True, kw_only=True):
    """What a model says of itself."""

    name: str
    versions: list[str] = []
    platform: str = ""
    inputs: list[WireSpec]
    outputs: list[WireSpec]


class ServerMetadata(msgspec.Struct, frozen=True, kw_only=True):
    """What a server says of itself."""

    name: str
    version: str
    extensions: list[str]


class ModelReady(msgspec.Struct, frozen=True, kw_only=True):
    """A model that can predict."""

    name: str
    ready: bool = True


class GenerateRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What ``…/generate`` and ``…/generate_stream`` take."""

    id: ID = ""
    text_input: str
    parameters: dict[str, Any] = {}
    """Values for the other fields of the model's input."""


class GenerateResponse(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What ``…/generate`` answers; of ``…/generate_stream`` each event."""

    model_name: str
    model_version: str
    id: ID = ""
    text_output: str


class IndexRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What ``/v2/repository/index`` takes."""

    ready: bool = False
    """Only those that can predict."""


class IndexEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One version of a model in ``/v2/repository/index``."""

    name: str
    version: str
    state: Literal["READY", "UNAVAILABLE"]
    reason: str = ""
    """Why it cannot predict."""
