"""The threads that models run in."""

import asyncio
import subprocess
import sys
import textwrap
import threading

import pytest

from zypher_jobs.models.runtimes.threads import ModelThreads


async def test_threads_start_only_when_needed() -> None:
    """One at a time needs one thread, however many there may be."""
    threads = ModelThreads(8)
    used = {await threads.submit(threading.get_ident) for _ in range(20)}
    assert len(used) == 1
    assert threads.close(5)


async def test_never_more_threads_than_allowed() -> None:
    """What does not fit waits, and runs in order of arrival."""
    threads = ModelThreads(2)
    used = set(await asyncio.gather(*(threads.submit(threading.get_ident) for _ in range(200))))
    assert 1 <= len(used) <= 2
    assert threads.close(5)


async def test_an_exception_is_the_futures() -> None:
    """The thread lives on."""
    threads = ModelThreads(1)
    with pytest.raises(ZeroDivisionError):
        await threads.submit(lambda: 1 // 0)
    assert await threads.submit(int, "5") == 5
    assert threads.close(5)


async def test_a_canceled_call_is_never_made() -> None:
    """While it waits for a thread it costs nothing to give up."""
    threads = ModelThreads(1)
    gate, called = threading.Event(), threading.Event()
    first = threads.submit(gate.wait, 10)
    threads.submit(called.set).cancel()
    gate.set()
    await first
    assert threads.close(5)
    assert not called.is_set()


async def test_close_says_when_a_thread_hangs() -> None:
    """It waits no longer than told."""
    threads, gate = ModelThreads(1), threading.Event()
    hung = threads.submit(gate.wait, 10)
    assert not threads.close(0.01)
    gate.set()
    await hung


def test_a_hung_model_does_not_keep_the_process() -> None:
    """The threads are daemons: the process ends though one of them never will."""
    program = """
        import asyncio, threading
        from zypher_jobs.models.runtimes.threads import ModelThreads

        async def main():
            ModelThreads(1).submit(threading.Event().wait)

        asyncio.run(main())
    """
    assert subprocess.run([sys.executable, "-c", textwrap.dedent(program)], timeout=20, check=False).returncode == 0
