"""``GET /models`` and ``/deployments``: what can be asked, and how each process has it."""

import msgspec
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from litestar.types import ASGIApp

from zypher_api.answers import DeploymentList, ModelList
from zypher_api.model_detail import model_detail, model_details
from zypher_api.openapi import ANY_SCOPE, Answer, Content, Operation
from zypher_api.responses import RawResponse
from zypher_api.routes.deployment_docs import example_detail
from zypher_api.routes.predict_docs import NAME
from zypher_api.routes.reading import read
from zypher_api.services import Services
from zypher_jobs.contracts.deployment import ModelDetail

_encode = msgspec.json.Encoder().encode


def handlers(services: Services) -> list[HTTPRouteHandler]:
    """The handlers of this file."""
    example = msgspec.structs.replace(services.default_model.info, ready=True, error=None)
    list_operation = Operation(
        method="get",
        path="/models",
        operation_id="list_models",
        scopes=ANY_SCOPE,
        tag="models",
        summary="List the models, with their schemas",
        answers={
            200: Answer(
                description="Every model.", content=Content(type=ModelList, example=ModelList(models=[example]))
            )
        },
    )
    read_operation = Operation(
        method="get",
        path="/models/{name}",
        operation_id="read_model",
        scopes=ANY_SCOPE,
        tag="models",
        summary="Read what one model takes and answers",
        parameters=(NAME,),
        description="With its versions, their shares of the traffic, and how each process has them.",
        answers={
            200: Answer(
                description="The model.",
                content=Content(type=ModelDetail, example=example_detail(services.default_model)),
            )
        },
        problems=("unknown_model",),
    )

    deployments_operation = Operation(
        method="get",
        path="/deployments",
        operation_id="list_deployments",
        scopes=ANY_SCOPE,
        tag="models",
        summary="List the models with their versions, as every process has them",
        description="What `GET /models/{name}` says, of all models at once.",
        answers={
            200: Answer(
                description="Every model, by name.",
                content=Content(
                    type=DeploymentList, example=DeploymentList(models=[example_detail(services.default_model)])
                ),
            )
        },
    )

    @read("/models", list_operation)
    async def list_models() -> ASGIApp:
        return RawResponse(_encode(ModelList(models=services.registry.infos())))

    @read("/models/{name:str}", read_operation)
    async def read_model(name: FromPath[str]) -> ASGIApp:
        return RawResponse(_encode(await model_detail(services, name)))

    @read("/deployments", deployments_operation)
    async def list_deployments() -> ASGIApp:
        return RawResponse(_encode(DeploymentList(models=await model_details(services))))

    return [list_models, read_model, list_deployments]
