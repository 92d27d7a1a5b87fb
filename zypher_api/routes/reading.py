"""``read``: the decorator of handlers that only read."""

from litestar.enums import HttpMethod
from litestar.handlers import HTTPRouteHandler, route

from zypher_api.openapi import OPT, Operation


def read(path: str, *documented: Operation) -> HTTPRouteHandler:
    """GET, and HEAD with the same headers (RFC 9110 §9.3.2): uvicorn leaves its body out."""
    return route(path, http_method=[HttpMethod.GET, HttpMethod.HEAD], opt={OPT: list(documented)})
