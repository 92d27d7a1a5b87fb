"""Models: what one is (``Model``), which there are (``ModelRegistry``), and how one is run (``ServedModel``)."""

from zypher_jobs.models.context import context
from zypher_jobs.models.hook import OnnxHook
from zypher_jobs.models.model import Model
from zypher_jobs.models.registry import ModelRegistry
from zypher_jobs.models.retries import RetryPolicy
from zypher_jobs.models.served import ServedModel

__all__ = ["Model", "ModelRegistry", "OnnxHook", "RetryPolicy", "ServedModel", "context"]
