"""``create_app``: the wiring of the HTTP API, and nothing else."""

from litestar import Litestar

from zypher_api.problems import EXCEPTION_HANDLERS
from zypher_api.routes import docs, models, predict, predictions, system
from zypher_api.services import Services
from zypher_api.watch import Watch
from zypher_jobs.settings import Settings


def create_app(settings: Settings) -> Litestar:
    """The API as an ASGI application. Nothing is connected or loaded before its lifespan begins.

    ``app.state["services"]`` holds its parts. Raises ``SettingError`` or ``ModelDefinitionError``.
    """
    services = Services(settings)
    app = Litestar(
        route_handlers=[
            *predict.handlers(services),
            *predictions.handlers(services),
            *models.handlers(services),
            *system.handlers(services),
            *docs.handlers(),
        ],
        lifespan=[services.running],
        exception_handlers=EXCEPTION_HANDLERS,
        openapi_config=None,  # zypher_api.openapi makes the document
        logging_config=None,  # zypher_jobs.logs configured it
    )
    app.state["services"] = services
    app.asgi_handler = Watch(
        app.asgi_handler,
        meter=services.meter,
        log=services.request_log,
        routes=[route.path_format for route in app.routes],
    )
    return app
