"""A model that does its work beside the villains, in a thread of the server's own process."""

from hashlib import sha256

from tests.models.villains import Order, Pid
from zypher_jobs.models import Model


class Quiet(Model[Order, Pid]):
    """A tenth of a millisecond of work."""

    def predict(self, input: Order) -> Pid:
        """Hash a while."""
        digest = input.text.encode()
        for _ in range(100):
            digest = sha256(digest).digest()
        return Pid(pid=len(digest), text=input.text)
