"""``zypher deploy FILE``: an ONNX file and what is said of it → a version of a model, through the API."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import httpx
import msgspec

from zypher_jobs.contracts.model import ModelManifest
from zypher_jobs.errors import InvalidUpload, StartError, ZypherError
from zypher_jobs.models.store.directory import digest_of

ANSWER_S = 600.0
"""Longest wait for an answer: it comes when every process is ready."""
VERSION_CHARS = 12


def deploy(api_url: str, file: Path, said: dict[str, Any], *, live: bool, api_key: str | None = None) -> int:
    """Upload ``file``; ``said`` is its manifest, of which nothing has to be there. With ``live`` it gets all traffic.

    Prints what became of it; the exit code. Raises ``StartError`` when the API does not answer.
    """
    manifest = manifest_of(file, said)
    reference = f"{manifest.name}@{manifest.version}"
    path = f"{api_url}/models/{manifest.name}"
    headers = {"authorization": f"Bearer {api_key}"} if api_key else {}
    try:
        with httpx.Client(timeout=ANSWER_S, headers=headers) as client, file.open("rb") as opened:
            parts: Sequence[tuple[str, Any]] = [
                ("manifest", (None, msgspec.json.encode(manifest), "application/json")),
                ("file", (file.name, opened, "application/octet-stream")),
            ]
            detail = _answer(client.put(f"{path}/versions/{manifest.version}", files=parts))
            click.echo(f"{reference} is ready in {_processes(detail, manifest.version)}.")
            if live and _share(detail, manifest.version) < 1:
                detail = _answer(client.put(f"{path}/live", json={"shares": {manifest.version: 1}}))
    except httpx.TransportError as error:
        raise StartError(f"The API at {api_url} does not answer ({type(error).__name__}).") from error
    share = _share(detail, manifest.version)
    click.echo(
        f"It is live, with {share:.0%} of the traffic: POST {path}/predict"
        if share
        else f"It has no traffic yet: POST {path}/versions/{manifest.version}/predict asks it, --live sends all to it."
    )
    return 0


def manifest_of(file: Path, said: dict[str, Any]) -> ModelManifest:
    """The manifest of a file: named for it unless something else is said, its version the begin of its digest."""
    try:
        sha256 = digest_of(file)
    except OSError as error:
        raise StartError(f"{file} cannot be read ({error.strerror}).") from error
    name = re.sub(r"[^a-z0-9._-]+", "-", file.stem.lower()).strip("-._")
    known = {"name": name, "version": sha256[:VERSION_CHARS], **{key: value for key, value in said.items() if value}}
    try:
        return msgspec.convert({**known, "sha256": sha256}, ModelManifest)
    except msgspec.ValidationError as error:
        raise InvalidUpload(f"The manifest cannot be used: {error}.") from error


def _answer(answer: httpx.Response) -> dict[str, Any]:
    try:
        body = msgspec.json.decode(answer.content, type=dict[str, Any])
    except msgspec.DecodeError:
        body = {}
    if answer.is_success and "versions" in body:
        return body
    raise ZypherError(body.get("detail") or f"The API answered {answer.status_code}, which is no answer of Zypher.")


def _version(detail: dict[str, Any], version: str) -> dict[str, Any]:
    return next(each for each in detail["versions"] if each["version"] == version)


def _share(detail: dict[str, Any], version: str) -> float:
    return _version(detail, version)["share"]


def _processes(detail: dict[str, Any], version: str) -> str:
    count = len(_version(detail, version)["processes"])
    return f"{count} process" if count == 1 else f"{count} processes"
