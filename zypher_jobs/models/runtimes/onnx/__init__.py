"""ONNX files, run by onnxruntime. Importing this needs the extra ``onnx``; ``runtime_of`` does when a model is one."""

from zypher_jobs.models.runtimes.onnx.runtime import OnnxRuntime

__all__ = ["OnnxRuntime"]
