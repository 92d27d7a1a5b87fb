"""What tests of webhooks do."""

from typing import Any

import httpx

from zypher_jobs.testing import wait_until

ASYNC = {"Prefer": "respond-async"}


async def submit(api: httpx.AsyncClient, url: str, events: str | None = None, **options: Any) -> str:
    """A prediction with a webhook of its own; its id."""
    headers = (
        ASYNC
        | options.get("headers", {})
        | {"Webhook-Url": url}
        | ({} if events is None else {"Webhook-Events": events})
    )
    path, body = options.get("path", "/predict"), options.get("json", {"input": "hello"})
    answer = await api.post(path, json=body, headers=headers)
    assert answer.status_code == 202, answer.text
    return answer.json()["prediction_id"]


async def register(api: httpx.AsyncClient, url: str, **options: Any) -> dict[str, Any]:
    """A webhook; it, with its secret."""
    answer = await api.post("/webhooks", json={"url": url, **options})
    assert answer.status_code == 201, answer.text
    return answer.json()


async def deliveries(api: httpx.AsyncClient, prediction_id: str) -> list[dict[str, Any]]:
    """Those of a prediction."""
    return (await api.get(f"/predict/{prediction_id}/deliveries")).json()["deliveries"]


async def settled(api: httpx.AsyncClient, prediction_id: str) -> dict[str, Any]:
    """Its only delivery, once it is pending no more."""

    async def done() -> dict[str, Any] | None:
        found = await deliveries(api, prediction_id)
        return found[0] if found and found[0]["state"] != "pending" else None

    settled = await wait_until(done, timeout_s=30)
    assert settled is not None
    return settled
