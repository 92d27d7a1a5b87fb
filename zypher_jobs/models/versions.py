"""``Versions``: all versions of one model, and which of them answers a caller who names none."""

import random
from collections.abc import Mapping

from zypher_jobs.errors import ModelNotReady, UnknownVersion
from zypher_jobs.models.served import ServedModel

LIVE = "live"
"""Names, wherever a version is named, one that answers who names none."""

_random = random.Random()  # noqa: S311 nothing secret is drawn


class Versions:
    """The served versions of one name. Of those added before anything is said, the last one is live."""

    __slots__ = ("_by_version", "_live", "coming", "name")

    def __init__(self, name: str) -> None:
        self.name = name
        self.coming: dict[str, str] = {}
        """Version that is deployed, but not served here yet → why not."""
        self._by_version: dict[str, ServedModel] = {}
        self._live: list[tuple[float, ServedModel]] = []
        """Upper edge of its part of 0 to 1 → version."""

    def add(self, served: ServedModel, *, live: bool = True) -> None:
        """Serve one more, and with ``live`` route everything to it."""
        self._by_version[served.version] = served
        self.coming.pop(served.version, None)
        if live:
            self.route({served.version: 1})

    def remove(self, version: str) -> ServedModel:
        """Serve it no more, live or not."""
        served = self._by_version.pop(version)
        self.route({other: share for other, share in self.shares.items() if other != version})
        return served

    def route(self, shares: Mapping[str, float]) -> None:
        """Version → its share of the traffic, of any sum. Raises ``UnknownVersion``, and then changes nothing."""
        edge, live = 0.0, list[tuple[float, ServedModel]]()
        for version, share in shares.items():
            edge += share / sum(shares.values())
            live.append((edge, self.get(version)))
        self._live = live

    def choose(self) -> ServedModel:
        """A live version, drawn by its share of the traffic; raises ``ModelNotReady`` if there is none."""
        if len(self._live) == 1:
            return self._live[0][1]
        if not self._live:
            raise ModelNotReady(f"Model {self.name!r} has no live version here{self._why_not()}.")
        drawn = _random.random()
        return next((served for edge, served in self._live if drawn < edge), self._live[-1][1])

    def get(self, version: str) -> ServedModel:
        """That version; raises ``UnknownVersion``, or ``ModelNotReady`` if it is deployed and not here yet."""
        try:
            return self._by_version[version]
        except KeyError:
            pass
        if version == LIVE:
            return self.choose()
        if version in self.coming:
            why = self.coming[version].rstrip(".")
            raise ModelNotReady(f"Version {version!r} of model {self.name!r} is not ready: {why}.")
        raise UnknownVersion(self.name, version, known=list(self._by_version))

    def find(self, version: str) -> ServedModel | None:
        """That version, if it is served here."""
        return self._by_version.get(version)

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

    def _why_not(self) -> str:
        return "".join(f"; version {version!r}: {why.rstrip('.')}" for version, why in self.coming.items())
