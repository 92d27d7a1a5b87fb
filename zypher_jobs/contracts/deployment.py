"""Which versions of a model there ought to be, who of them answers, and what each process has of it."""

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from zypher_jobs.contracts.model import BatchingInfo, ModelInfo, ModelManifest, VersionName

Share = Annotated[float, Meta(gt=0, description="Of any sum: 90 and 10 is the same as 0.9 and 0.1.")]


class Traffic(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who answers a caller who names no version."""

    shares: Annotated[dict[VersionName, Share], Meta(min_length=1, max_length=16)]
    """Version → its share of the traffic."""
    shadow: VersionName | None = None
    """Gets a copy of what these answered; its outputs are only compared."""

    @property
    def versions(self) -> set[str]:
        """Every version that it names."""
        return {*self.shares, *([self.shadow] if self.shadow else [])}


class DeployedVersion(msgspec.Struct, frozen=True, kw_only=True):
    """A version whose file is in the model store."""

    sha256: str
    size_bytes: int
    uploaded_at_ms: int
    said: dict[str, Any]
    """Its manifest; a newer Zypher may have put more in it than this one knows."""

    @property
    def manifest(self) -> ModelManifest:
        """What this Zypher knows of it; raises ``msgspec.ValidationError``."""
        known = {name: value for name, value in self.said.items() if name in ModelManifest.__struct_fields__}
        return msgspec.convert(known, ModelManifest)


class Deployment(msgspec.Struct, frozen=True, kw_only=True):
    """One model as it ought to be in every process."""

    name: str
    revision: int = 0
    """One more with each change."""
    versions: dict[str, DeployedVersion] = {}
    """Those that were uploaded."""
    live: Traffic | None = None
    """``None``: as each process has it from its settings."""
    next: Traffic | None = None
    """What all processes get ready for; ``live`` when they are."""
    previous: Traffic | None = None
    """What ``live`` was before: where a roll back leads."""

    @property
    def pinned(self) -> set[str]:
        """Versions that stay in memory."""
        return {version for traffic in (self.live, self.next) if traffic for version in traffic.versions}


class VersionState(msgspec.Struct, frozen=True, kw_only=True):
    """One version in one process."""

    state: Literal["ready", "asleep", "loading", "failed"]
    """``asleep``: out of memory, and loaded at its next call."""
    sha256: str = ""
    """Of its file; empty for what comes from the settings."""
    error: str | None = None
    """Why it failed."""
    batching: BatchingInfo | None = None
    """Its batches there; ``None`` where it makes none, or its process is older than this field."""


class ProcessState(msgspec.Struct, frozen=True, kw_only=True):
    """What one process has, as it says itself."""

    process_id: str
    part: Literal["api", "worker"]
    seen: dict[str, int] = {}
    """Model → the revision that it follows."""
    versions: dict[str, VersionState] = {}
    """``name@version`` → how it is there."""


class ShadowCounts(msgspec.Struct, frozen=True, kw_only=True):
    """How the outputs of a shadow compare with those of a live version."""

    live: str
    shadow: str
    same: int = 0
    different: int = 0
    failed: int = 0
    """The shadow failed, or did not take the input."""
    dropped: int = 0
    """Not run: as many as may were under way."""
    live_mean_ms: float | None = None
    shadow_mean_ms: float | None = None


class VersionDetail(msgspec.Struct, frozen=True, kw_only=True):
    """One version of a model, and how each process has it."""

    version: str
    share: float = 0
    """Of the traffic that names no version, 0 to 1."""
    sha256: str | None = None
    """Of its file; ``null`` for one that comes from the settings."""
    size_bytes: int | None = None
    uploaded_at: datetime | None = None
    ready: bool
    """Whether every process serves it, or would at its next call."""
    processes: dict[str, VersionState]
    """API and worker processes, by id."""


class ModelDetail(ModelInfo, frozen=True, kw_only=True):
    """One model: what a live version of it says of itself, and all versions."""

    versions: list[VersionDetail]
    shadow: str | None = None
    """The version that gets a copy of what live ones answer."""
    comparisons: list[ShadowCounts]
    """How the outputs of shadows compared."""
    previous: Traffic | None = None
    """Where a roll back leads."""
    next: Traffic | None = None
    """What all processes are getting ready for."""
    revision: int = 0
    """One more with each change of its deployment."""
