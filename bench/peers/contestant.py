"""What each contestant can do."""

from abc import ABC, abstractmethod
from collections.abc import Sequence


class Contestant(ABC):
    """One queue, at its best settings, over the server at ``url``. A process uses it as a worker or as a caller."""

    def __init__(self, url: str) -> None:
        self.url = url

    @property
    def path(self) -> str:
        """The unix socket."""
        return self.url.removeprefix("unix://")

    @abstractmethod
    def work(self, concurrency: int) -> None:
        """One worker process, until it is killed."""

    @abstractmethod
    async def open(self) -> None:
        """Get ready to submit."""

    @abstractmethod
    async def submit(self, text: str) -> object:
        """Queue one; return once it is in Redis."""

    @abstractmethod
    async def call(self, text: str) -> object:
        """Queue one; return its result."""

    async def submit_many(self, texts: Sequence[str]) -> None:
        """Queue many, in the way the library has for it."""
        raise NotImplementedError
