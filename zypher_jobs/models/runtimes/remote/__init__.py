"""Models that another server runs, over the Open Inference Protocol v2."""

from zypher_jobs.models.runtimes.remote.runtime import RemoteRuntime

__all__ = ["RemoteRuntime"]
