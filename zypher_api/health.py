"""How each part is, as ``GET /health`` says it and the history keeps it."""

from zypher_jobs import __version__
from zypher_jobs.contracts.stats import Health, Overview, PartHealth
from zypher_jobs.models import ModelRegistry
from zypher_jobs.models.versions import Versions


def health_of(registry: ModelRegistry, overview: Overview | None, *, uptime_s: float) -> Health:
    """``overview`` is ``None`` while Redis is away."""
    models = {name: _model_health(registry.versions(name)) for name in registry.names()}
    if overview is None:
        redis = PartHealth(ok=False, detail="Redis does not answer; synchronous predictions still work.")
        workers = PartHealth(ok=False, detail="Unknown while Redis is away.")
    else:
        redis = PartHealth(ok=True, latency_ms=round(overview.redis_ms, 3))
        workers = PartHealth(
            ok=bool(overview.workers),
            detail=None
            if overview.workers
            else "No worker is alive, so queued predictions wait: start `zypher worker`.",
        )
    return Health(
        status=_status(redis, workers, models),
        version=__version__,
        uptime_s=round(uptime_s, 3),
        redis=redis,
        workers=workers,
        workers_alive=len(overview.workers) if overview else 0,
        models=models,
    )


def _model_health(versions: Versions) -> PartHealth:
    """Of the versions that have traffic: one that is only being tried out does no harm."""
    live = [versions.find(version) for version in versions.shares]
    unready = [served for served in live if served is None or not served.info.ready]
    if live and not unready:
        return PartHealth(ok=True)
    for served in unready:
        if served is not None and served.definition.is_remote and served.error:  # no path, no address is in it
            return PartHealth(ok=False, detail=f"Not ready: {served.error.rstrip('.')}.")
    return PartHealth(ok=False, detail=f"Not loaded; GET /models/{versions.name} says why.")


def _status(redis: PartHealth, workers: PartHealth, models: dict[str, PartHealth]) -> str:
    if not any(model.ok for model in models.values()):
        return "unavailable"
    return "ok" if all(part.ok for part in (redis, workers, *models.values())) else "degraded"
