"""``just bench hot_switch``: versions are switched under load, and no request may fail.

``zypher up`` with two workers, and a second API process. Callers ask both APIs, one in ten through the queue, while
all traffic goes to and fro between two versions, and every other turn a damaged file, or one of another digest, comes.
Each answer has to be that of the version that it names. Exit code 1 when one request fails, when an answer is
not its version's, or when a bad upload is not refused.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import msgspec

from tests.models.deploying import adds, sha256_of
from tests.process.stack import Up
from tests.process.test_deploy import another_api

CALLERS = 16


def main() -> int:
    """Run, print, and judge."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--requests", type=int, default=20_000)
    options = arguments.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        up = Up(Path(directory), workers=2, record_sync="errors")
        try:
            return asyncio.run(_run(up, options.requests))
        finally:
            up.kill_everything()


async def _run(up: Up, requests: int) -> int:
    await up.start_and_wait()
    outcomes = Counter[str]()
    async with another_api(up) as other, httpx.AsyncClient(timeout=60) as client:
        for version in ("1", "2"):
            answer = await upload(client, up.url, version, adds(int(version)), sha256_of(adds(int(version))))
            answer.raise_for_status()
        switching = asyncio.create_task(_switch(client, [up.url, other], outcomes))
        started_s = time.perf_counter()
        left = iter(range(requests))
        await asyncio.gather(*(_call([up.url, other], left, outcomes) for _ in range(CALLERS)))
        took_s = time.perf_counter() - started_s
        switching.cancel()
        await asyncio.wait([switching])
        if not switching.cancelled():
            switching.result()  # it ended by itself: with an error
    failed = {what: count for what, count in outcomes.items() if what.startswith(("failed", "wrong", "taken"))}
    print(f"{requests:,} requests in {took_s:.1f} s, {sum(failed.values())} failed")
    for what, count in sorted(outcomes.items()):
        print(f"  {count:>7,}  {what}")
    return 1 if failed else 0


async def upload(client: httpx.AsyncClient, url: str, version: str, content: bytes, sha256: str) -> httpx.Response:
    """PUT a file as a version of ``adds``."""
    manifest = msgspec.json.encode({"sha256": sha256})
    parts: list[tuple[str, Any]] = [("manifest", (None, manifest)), ("file", ("adds.onnx", content))]
    return await client.put(f"{url}/models/adds/versions/{version}", files=parts)


async def _call(urls: list[str], left: Any, outcomes: Counter[str]) -> None:
    async with httpx.AsyncClient(timeout=60) as client:
        for number in left:
            through = "queued" if number % 10 == 0 else "synchronous"
            headers = {"prefer": "respond-async, wait=30"} if through == "queued" else {}
            url = f"{urls[number % 2]}/models/adds/predict"
            try:
                answer = await client.post(url, json={"x": number % 1000}, headers=headers)
            except httpx.TransportError as error:
                outcomes[f"failed: {type(error).__name__}"] += 1
                continue
            version = answer.headers.get("model-version", "")
            if answer.status_code != 200:
                outcomes[f"failed: {answer.status_code} {answer.text[:200]}"] += 1
            elif answer.json()["y"] != number % 1000 + int(version.removeprefix("adds@")):
                outcomes[f"wrong: {version} answered {answer.text}, {through}"] += 1
            else:
                outcomes[f"{through} answers of {version}"] += 1


async def _switch(client: httpx.AsyncClient, urls: list[str], outcomes: Counter[str]) -> None:
    good = adds(3)
    for number in range(1_000_000):
        url = urls[number % 2]
        answer = await client.put(f"{url}/models/adds/live", json={"shares": {str(2 - number % 2): 1}})
        outcomes["switches" if answer.is_success else f"failed switch: {answer.text[:200]}"] += 1
        if number % 2:
            content, sha256 = (good[:-1], sha256_of(good[:-1])) if number % 4 == 1 else (good, sha256_of(b"another"))
            refused = await upload(client, url, "3", content, sha256)
            outcomes["bad uploads refused" if refused.status_code == 422 else f"taken: {refused.text[:200]}"] += 1
        await asyncio.sleep(0.2)


if __name__ == "__main__":
    sys.exit(main())
