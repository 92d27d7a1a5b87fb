"""The Python client of the HTTP API, blocking and for asyncio. docs/client.md has it with examples.

>>> from zypher_api.client import Client
>>> with Client() as zypher:
...     zypher.predict({"input": "hello"})["result"][:8]
...     zypher.submit({"input": "hello"}).wait()["result"][:8]
'2cf24dba'
'2cf24dba'

It needs httpx and msgspec, and loads neither the web framework nor Redis.
"""

from zypher_api.client.awaiting import AsyncClient, AsyncHandle
from zypher_api.client.blocking import Client, Handle
from zypher_api.client.errors import (
    Conflict,
    Forbidden,
    Invalid,
    InvalidSignature,
    NotFound,
    PredictionCanceled,
    PredictionExpired,
    PredictionFailed,
    RateLimited,
    Refused,
    ServerError,
    SomeRefused,
    StreamBroken,
    Unauthorized,
    Unavailable,
    Unreachable,
    WaitTimeout,
    ZypherError,
)
from zypher_api.client.event_parser import Event
from zypher_api.client.patience import Retries
from zypher_api.client.progress_line import ProgressLine
from zypher_api.client.webhooks import verify_webhook
from zypher_jobs.contracts.prediction import Prediction, PredictionSummary, Priority, Status
from zypher_jobs.contracts.webhook import WebhookPayload

__all__ = [
    "AsyncClient",
    "AsyncHandle",
    "Client",
    "Conflict",
    "Event",
    "Forbidden",
    "Handle",
    "Invalid",
    "InvalidSignature",
    "NotFound",
    "Prediction",
    "PredictionCanceled",
    "PredictionExpired",
    "PredictionFailed",
    "PredictionSummary",
    "Priority",
    "ProgressLine",
    "RateLimited",
    "Refused",
    "Retries",
    "ServerError",
    "SomeRefused",
    "Status",
    "StreamBroken",
    "Unauthorized",
    "Unavailable",
    "Unreachable",
    "WaitTimeout",
    "WebhookPayload",
    "ZypherError",
    "verify_webhook",
]
