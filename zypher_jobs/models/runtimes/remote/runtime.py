"""Runs a model on another Open Inference Protocol v2 server (Triton, KServe, MLServer, another Zypher): Zypher is its
front door, queue and dashboard.

What the model takes is known when its server has said so; until then it is any object, and a queued prediction's input
is checked when it runs.
"""

import asyncio
import logging
import os
from collections.abc import Callable, Sequence
from typing import Any

import httpx

from zypher_jobs.contracts.model import ModelManifest
from zypher_jobs.errors import ModelDefinitionError, ModelNotReady
from zypher_jobs.models.call import Call, trace_of
from zypher_jobs.models.definition import ModelDefinition
from zypher_jobs.models.runtimes.remote.columns import Columns
from zypher_jobs.models.runtimes.remote.definitions import DEFAULT_CONCURRENCY, known, unknown
from zypher_jobs.models.runtimes.remote.server import Described, Gone, RemoteServer
from zypher_jobs.models.runtimes.unwanted import end_when_unwanted

log = logging.getLogger("zypher.models")

_OF_FILES = ("file", "sha256", "labels", "hook", "memory_limit_mb")


class RemoteRuntime:
    """One version of a model that another server runs."""

    __slots__ = ("_columns", "_described", "_is_away", "_manifest", "_server", "_tell", "definition")

    def __init__(self, manifest: ModelManifest) -> None:
        """Connects to nothing yet; raises ``ModelDefinitionError`` for a manifest that cannot be served."""
        self.definition: ModelDefinition = unknown(manifest)
        self._manifest = manifest
        self._described: Described | None = None
        self._columns: Columns | None = None
        self._is_away = False
        self._tell: Callable[[str], None] = _unheard
        self._server = RemoteServer(
            manifest,
            url=_url_of(manifest),
            api_key=_api_key_of(manifest),
            connections=manifest.concurrency or DEFAULT_CONCURRENCY,
        )

    def when_away(self, tell: Callable[[str], None]) -> None:
        """See ``Reconnecting``."""
        self._tell = tell

    def load(self) -> None:
        """Ask its server what it takes and gives, and whether it is ready."""
        try:
            described = self._server.connect()
            if described != self._described:  # else what waits for its batch need not move
                definition = known(self._manifest, described)
                self._columns = Columns(definition, is_binary=described.takes_binary)
                self.definition, self._described = definition, described
        except ModelNotReady:
            self._is_away = True
            raise
        if self._is_away:
            self._is_away = False
            log.info("the server of a model is there", extra={"model": self.definition.reference})

    def unload(self) -> None:
        """Close the connections."""
        self._server.close()

    async def run(self, calls: Sequence[Call]) -> Sequence[Any]:
        """See ``Runtime``. Inputs whose tensors are of one size go in one request; when nobody wants them, it ends."""
        columns = self._columns
        if columns is None:
            raise ModelNotReady(f"Model {self.definition.name!r} is not ready: it is not loaded.")
        timeout = asyncio.timeout(max(call.remaining_s for call in calls))
        end_when_unwanted(timeout, calls)
        outputs: list[Any] = [None] * len(calls)
        try:
            async with timeout:
                groups = columns.groups([call.input for call in calls])
                answers = await asyncio.gather(
                    *(
                        self._server.infer(
                            group.tensors,
                            is_binary=columns.is_binary,
                            trace=trace_of([calls[number] for number in group.members]),
                        )
                        for group in groups
                    ),
                    return_exceptions=True,
                )
                for group, answer in zip(groups, answers, strict=True):
                    if isinstance(answer, BaseException):
                        raise answer
                    for number, output in zip(group.members, columns.outputs(answer, len(group.members)), strict=True):
                        outputs[number] = output
        except Gone as gone:
            self._went(gone.why)
            raise
        except TimeoutError:
            if timeout.expired():
                raise calls[0].timed_out(self.definition.name) from None
            raise
        return outputs

    def _went(self, why: str) -> None:
        if not self._is_away:
            self._is_away = True
            log.warning("the server of a model is away: %s", why, extra={"model": self.definition.reference})
        self._tell(why)


def _unheard(_: str) -> None:
    """Nobody asked."""


def _url_of(manifest: ModelManifest) -> str:
    for field in _OF_FILES:
        if getattr(manifest, field) is not None:
            raise _refusal(manifest, f"`{field}` is of a file that runs here, not of a model on another server")
    if manifest.threads != 1 or manifest.isolation != "thread":
        field = "threads" if manifest.threads != 1 else "isolation"
        raise _refusal(manifest, f"`{field}` is of a model that runs here, not of one on another server")
    given = manifest.url or ""
    try:
        url = httpx.URL(given)
    except httpx.InvalidURL:
        url = httpx.URL("")
    if url.scheme not in {"http", "https"} or not url.host or url.query or url.fragment:
        raise _refusal(manifest, "`url` must be that of its server, such as http://triton:8000")
    if url.userinfo:
        raise _refusal(manifest, "`url` must not hold a password; name the variable that holds a key in `api_key_env`")
    return given.rstrip("/").removesuffix("/v2")


def _api_key_of(manifest: ModelManifest) -> str | None:
    name = manifest.api_key_env
    if name is None:
        return None
    key = os.environ.get(name, "")
    if not key or not key.isascii() or not key.isprintable():
        found = "is not set" if not key else "holds characters that no key has"
        raise _refusal(manifest, f"`api_key_env`: the environment variable {name} {found}")
    return key


def _refusal(manifest: ModelManifest, reason: str) -> ModelDefinitionError:
    return ModelDefinitionError(f"Model {manifest.name!r}: {reason}.")
