"""What Zypher knows of arq's inside. When one of these fails after an upgrade, read the module it names first."""

import inspect

import arq.constants
from arq.connections import ArqRedis
from arq.worker import Worker

from zypher_jobs.queue import PredictionQueue, keys
from zypher_jobs.worker import PredictionWorker


def test_the_keys_are_arqs() -> None:
    """``zypher_jobs.queue.keys`` repeats arq's names, so that reading the queue needs no arq."""
    assert arq.constants.default_queue_name == keys.ARQ_QUEUE
    assert arq.constants.job_key_prefix == keys.ARQ_JOB
    assert arq.constants.in_progress_key_prefix == keys.ARQ_IN_PROGRESS
    assert arq.constants.retry_key_prefix == keys.ARQ_RETRY
    assert arq.constants.result_key_prefix == keys.ARQ_RESULT
    assert arq.constants.abort_jobs_ss == keys.ARQ_ABORT


def test_the_client_replaces_nothing_of_arqs_client() -> None:
    """Redis' own commands (``get``, ``wait``) must stay what arq's ``Job`` expects of them."""
    ours = {name for name in vars(PredictionQueue) if not name.startswith("_")}
    assert {name for name in ours if hasattr(ArqRedis, name)} == {"aclose", "enqueue_job"}


def test_the_worker_overrides_what_its_docstring_names() -> None:
    """An override that arq no longer calls would be dead code."""
    overridden = {name for name in vars(PredictionWorker) if name in vars(Worker) and not name.startswith("__")}
    assert overridden == {"main", "close", "handle_sig", "handle_sig_wait_for_completion"}


def test_what_the_worker_reads_of_arq_is_there() -> None:
    """Attributes that arq's constructor sets and ``PredictionWorker`` or its ``AttemptRunner`` reads."""
    source = inspect.getsource(Worker.__init__)
    read = (
        "functions",
        "tasks",
        "ctx",
        "max_jobs",
        "_pool",
        "allow_pick_jobs",
        "burst",
        "max_burst_jobs",
        "job_counter",
    )
    read += ("jobs_complete", "jobs_failed", "jobs_retried", "on_startup", "on_shutdown", "on_job_start", "on_job_end")
    read += (
        "after_job_end",
        "max_tries",
        "job_timeout_s",
        "keep_result_s",
        "keep_result_forever",
        "retry_jobs",
        "on_stop",
    )
    assert [name for name in read if f"self.{name}" not in source] == []


def test_arqs_run_drains_through_the_overridden_methods() -> None:
    """``run`` and ``async_run`` start ``main``; the stop after the grace period cancels ``tasks`` and ``main_task``."""
    assert "self.main()" in inspect.getsource(Worker.async_run)
    stop = inspect.getsource(vars(Worker)["_wait_for_tasks_to_complete"])
    assert "self.tasks.values()" in stop
    assert "self.main_task.cancel()" in stop
