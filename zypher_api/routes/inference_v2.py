"""``/v2``: the Open Inference Protocol v2, with Triton's extensions for binary tensors, over the same models."""

import msgspec
from litestar.params import FromPath
from litestar.types import ASGIApp, ControllerRouterHandler

from zypher_api.answers import Live, Ready
from zypher_api.predicting import check_known, not_ready
from zypher_api.responses import RawResponse
from zypher_api.routes import inference_v2_docs as described
from zypher_api.routes.reading import read
from zypher_api.routes.system import check_ready
from zypher_api.services import Services
from zypher_jobs import __version__
from zypher_jobs.contracts.inference import ModelMetadata, ModelReady, ServerMetadata, WireSpec
from zypher_jobs.models import ServedModel

EXTENSIONS = ["binary_tensor_data", "generate", "model_repository"]

_encode = msgspec.json.Encoder().encode
_NO_STORE = [(b"cache-control", b"no-store")]
_REFUSED = {"sequence_id": "sequences of requests are not served"}


def handlers(services: Services) -> list[ControllerRouterHandler]:
    """The handlers of this file."""
    example = services.default_model

    @read("/v2", described.SERVER)
    async def server_metadata() -> ASGIApp:
        return RawResponse(_encode(ServerMetadata(name="zypher", version=__version__, extensions=EXTENSIONS)))

    @read("/v2/health/live", described.LIVE)
    async def server_live() -> ASGIApp:
        return RawResponse(_encode(Live()), headers=_NO_STORE)

    @read("/v2/health/ready", described.READY)
    async def server_ready() -> ASGIApp:
        await check_ready(services)
        return RawResponse(_encode(Ready()), headers=_NO_STORE)

    @read("/v2/models/{name:str}", described.model(example))
    async def model_metadata(name: FromPath[str]) -> ASGIApp:
        return RawResponse(_encode(_metadata(services, services.registry.get(name))))

    @read("/v2/models/{name:str}/versions/{version:str}", described.version(example))
    async def version_metadata(name: FromPath[str], version: FromPath[str]) -> ASGIApp:
        return RawResponse(_encode(_metadata(services, services.registry.get(name, version))))

    @read("/v2/models/{name:str}/ready", described.MODEL_READY)
    async def model_ready(name: FromPath[str]) -> ASGIApp:
        return _model_ready(services.registry.get(name))

    @read("/v2/models/{name:str}/versions/{version:str}/ready", described.VERSION_READY)
    async def version_ready(name: FromPath[str], version: FromPath[str]) -> ASGIApp:
        return _model_ready(services.registry.get(name, version))

    return [
        *(server_metadata, server_live, server_ready),
        *(model_metadata, version_metadata, model_ready, version_ready),
    ]


def _metadata(services: Services, served: ServedModel) -> ModelMetadata:
    check_known(served)
    form = served.tensors
    return ModelMetadata(
        name=served.name,
        versions=[each.version for each in services.registry.versions(served.name).all],
        platform="zypher",
        inputs=[WireSpec(name=s.name, datatype=s.datatype, shape=form.shape(s)) for s in form.inputs],
        outputs=[WireSpec(name=s.name, datatype=s.datatype, shape=form.shape(s)) for s in form.outputs],
    )


def _model_ready(served: ServedModel) -> RawResponse:
    if not served.info.ready:
        raise not_ready(served)
    return RawResponse(_encode(ModelReady(name=served.name)), headers=_NO_STORE)
