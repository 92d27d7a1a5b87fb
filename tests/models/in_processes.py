"""Models in processes of their own, as tests look at them from outside."""

import asyncio
import os
from pathlib import Path
from typing import Any

from tests.models.villains import Order
from zypher_jobs.models import Model, ModelRegistry, ServedModel
from zypher_jobs.testing import wait_until


async def loaded(registry: ModelRegistry, model: type[Model[Any, Any]]) -> ServedModel:
    served = registry.add(model)
    await registry.load_all()
    return served


async def pid_of(served: ServedModel) -> int:
    """Of the child that answers."""
    pid: int = (await served.run(Order(), timeout_s=20)).pid
    assert pid != os.getpid()
    return pid


def lives(pid: int) -> bool:
    """Whether there is such a process, and it is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


async def begun(served: ServedModel, do: str) -> tuple["asyncio.Task[Any]", list[Any]]:
    """A run that its model has begun, with what it said."""
    heard = Heard()
    task = asyncio.create_task(served.run(Order(do=do), timeout_s=60, listener=heard))
    await wait_until(lambda: heard.all)
    return task, heard.all


class Heard:
    """A listener that keeps it all."""

    def __init__(self) -> None:
        self.all: list[Any] = []

    def progress(self, fraction: float, message: str) -> None:
        self.all.append((fraction, message))

    def log(self, line: str) -> None:
        self.all.append(line)

    def chunk(self, output: Any) -> None:
        self.all.append(output)
