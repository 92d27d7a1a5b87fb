"""The peer of ``bench.http``: the mock model's contract in FastAPI, as its own documentation writes it.

No middleware, no log, no metrics, no record: only the JSON in, the same constraints, the hash, the JSON out.
"""

import hashlib
from typing import Annotated

from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict, Field


class Input(BaseModel):
    """As ``zypher_jobs.models.runtimes.mock.MockInput``."""

    model_config = ConfigDict(extra="forbid")

    input: Annotated[str, Field(max_length=10_000, pattern=r"\S")]


class Output(BaseModel):
    """As ``MockOutput``."""

    input: str
    result: str


app = FastAPI()


@app.post("/predict")
async def predict(body: Input) -> Output:
    """The hash."""
    return Output(input=body.input, result=hashlib.sha256(body.input.encode()).hexdigest())
