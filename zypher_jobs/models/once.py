"""``predict_once``: one model, one prediction, no server, no queue: for the command line and for tests."""

from zypher_jobs.errors import ModelNotReady
from zypher_jobs.models.call import NOBODY, Listener
from zypher_jobs.models.served import ServedModel


async def predict_once(served: ServedModel, body: bytes, *, timeout_s: float, listener: Listener = NOBODY) -> bytes:
    """JSON in, JSON out, as over HTTP; the model is loaded before and let go of after.

    Raises ``InvalidInput`` before anything is loaded; ``ModelNotReady``, caused by what ``load`` raised; what a run
    raises.
    """
    input = served.decode(body)
    await served.load()
    if served.error is not None:
        raise ModelNotReady(f"Model {served.name!r} does not load: {served.error.rstrip('.')}.") from served.failure
    try:
        return served.encode(await served.run(input, timeout_s=timeout_s, listener=listener))
    finally:
        await served.unload()
