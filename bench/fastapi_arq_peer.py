"""The peer of asynchronous submits in ``bench.http``: FastAPI and arq, as their documentations write them.

The same body and the same constraints as ``fastapi_peer``; what comes goes into the queue by ``enqueue_job``, and the
answer is its id, by 202. No middleware, no log, no record.
"""

import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Annotated

from arq import ArqRedis, create_pool
from arq.connections import RedisSettings
from fastapi import Depends, FastAPI, HTTPException
from pydantic import BaseModel

from bench.fastapi_peer import Input


class Accepted(BaseModel):
    """Where the answer will be."""

    prediction_id: str
    status: str


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
    """With arq's own pool."""
    app.state.arq = await create_pool(RedisSettings(unix_socket_path=os.environ["BENCH_SOCKET"]))
    yield
    await app.state.arq.aclose()


app = FastAPI(lifespan=lifespan)


def pool() -> ArqRedis:
    """Of the application."""
    return app.state.arq


@app.post("/predict", status_code=202)
async def predict(body: Input, arq: Annotated[ArqRedis, Depends(pool)]) -> Accepted:
    """Into the queue."""
    job = await arq.enqueue_job("predict", body.input)
    if job is None:
        raise HTTPException(409)
    return Accepted(prediction_id=job.job_id, status="queued")
