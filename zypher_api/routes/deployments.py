"""Versions of models: upload one, send traffic to it, roll back, delete.

``PUT /models/{name}/versions/{version}``, ``PUT /models/{name}/live``, ``POST /models/{name}/rollback``, ``DELETE``.
Each answers when every process of every machine has followed, with the model as ``GET /models/{name}`` shows it.
"""

import ipaddress
from typing import Any

import msgspec
from litestar import Request
from litestar.handlers import HTTPRouteHandler, delete, post, put
from litestar.params import FromPath
from litestar.types import ASGIApp, Receive, Scope, Send

from zypher_api.answers import ModelList
from zypher_api.auth import caller_of
from zypher_api.bodies import read_body
from zypher_api.keyring import Caller
from zypher_api.model_detail import model_detail
from zypher_api.negotiation import require_json
from zypher_api.openapi import OPT
from zypher_api.problems import DeployOff
from zypher_api.responses import RawResponse
from zypher_api.routes import deployment_docs
from zypher_api.services import Services
from zypher_api.uploads import Upload
from zypher_jobs.contracts.deployment import Traffic
from zypher_jobs.contracts.model import ModelManifest
from zypher_jobs.contracts.operation import Action
from zypher_jobs.errors import InvalidUpload, MalformedInput
from zypher_jobs.models.store.incoming import Incoming
from zypher_jobs.settings import Settings

_encode = msgspec.json.Encoder().encode
TRAFFIC_BYTES = 16_384


def handlers(services: Services) -> list[HTTPRouteHandler]:
    """The handlers of this file."""
    docs = deployment_docs.operations(services.default_model)

    async def answer(name: str, status: int = 200) -> RawResponse:
        return RawResponse(_encode(await model_detail(services, name)), status=status)

    @put("/models/{name:str}/versions/{version:str}", opt={OPT: [docs.upload]})
    async def upload_version(name: FromPath[str], version: FromPath[str]) -> ASGIApp:
        async def upload(scope: Scope, receive: Receive, send: Send) -> None:
            _require_deploy(services.settings, caller_of(scope))
            services.rollout.require_new(name, version)
            body = Upload(dict(scope["headers"]).get(b"content-type"), receive)
            manifest = read_manifest(await body.manifest(), name=name, version=version)
            incoming = Incoming(services.settings.data_dir / "models", max_bytes=services.settings.model_max_bytes)
            async with incoming:
                async for chunk in body.file():
                    await incoming.write(chunk)
                await incoming.finish(manifest.sha256 or "")
                await services.rollout.upload(manifest, incoming)
            await services.audit.note(scope, Action.UPLOAD, f"{name}@{version}", detail=f"sha256 {manifest.sha256}")
            await (await answer(name, 201))(scope, receive, send)

        return upload

    @put("/models/{name:str}/live", opt={OPT: [docs.live]})
    async def set_live(name: FromPath[str], request: Request[Any, Any, Any]) -> ASGIApp:
        _require_deploy(services.settings, caller_of(request.scope))
        headers = dict(request.scope["headers"])
        require_json(headers.get(b"content-type"))
        body = await read_body(headers, request.receive, max_bytes=TRAFFIC_BYTES)
        traffic = read_traffic(body)
        await services.rollout.switch(name, traffic)
        await services.audit.note(request.scope, Action.SET_LIVE, name, detail=_encode(traffic).decode())
        return await answer(name)

    @post("/models/{name:str}/rollback", opt={OPT: [docs.roll_back]})
    async def roll_back(name: FromPath[str], request: Request[Any, Any, Any]) -> ASGIApp:
        _require_deploy(services.settings, caller_of(request.scope))
        await services.rollout.roll_back(name)
        await services.audit.note(request.scope, Action.ROLL_BACK, name)
        return await answer(name)

    @delete("/models/{name:str}/versions/{version:str}", status_code=200, opt={OPT: [docs.delete_version]})
    async def delete_version(name: FromPath[str], version: FromPath[str], request: Request[Any, Any, Any]) -> ASGIApp:
        _require_deploy(services.settings, caller_of(request.scope))
        await services.rollout.remove(name, version)
        await services.audit.note(request.scope, Action.DELETE_VERSION, f"{name}@{version}")
        return await answer(name)

    @delete("/models/{name:str}", status_code=200, opt={OPT: [docs.delete_model]})
    async def delete_model(name: FromPath[str], request: Request[Any, Any, Any]) -> ASGIApp:
        _require_deploy(services.settings, caller_of(request.scope))
        await services.rollout.forget(name)
        await services.audit.note(request.scope, Action.DELETE_MODEL, name)
        return RawResponse(_encode(ModelList(models=services.registry.infos())))

    return [upload_version, set_live, roll_back, delete_version, delete_model]


def read_manifest(text: bytes, *, name: str, version: str) -> ModelManifest:
    """The manifest of an upload: that of a file, for the model and version of the path. Raises ``InvalidUpload``."""
    try:
        said = msgspec.json.decode(text, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidUpload(f"The manifest is no JSON object ({error}).", field="manifest") from None
    for field, wanted in (("name", name), ("version", version)):
        if said.setdefault(field, wanted) != wanted:
            raise InvalidUpload(
                f"The manifest says {field} {said[field]!r} and the path says {wanted!r}.", field=f"manifest.{field}"
            )
    try:
        manifest = msgspec.convert(said, ModelManifest)
    except msgspec.ValidationError as error:
        what, _, path = str(error).partition(" - at `$.")
        field = path.rstrip("`") or _unknown(what)
        raise InvalidUpload(f"The manifest cannot be used: {what}.", field=f"manifest.{field}".rstrip(".")) from None
    if manifest.sha256 is None:
        raise InvalidUpload(
            "The manifest lacks sha256, by which every machine checks the file; sha256sum FILE prints it.",
            field="manifest.sha256",
        )
    if manifest.runtime != "onnx":
        raise InvalidUpload(
            f"An upload is an ONNX file; a {manifest.runtime} model is named in zypher.toml.", field="manifest.runtime"
        )
    return manifest


def _unknown(what: str) -> str:
    """The field that a sentence of msgspec names: ``Object contains unknown field `x```."""
    return what.rpartition(" field `")[2].rstrip("`") if " field `" in what else ""


def read_traffic(body: bytes) -> Traffic:
    """The body of a switch; raises ``MalformedInput`` or ``InvalidUpload``."""
    example = '{"shares": {"1": 90, "2": 10}}'
    if not body.strip():
        raise MalformedInput(f"The body is empty; send JSON such as {example}.")
    try:
        return msgspec.json.decode(body, type=Traffic)
    except msgspec.ValidationError as error:
        what, _, path = str(error).partition(" - at `$")
        raise InvalidUpload(f"{what}; send JSON such as {example}.", field=f"${path.rstrip('`')}") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedInput(f"The body is not valid JSON ({error}); send JSON such as {example}.") from None


def _require_deploy(settings: Settings, caller: Caller) -> None:
    if settings.deploy == "on" or (settings.deploy == "local" and (caller.key_id or is_loopback(settings.host))):
        return
    if settings.deploy == "off":
        raise DeployOff("Models are not deployed over HTTP here: ZYPHER_DEPLOY is off.")
    raise DeployOff(
        "Models are deployed over HTTP only while the API listens on loopback; ZYPHER_DEPLOY=on allows it to everybody "
        "who can reach it."
    )


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach what listens on ``host``."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
