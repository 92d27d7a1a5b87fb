"""``RemoteServer``: one model of an Open Inference Protocol v2 server, as this process speaks to it."""

import asyncio
import contextlib
from collections.abc import Sequence
from functools import partial
from typing import Any, TypeVar
from urllib.parse import quote

import httpx
import msgspec

from zypher_jobs.contracts.inference import WireSpec
from zypher_jobs.contracts.model import ModelManifest
from zypher_jobs.contracts.trace import TraceContext
from zypher_jobs.errors import (
    InvalidInput,
    ModelNotReady,
    PredictionFailed,
    RemoteFailed,
    RemoteRefused,
    RemoteUnavailable,
)
from zypher_jobs.models.elements import Tensor
from zypher_jobs.models.inference import LENGTH_HEADER, Framed, read_response, write_request
from zypher_jobs.models.runtimes.remote.http import (
    Answer,
    Stale,
    Unusable,
    ask,
    ask_within,
    cleaned,
    make_client,
    reason_of,
)

T = TypeVar("T")

DESCRIBE_TIMEOUT_S = 3.0
"""For each thing that a server says of itself and of its models."""
MOST_METADATA_BYTES = 1024 * 1024
MOST_ANSWER_BYTES = 64 * 1024 * 1024
CLOSE_TIMEOUT_S = 2.0
_BUSY = {408, 429}
_GONE = {404, 502, 503, 504}
"""Of the model or its server, or of what stands before it; whether it is there again is asked."""
_REFUSED = {400, 413, 422}


class Described(msgspec.Struct, frozen=True):
    """What a server said of one model."""

    inputs: list[WireSpec]
    outputs: list[WireSpec]
    takes_binary: bool
    """Whether tensors may stand as bytes behind the JSON."""
    max_batch_size: int | None
    """Predictions in one request; 0: its model has no dimension for them; ``None``: it did not say."""


class _Server(msgspec.Struct):
    """What is read of what it says of itself; some write ``null`` for what they leave out."""

    extensions: list[str] | None = None


class _Model(msgspec.Struct):
    inputs: list[WireSpec] | None = None
    outputs: list[WireSpec] | None = None


class _Ready(msgspec.Struct):
    ready: bool = True


class _Config(msgspec.Struct):
    """Triton's extension ``model_configuration``."""

    max_batch_size: int | None = None


