"""What an import loads. import-linter (`just lint`) holds the direction; here interpreters start, to see the weight."""

import subprocess
import sys

import pytest

CASES = [
    ("zypher_jobs.cli", {"litestar", "textual", "arq", "redis", "onnxruntime", "numpy", "uvicorn"}),
    ("zypher_jobs.contracts.stats", {"redis", "arq", "litestar", "textual", "zypher_jobs.settings"}),
    ("zypher_jobs.settings", {"redis", "arq", "litestar", "textual"}),
    ("zypher_jobs.queue", {"arq", "litestar", "textual"}),
    ("zypher_jobs.queue.inspect", {"arq", "litestar", "textual"}),
    ("zypher_jobs.models", {"onnxruntime", "numpy", "litestar", "textual", "arq", "httpx"}),
    ("zypher_jobs.commands.tryout", {"onnxruntime", "numpy", "litestar", "textual", "arq", "redis", "uvicorn"}),
    ("zypher_jobs.commands.scaffold", {"onnxruntime", "numpy", "litestar", "textual", "arq", "redis", "uvicorn"}),
    (
        "zypher_jobs.models.runtimes.child",  # what a model's own process costs to start
        {"onnxruntime", "numpy", "litestar", "textual", "arq", "redis", "hiredis", "httpx", "uvloop"},
    ),
    (
        "zypher_jobs.worker.main",
        {"opentelemetry", "litestar", "textual", "onnxruntime", "httpx", "zypher_api", "zypher_tui"},
    ),
    (
        "zypher_api.app",
        {"opentelemetry", "onnxruntime", "numpy", "httpx", "textual", "zypher_tui", "zypher_jobs.worker"},
    ),
    (
        "zypher_api.client",
        {
            "litestar",
            "uvicorn",
            "redis",
            "arq",
            "hiredis",
            "textual",
            "numpy",
            "zypher_jobs.queue",
            "zypher_jobs.models",
        },
    ),
    (
        "zypher_tui.app",
        {"litestar", "uvicorn", "arq", "onnxruntime", "zypher_api", "zypher_jobs.worker", "zypher_jobs.models"},
    ),
    ("zypher_tui.top", {"textual", "litestar", "arq", "onnxruntime", "zypher_api", "zypher_jobs.worker"}),
    ("zypher_tui.core.store", {"textual", "httpx", "redis", "litestar"}),
]


@pytest.mark.parametrize(("module", "unwanted"), CASES, ids=[module for module, _ in CASES])
def test_an_import_loads_no_more_than_it_needs(module: str, unwanted: set[str]) -> None:
    """Each part starts without the others' weight: no framework for `zypher --help`, no ONNX until a model needs it."""
    code = f"import sys, {module}; print(*sys.modules, sep='\\n')"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == 0, run.stderr
    assert not unwanted & set(run.stdout.split())
