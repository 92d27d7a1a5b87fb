"""``/docs``: the API's pages, from files that are on this machine; nothing is fetched from elsewhere."""

from functools import cache
from typing import Any

import msgspec
from litestar import Litestar, Request
from litestar.exceptions import NotFoundException
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from litestar.types import ASGIApp
from openapi_ui_bundles import rapidoc, swagger_ui

from zypher_api.answers import Links
from zypher_api.openapi import Answer, Content, Operation, document, operations
from zypher_api.responses import Header, RawResponse
from zypher_api.routes.reading import read
from zypher_api.services import Services
from zypher_jobs import __version__
from zypher_jobs.models.definition import ModelDefinition

_encode = msgspec.json.Encoder().encode

PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Zypher</title>
<link rel="stylesheet" href="/docs/swagger-ui.css">
<link rel="stylesheet" href="/docs/page.css">
<link rel="icon" type="image/png" href="/docs/favicon-32x32.png">
</head>
<body>
<nav><a href="/docs/rapidoc">One call at a time: RapiDoc</a></nav>
<div id="pages"></div>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/page.js"></script>
</body>
</html>
"""
RAPIDOC = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Zypher</title>
<link rel="stylesheet" href="/docs/page.css">
<link rel="icon" type="image/png" href="/docs/favicon-32x32.png">
<script src="/docs/rapidoc-min.js" type="module"></script>
</head>
<body>
<rapi-doc spec-url="/docs/openapi.json" load-fonts="false" render-style="focused" layout="row" theme="light"
  primary-color="#2f6f4f" show-header="false" allow-server-selection="false" show-method-in-nav-bar="as-colored-text"
  use-path-in-nav-bar="false" schema-description-expanded="true" persist-auth="false"
  fill-request-fields-with-example="true">
<nav slot="nav-logo"><a href="/docs">Swagger UI</a></nav>
</rapi-doc>
</body>
</html>
"""
SCRIPT = """\
SwaggerUIBundle({
  url: "/docs/openapi.json",
  dom_id: "#pages",
  deepLinking: true,
  docExpansion: "list",
  defaultModelsExpandDepth: 0,
  displayRequestDuration: true,
  tryItOutEnabled: true,
  validatorUrl: null,
});
"""
STYLE = """\
body { margin: 0; background: #fff; }
.swagger-ui .info { margin: 32px 0 16px; }
.swagger-ui .info p, .swagger-ui .info li { line-height: 1.7; }
nav { font: 14px sans-serif; padding: 12px 20px; text-align: right; }
nav a { color: inherit; }
/* one server and no links: their pickers would only ask what has one answer */
.swagger-ui .schemes-server-container, .swagger-ui .operation-servers, .swagger-ui .response-col_links {
  display: none;
}
.swagger-ui .scheme-container { box-shadow: none; padding: 0; }
.swagger-ui .wrapper { max-width: 1100px; }
"""
_OURS = {"page.js": (SCRIPT.encode(), b"text/javascript"), "page.css": (STYLE.encode(), b"text/css")}
_THEIRS = {
    "swagger-ui.css": b"text/css",
    "swagger-ui-bundle.js": b"text/javascript",
    "favicon-32x32.png": b"image/png",
    "rapidoc-min.js": b"text/javascript",
}
# the page may load nothing but what this server holds; Swagger UI styles and draws inline
_POLICY: Header = (
    b"content-security-policy",
    b"default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'",
)
_LINKS = Links(name="zypher", version=__version__)
_ROOT = Operation(
    method="get",
    path="/",
    operation_id="root",
    scopes=(),
    tag="documentation",
    summary="Where to go from here",
    answers={
        200: Answer(description="The main paths.", content=Content(type=Links, example=_LINKS)),
        303: Answer(description="For browsers: to `/docs`.", headers={"Location": "`/docs`"}),
    },
)
_PAGE = Operation(
    method="get",
    path="/docs",
    operation_id="docs",
    scopes=(),
    tag="documentation",
    summary="These pages",
    answers={
        200: Answer(
            description="A page for browsers.",
            content=Content(type=str, example="<!doctype html>…", media_type="text/html"),
        )
    },
)
_RAPIDOC = msgspec.structs.replace(
    _PAGE, path="/docs/rapidoc", operation_id="docs_rapidoc", summary="These pages, one call at a time"
)
_DOCUMENT = Operation(
    method="get",
    path="/docs/openapi.json",
    operation_id="openapi",
    scopes=(),
    tag="documentation",
    summary="This API, for programs",
    answers={
        200: Answer(
            description="An OpenAPI 3.1 document.",
            content=Content(type=dict[str, Any], example={"openapi": "3.1.0"}),
        )
    },
)


def openapi_json(app: Litestar) -> bytes:
    """The OpenAPI document of an application, running or not."""
    return _encode(document(operations(app), version=__version__))


def handlers() -> list[HTTPRouteHandler]:
    """The handlers of this file."""

    made: list[tuple[list[ModelDefinition], bytes]] = []

    def document_of(app: Litestar) -> bytes:
        """Made again when what some model takes has changed."""
        services: Services = app.state["services"]
        definitions = [served.definition for served in services.registry.all()]
        if not made or made[0][0] != definitions:
            made[:] = [(definitions, openapi_json(app))]
        return made[0][1]

    @read("/", _ROOT)
    async def root(request: Request[Any, Any, Any]) -> ASGIApp:
        if "text/html" in request.headers.get("accept", ""):
            return RawResponse(b"", status=303, headers=[(b"location", b"/docs")])
        return RawResponse(_encode(_LINKS))

    @read("/docs", _PAGE)
    async def page() -> ASGIApp:
        return RawResponse(PAGE.encode(), media_type=b"text/html; charset=utf-8", headers=[_POLICY])

    @read("/docs/rapidoc", _RAPIDOC)
    async def one_by_one() -> ASGIApp:
        return RawResponse(RAPIDOC.encode(), media_type=b"text/html; charset=utf-8", headers=[_POLICY])

    @read("/docs/openapi.json", _DOCUMENT)
    async def openapi(request: Request[Any, Any, Any]) -> ASGIApp:
        return RawResponse(document_of(request.app))

    @read("/docs/{file:str}")
    async def asset(file: FromPath[str]) -> ASGIApp:
        body, media_type = _asset(file)
        return RawResponse(body, media_type=media_type, headers=[(b"cache-control", b"public, max-age=3600")])

    return [root, page, one_by_one, openapi, asset]


@cache
def _asset(file: str) -> tuple[bytes, bytes]:
    if file in _OURS:
        return _OURS[file]
    if file in _THEIRS:
        place = rapidoc.static_path if file.startswith("rapidoc") else swagger_ui.static_path
        return (place / file).read_bytes(), _THEIRS[file]
    raise NotFoundException
