"""How the simulated models are deployed, and what changes that."""

from collections.abc import Mapping

import msgspec

from zypher_jobs.contracts.deployment import Traffic
from zypher_tui.sources.demo.cast import MODELS, Model


class Deployed(msgspec.Struct, kw_only=True, eq=False):
    """One model, as it is deployed now."""

    model: Model
    live: Traffic
    previous: Traffic | None = None
    revision: int
    compared_from: int = 0
    """How many had ended when its shadow began."""
    is_loaded: bool = True
    """In the API process."""

    def send(self, traffic: Traffic, *, ended: int) -> None:
        """Let the traffic flow there; ``ended``: how many of the model have."""
        if traffic.shadow != self.live.shadow:
            self.compared_from = ended
        self.live, self.previous = traffic, self.live
        self.revision += 1


class Deployments:
    """All models, by name."""

    def __init__(self) -> None:
        self._of: Mapping[str, Deployed] = {
            name: Deployed(
                model=model,
                live=Traffic(shares=model.shares, shadow=model.shadow),
                previous=Traffic(shares={"1": 1}) if model.shadow else None,
                revision=len(model.versions),
            )
            for name, model in sorted(MODELS.items())
        }

    def of(self, name: str) -> Deployed:
        """The model of that name."""
        return self._of[name]

    @property
    def all(self) -> list[Deployed]:
        """By name."""
        return list(self._of.values())

    @property
    def shares(self) -> dict[str, Mapping[str, float]]:
        """Model → who answers callers that name no version."""
        return {name: deployed.live.shares for name, deployed in self._of.items()}
