"""Asks the model in ``language.py`` for the languages of many texts at once, through the queue."""

import asyncio
import sys

import msgspec

from zypher_api.client import AsyncClient


class Language(msgspec.Struct):
    """What it gives."""

    language: str
    confidence: float


async def ask(texts: list[str]) -> list[Language]:
    """In the order of the texts; what waits together runs together."""
    async with AsyncClient() as zypher:
        submitted = (zypher.submit({"text": text}, model="languages", output_type=Language) for text in texts)
        handles = await asyncio.gather(*submitted)
        return await asyncio.gather(*(handle.wait(timeout_s=60) for handle in handles))


if __name__ == "__main__":
    for found in asyncio.run(ask(sys.argv[1:])):
        print(f"{found.language} {found.confidence:.2f}")
