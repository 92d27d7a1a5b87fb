"""``Versions``: all versions of one model, and which of them answers a caller who names none."""

import random
from collections.abc import Mapping

from zypher_jobs.errors import UnknownVersion
from zypher_jobs.models.served import ServedModel

_random = random.Random()  # noqa: S311 nothing secret is drawn


class Versions:
    """The served versions of one name. Of those added before anything is said, the last one is live."""

    __slots__ = ("_by_version", "_live", "name", "shadow")

    def __init__(self, name: str) -> None:
        self.name = name
        self.shadow: ServedModel | None = None
        """Gets a copy of what live versions get; its answers are only compared."""
        self._by_version: dict[str, ServedModel] = {}
        self._live: list[tuple[float, ServedModel]] = []
        """Upper edge of its part of 0 to 1 → version."""

    def add(self, served: ServedModel) -> None:
        """Serve one more, and route everything to it."""
        self._by_version[served.version] = served
        self.route({served.version: 1})

    def remove(self, version: str) -> ServedModel:
        """Serve it no more; it must not be live."""
        return self._by_version.pop(version)

    def route(self, shares: Mapping[str, float]) -> None:
        """Version → its share of the traffic, of any sum. Raises ``UnknownVersion``, and then changes nothing."""
        edge, live = 0.0, list[tuple[float, ServedModel]]()
        for version, share in shares.items():
            edge += share / sum(shares.values())
            live.append((edge, self.get(version)))
        self._live = live

    def choose(self) -> ServedModel:
        """A live version, drawn by its share of the traffic."""
        if len(self._live) == 1:
            return self._live[0][1]
        drawn = _random.random()
        return next((served for edge, served in self._live if drawn < edge), self._live[-1][1])

    def get(self, version: str) -> ServedModel:
        """That version; raises ``UnknownVersion``."""
        try:
            return self._by_version[version]
        except KeyError:
            raise UnknownVersion(self.name, version, known=list(self._by_version)) from None

    @property
    def all(self) -> list[ServedModel]:
        """In order of registration."""
        return list(self._by_version.values())

    @property
    def shares(self) -> dict[str, float]:
        """Live version → its share of the traffic, 0 to 1."""
        shares, below = dict[str, float](), 0.0
        for edge, served in self._live:
            shares[served.version] = edge - below
            below = edge
        return shares