class RemoteServer:
    """What is said of it holds no address: callers read it."""

    def __init__(self, manifest: ModelManifest, *, url: str, api_key: str | None, connections: int) -> None:
        self._name = manifest.name
        self._url = url
        self._api_key = api_key
        self._connections = connections
        self._server = f"{url}/v2"
        version = f"/versions/{quote(manifest.remote_version, safe='')}" if manifest.remote_version else ""
        self._model = f"{self._server}/models/{quote(manifest.remote_name or manifest.name, safe='')}{version}"
        self._client: httpx.AsyncClient | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def connect(self) -> Described:
        """Ask what the model takes and gives, once its server has it ready; blocks.

        Raises ``ModelNotReady``, whose message is the end of a sentence.
        """
        described = asyncio.run(self._describe())
        if self._client is None:
            self._client = make_client(self._url, api_key=self._api_key, connections=self._connections)
        return described

    async def _describe(self) -> Described:
        async with make_client(self._url, api_key=self._api_key, connections=1) as client:
            server = await self._get(client, self._server)
            extensions = list[str]()
            if server.status != 404:  # it need not say anything of itself
                extensions = self._read(server, _Server).extensions or []
            model = self._read(await self._get(client, self._model), _Model)
            ready = await self._get(client, f"{self._model}/ready")
            if ready.status != 200 or not _is_ready(ready.body):
                raise ModelNotReady(f"its server does not have it ready ({ready.said})")
            config = _Config()
            if "model_configuration" in extensions:
                config = self._read(await self._get(client, f"{self._model}/config"), _Config)
            return Described(
                inputs=model.inputs or [],
                outputs=model.outputs or [],
                takes_binary="binary_tensor_data" in extensions,
                max_batch_size=config.max_batch_size,
            )

    async def _get(self, client: httpx.AsyncClient, url: str) -> Answer:
        try:
            return await ask_within(DESCRIBE_TIMEOUT_S, client, url, most_bytes=MOST_METADATA_BYTES)
        except (httpx.TransportError, TimeoutError) as error:
            raise ModelNotReady(f"its server does not answer ({reason_of(error)})") from error
        except Unusable as error:
            raise ModelNotReady(f"what its server says of it cannot be read: {error}") from None

    def _read(self, answer: Answer, of: type[T]) -> T:
        if answer.status != 200:
            raise ModelNotReady(f"its server {answer.said}")
        try:
            return msgspec.json.decode(answer.body, type=of)
        except (ValueError, RecursionError) as error:
            raise ModelNotReady(
                f"its server does not speak the Open Inference Protocol v2: {cleaned(str(error))}"
            ) from None

    async def infer(
        self, tensors: Sequence[Tensor], *, is_binary: bool, trace: TraceContext | None = None
    ) -> list[Tensor]:
        """The output tensors; raises a ``PredictionFailed``, such as ``Gone``. Canceled, it closes its connection.

        The server is told in which trace.
        """
        framed = write_request(
            tensors,
            binary=[tensor.name for tensor in tensors] if is_binary else [],
            parameters={"binary_data_output": True} if is_binary else {},
        )
        headers = {"Content-Type": "application/json"}
        if framed.json_bytes is not None:
            headers = {"Content-Type": "application/octet-stream", LENGTH_HEADER: str(framed.json_bytes)}
        if trace is not None:
            headers |= trace.next().headers
        client = self._client
        if client is None:
            raise ModelNotReady(f"Model {self._name!r} is not ready: it is not loaded.")
        self._loop = asyncio.get_running_loop()
        post = partial(
            ask, client, f"{self._model}/infer", body=framed.body, headers=headers, most_bytes=MOST_ANSWER_BYTES
        )
        try:
            try:
                answer = await post()
            except Stale:
                answer = await post()
        except httpx.TransportError as error:
            raise Gone(self._name, f"does not answer ({reason_of(error)})") from error
        except Unusable as error:
            raise RemoteFailed(f"The answer of the server of model {self._name!r} cannot be used: {error}.") from None
        if answer.status != 200:
            raise self._failure(answer)
        return self._tensors(answer)

    def _tensors(self, answer: Answer) -> list[Tensor]:
        length = answer.headers.get(LENGTH_HEADER)
        try:
            if length is not None and (not length.isdecimal() or len(length) > 18):
                raise Unusable(f"its header {LENGTH_HEADER} is no number of bytes")
            json_bytes = None if length is None else int(length)
            return read_response(Framed(body=answer.body, json_bytes=json_bytes))
        except (Unusable, InvalidInput) as error:
            raise broken(self._name, cleaned(str(error))) from None

    def _failure(self, answer: Answer) -> PredictionFailed:
        if answer.status in _GONE:
            return Gone(self._name, answer.said)
        if answer.status in _BUSY:
            return RemoteUnavailable(f"The server of model {self._name!r} {answer.said}; try again shortly.")
        if answer.status in _REFUSED:
            return RemoteRefused(f"The server of model {self._name!r} refused the input: it {answer.said}.")
        return RemoteFailed(f"The server of model {self._name!r} {answer.said}.")

    def close(self) -> None:
        """End the connections; called in a thread, while the event loop goes on."""
        client, self._client = self._client, None
        if client is not None and self._loop is not None and self._loop.is_running():
            closing: Any = asyncio.run_coroutine_threadsafe(client.aclose(), self._loop)
            with contextlib.suppress(TimeoutError):
                closing.result(CLOSE_TIMEOUT_S)


class Gone(RemoteUnavailable):
    """The server, or the model on it, is not there: the next prediction would fail the same way."""

    def __init__(self, name: str, why: str) -> None:
        super().__init__(f"The server of model {name!r} {why}; try again shortly.")
        self.why = f"its server {why}"


def broken(name: str, reason: str) -> RemoteFailed:
    """The error for an answer that is not what the server says of its model."""
    return RemoteFailed(f"The answer of the server of model {name!r} cannot be used: {reason.rstrip('.')}.")


def _is_ready(body: bytes) -> bool:
    """What the body says, where it says anything: the status is what counts."""
    try:
        return msgspec.json.decode(body, type=_Ready).ready
    except (ValueError, RecursionError):
        return True
