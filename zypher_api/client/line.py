"""Requests and answers as httpx has them: what both clients need of it."""

from typing import TypedDict
from urllib.parse import urlsplit

import httpx

from zypher_api.client.messages import Answer, Request

CONNECT_TIMEOUT_S = 5.0
LIMITS = httpx.Limits(max_connections=None, max_keepalive_connections=100)
"""Waits hold a connection each: it is the server that says how many are too many."""


class Options(TypedDict):
    """What both of httpx's clients are made with."""

    base_url: str
    headers: dict[str, str]
    limits: httpx.Limits
    trust_env: bool
    verify: bool


def options(url: str, headers: dict[str, str]) -> Options:
    """For an API at ``url``. A proxy of the environment cannot reach this machine's loopback, so it is not asked to."""
    is_here = urlsplit(url).hostname in ("127.0.0.1", "localhost", "::1")
    # plain HTTP does not need the certificate store, which takes 20 ms to load
    return Options(base_url=url, headers=headers, limits=LIMITS, trust_env=not is_here, verify=url.startswith("https:"))


def built(http: httpx.Client | httpx.AsyncClient, request: Request) -> httpx.Request:
    """To be sent."""
    return http.build_request(
        request.method,
        request.path,
        headers=request.headers,
        content=request.body,
        timeout=httpx.Timeout(request.timeout_s, connect=min(CONNECT_TIMEOUT_S, request.timeout_s), pool=None),
    )


def is_stream(response: httpx.Response) -> bool:
    """Whether events follow."""
    return response.status_code == 200 and response.headers.get("content-type", "").startswith("text/event-stream")


def answer_of(response: httpx.Response) -> Answer:
    """One that was read; of a stream, its head."""
    body = b"" if is_stream(response) else response.content
    return Answer(status=response.status_code, headers=response.headers, body=body)
