"""``Upload``: the parts of a multipart body as they come, so that a file of any size stays out of memory."""

from collections.abc import AsyncGenerator
from typing import Any, cast

from litestar.types import Receive
from multipart import (  # pyright: ignore[reportMissingTypeStubs]
    MultipartError,
    MultipartSegment,
    PushMultipartParser,
    parse_options_header,  # pyright: ignore[reportUnknownVariableType]
)

from zypher_api.problems import CallerGone, MalformedRequest, UnsupportedMediaType
from zypher_jobs.errors import InvalidUpload

MANIFEST_BYTES = 262_144
HOW = "send multipart/form-data with curl -X PUT -F manifest=@model.json -F file=@model.onnx"


class Upload:
    """One body; ``manifest``, then ``file``, each once."""

    def __init__(self, content_type: bytes | None, receive: Receive) -> None:
        """Raises ``UnsupportedMediaType`` for a body of another kind."""
        said = cast("Any", parse_options_header)((content_type or b"").decode("latin-1"))
        kind, options = cast("tuple[str, dict[str, str]]", said)
        if kind != "multipart/form-data" or not options.get("boundary"):
            raise UnsupportedMediaType(f"A model is uploaded as a manifest and a file: {HOW}.")
        self._events = _events(PushMultipartParser(options["boundary"], max_segment_count=2), receive)

    async def manifest(self) -> bytes:
        """The first part."""
        await self._part("manifest", "the manifest comes before the file")
        text = bytearray()
        async for chunk in self._chunks():
            text += chunk
            if len(text) > MANIFEST_BYTES:
                raise InvalidUpload(f"The manifest is larger than {MANIFEST_BYTES:,} bytes.", field="manifest")
        return bytes(text)

    async def file(self) -> AsyncGenerator[bytes]:
        """The second part, in pieces."""
        await self._part("file", "the file is missing")
        async for chunk in self._chunks():
            yield chunk
        async for _ in self._events:
            pass  # the end of the body is part of it

    async def _part(self, name: str, otherwise: str) -> None:
        segment = await anext(self._events, None)
        if not isinstance(segment, MultipartSegment) or segment.name != name:
            raise InvalidUpload(f"The body has no part {name!r} in its place: {otherwise}; {HOW}.", field=name)

    async def _chunks(self) -> AsyncGenerator[bytes]:
        async for event in self._events:
            if event is None:
                return
            yield event


async def _events(parser: PushMultipartParser, receive: Receive) -> AsyncGenerator[Any]:
    try:
        with parser:
            more = True
            while more:
                message = await receive()
                if message["type"] != "http.request":
                    raise CallerGone
                more = message["more_body"]
                if message["body"]:
                    for event in parser.parse(message["body"]):
                        yield event
    except MultipartError as error:
        raise MalformedRequest(f"The body is no complete multipart/form-data ({error}); {HOW}.") from error
