"""``create_app``: the wiring of the HTTP API, and nothing else."""

from litestar import Litestar
from litestar.plugins import PluginProtocol
from litestar.routes import HTTPRoute
from litestar.types import ControllerRouterHandler

from zypher_api.auth import protect
from zypher_api.direct import Direct
from zypher_api.problems import EXCEPTION_HANDLERS
from zypher_api.routes import (
    audit,
    bulk,
    dead_letters,
    deployments,
    docs,
    events,
    history,
    inference_v2,
    inference_v2_generate,
    inference_v2_infer,
    inference_v2_repository,
    inputs,
    keys,
    models,
    operating,
    predict,
    prediction_events,
    prediction_list,
    predictions,
    queues,
    submit_many,
    system,
    webhooks,
    workers,
)
from zypher_api.seat import Seat
from zypher_api.services import Services
from zypher_api.watch import Watch
from zypher_jobs.settings import Settings


class LeanLitestar(Litestar):
    """Without the plugins for pydantic and attrs, whose import is a quarter of a start wherever they happen to be
    installed; no handler here uses them."""

    @staticmethod
    def _get_default_plugins(plugins: list[PluginProtocol]) -> list[PluginProtocol]:
        return plugins


def create_app(settings: Settings, seat: Seat | None = None) -> Litestar:
    """The API as an ASGI application. Nothing is connected or loaded before its lifespan begins.

    ``app.state["services"]`` holds its parts. ``seat`` is this process's among several. Raises ``SettingError`` or
    ``ModelDefinitionError``.
    """
    services = Services(settings, seat)
    handlers: list[ControllerRouterHandler] = [
        *predict.handlers(services),
        *predictions.handlers(services),
        *prediction_events.handlers(services),
        *prediction_list.handlers(services),
        *submit_many.handlers(services),
        *operating.handlers(services),
        *bulk.handlers(services),
        *queues.handlers(services),
        *workers.handlers(services),
        *audit.handlers(services),
        *dead_letters.handlers(services),
        *history.handlers(services),
        *inputs.handlers(services),
        *models.handlers(services),
        *inference_v2.handlers(services),
        *inference_v2_infer.handlers(services),
        *inference_v2_generate.handlers(services),
        *inference_v2_repository.handlers(services),
        *deployments.handlers(services),
        *webhooks.handlers(services),
        *events.handlers(services),
        *system.handlers(services),
        *keys.handlers(services),
    ]
    app = LeanLitestar(
        route_handlers=[*protect(handlers, services.auth, services.limits), *docs.handlers()],
        lifespan=[services.running],
        exception_handlers=EXCEPTION_HANDLERS,
        openapi_config=None,  # zypher_api.openapi makes the document
        logging_config=None,  # zypher_jobs.logs configured it
    )
    app.state["services"] = services
    for route in app.routes:
        if isinstance(route, HTTPRoute):
            _allow_all_methods(app, route)
    app.asgi_handler = Watch(
        Direct(app.asgi_handler, handlers),
        gate=services.gate,
        meter=services.meter,
        log=services.request_log,
        tracer=services.tracer,
        routes=[route.path_format for route in app.routes],
    )
    return app


def _allow_all_methods(app: Litestar, route: HTTPRoute) -> None:
    """Have ``OPTIONS`` name every method of a path: Litestar's answer knows those of the path's first handler."""
    options = route.create_options_handler(route.path)
    options.owner = app
    options.on_registration(app)
    route.route_handler_map["OPTIONS"] = (options, options.create_kwargs_model(route.path_parameters))
