"""``Again``: a load that is tried until it has worked."""

import asyncio

from tests.models import virtual_time
from zypher_jobs.models.again import Again


def test_pauses_double_up_to_a_bound() -> None:
    """Soon at first, every ten seconds in the end, and no more once it has worked."""

    async def main() -> list[float]:
        loop = asyncio.get_running_loop()
        tried = list[float]()

        async def load() -> bool:
            tried.append(round(loop.time(), 3))
            return len(tried) == 10

        again = Again(load)
        again.begin()
        again.begin()
        await asyncio.sleep(120)
        again.begin()  # another time: soon again
        await asyncio.sleep(0.15)
        again.end()
        return tried

    assert virtual_time.run(main()) == [0.1, 0.3, 0.7, 1.5, 3.1, 6.3, 12.7, 22.7, 32.7, 42.7, 120.1]


def test_it_can_be_ended() -> None:
    """What is let go of is not loaded any more."""

    async def main() -> int:
        tried = 0

        async def load() -> bool:
            nonlocal tried
            tried += 1
            return False

        again = Again(load)
        again.begin()
        await asyncio.sleep(0.2)
        again.end()
        again.end()
        await asyncio.sleep(60)
        return tried

    assert virtual_time.run(main()) == 1
