"""``ServedModel``: one model as the API and the worker hold it: decode, run, encode."""

from typing import Any

import msgspec

from zypher_jobs.contracts.model import ModelInfo
from zypher_jobs.errors import InvalidInput, MalformedInput, ModelError, ModelNotReady
from zypher_jobs.models.runtimes import Runtime
from zypher_jobs.models.sentences import invalid_input

_encoder = msgspec.json.Encoder()


class ServedModel:
    """One registered model, loaded or not."""

    __slots__ = (
        "_decode",
        "_definition",
        "_run",
        "_runtime",
        "error",
        "input_type",
        "name",
        "output_type",
        "retries",
        "version",
    )

    def __init__(self, runtime: Runtime) -> None:
        definition = runtime.definition
        self.name: str = definition.name
        self.version: str = definition.version
        self.retries = definition.retries
        self.input_type: Any = definition.input_type
        self.output_type: Any = definition.output_type
        self.error: str | None = "it is still loading"
        """Why it cannot predict; ``None`` when ready."""
        self._definition = definition
        self._runtime = runtime
        self._run = runtime.run
        self._decode = msgspec.json.Decoder[Any](definition.input_type).decode

    @property
    def ready(self) -> bool:
        """Whether it can predict."""
        return self.error is None

    @property
    def info(self) -> ModelInfo:
        """What it says of itself."""
        definition = self._definition
        return ModelInfo(
            name=definition.name,
            version=definition.version,
            description=definition.description,
            ready=self.ready,
            error=self.error,
            input_schema=definition.input_schema,
            output_schema=definition.output_schema,
            input_example=definition.input_example,
            output_example=definition.output_example,
        )

    def load(self) -> None:
        """Load it, blocking; a failure is kept in ``error``, never raised."""
        try:
            self._runtime.load()
        except BaseException as error:  # noqa: BLE001 a model may raise anything, SystemExit too
            self.error = f"{type(error).__name__}: {error}"
        else:
            self.error = None

    def decode(self, body: bytes) -> Any:
        """JSON body → input; raises ``MalformedInput`` when it is no JSON, ``InvalidInput`` when it does not fit."""
        try:
            return self._decode(body)
        except (ValueError, RecursionError) as error:
            raise self._refusal(body, error) from None

    def convert(self, value: Any) -> Any:
        """Plain values, as MessagePack holds them → input; raises ``InvalidInput``."""
        try:
            return msgspec.convert(value, self.input_type)
        except msgspec.ValidationError as error:
            raise invalid_input(str(error), self._definition.input_schema) from None

    def encode(self, output: Any) -> bytes:
        """Output → JSON; raises ``ModelError`` when the model put something in it that JSON cannot hold."""
        try:
            return _encoder.encode(output)
        except (TypeError, ValueError, RecursionError) as error:
            raise ModelError(f"Model {self.name!r} returned what JSON cannot hold: {error}.") from error

    async def run(self, input: Any, *, timeout_s: float) -> Any:
        """One prediction; raises ``ModelNotReady``, ``ModelError`` or ``PredictionTimeout``."""
        if self.error is not None:
            raise ModelNotReady(f"Model {self.name!r} is not ready: {self.error.rstrip('.')}.")
        return await self._run(input, timeout_s)

    def _refusal(self, body: bytes, error: Exception) -> InvalidInput:
        """Tell no JSON (400) from JSON that does not fit (422): msgspec stops at whichever comes first."""
        example = msgspec.json.encode(self._definition.input_example).decode()
        if not body.strip():
            return MalformedInput(f"The body is empty; send JSON such as {example}.")
        try:
            msgspec.json.decode(body)
        except RecursionError:
            return MalformedInput("The body is nested too deeply.")
        except msgspec.DecodeError as malformed:
            reason = str(malformed).removeprefix("JSON is malformed: ")
            return MalformedInput(f"The body is not valid JSON ({reason}); send JSON such as {example}.")
        except UnicodeDecodeError:
            return MalformedInput(f"The body is not valid UTF-8; send JSON such as {example}.")
        return invalid_input(str(error), self._definition.input_schema)
