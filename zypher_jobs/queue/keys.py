"""Every key in Redis: its name, type, lifetime or bound, and who writes it.

arq's own, in arq's format (names repeated here so that reading the queue does not import arq; a test compares them):

==============================  ======  ===================================  =====================================
``arq:queue`` ``:high`` ``:low``  zset  bounded by what waits or runs        submit, claim, renew, finish; see below
``arq:job:{id}``                string  ``JOB_TTL_MS``                       submit; deleted by finish
``arq:in-progress:{id}``        string  the lease                            claim, renew; the fencing token
``arq:retry:{id}``              string  ``JOB_TTL_MS``                       claim; attempts begun
``arq:result:{id}``             string  retention                            finish
``arq:abort``                   zset    trimmed by age at each renewal       cancel, arq's ``Job.abort``; id → when
==============================  ======  ===================================  =====================================

The score of an id in its queue says when it is due, in ms. What waits has a *turn* below ``TURNS_END`` instead, always
long past and so always due for arq too: turns make callers take turns (start-time fair queueing). What runs has the end
of its lease: a lease that lapses makes it due again by itself, and what runs is never in the way of what waits.

Ours:

==============================  ======  ===================================  =====================================
``zypher:prediction:{id}``      hash    ``JOB_TTL_MS`` + retention, then     submit, claim, finish, record
                                        retention from the finish
``zypher:list:{status}``        zset    retention; dead and waiting as long  submit, claim, finish; id → created ms
                                        as they are
``zypher:list:sync``            zset    ``SYNC_RECORDS_KEPT`` newest         record; id → created ms
``zypher:dead``                 zset    ``DEAD_LETTERS_KEPT`` newest         finish, replay, drop; id → finished ms
``zypher:turn:{queue}``         string  one number a queue                   claim; the turn that is being served
``zypher:turns:{queue}``        zset    callers with something waiting       submit, claim; caller → its next turn
``zypher:paused``               set     queues                               pause, resume
``zypher:deadlines``            zset    what waits with a deadline           submit, claim, finish; id → deadline ms
``zypher:rate:{10 s}``          string  ``RATE_TTL_MS``                      finish; predictions that ended
``zypher:counts``               hash    models by modes by statuses          finish, record
``zypher:latency``              hash    models by modes by kinds by buckets  finish, record
``zypher:events``               stream  ``EVENTS_KEPT`` newest               submit, claim, finish, cancel
``zypher:workers``              zset    trimmed by age at each heartbeat     lease keeper; id → last seen ms
``zypher:worker:{id}``          string  ``HEARTBEAT_TTL_S``                  lease keeper
``zypher:wake``                 list    one token                            submit, finish (handed back), resume
``zypher:done:{id}``            channel no data kept                         finish, cancel, record
==============================  ======  ===================================  =====================================
"""

from zypher_jobs.contracts.prediction import Priority, Status

ARQ_QUEUE = "arq:queue"
ARQ_JOB = "arq:job:"
ARQ_IN_PROGRESS = "arq:in-progress:"
ARQ_RETRY = "arq:retry:"
ARQ_RESULT = "arq:result:"
ARQ_ABORT = "arq:abort"

QUEUES: dict[Priority, str] = {
    Priority.HIGH: f"{ARQ_QUEUE}:high",
    Priority.NORMAL: ARQ_QUEUE,
    Priority.LOW: f"{ARQ_QUEUE}:low",
}
"""One arq queue for each priority, in the order in which a worker prefers them."""

RECORD = "zypher:prediction:"
LIST = "zypher:list:"
SYNC_LIST = "zypher:list:sync"
DEAD = "zypher:dead"
TURN = "zypher:turn:"
TURNS = "zypher:turns:"
PAUSED = "zypher:paused"
DEADLINES = "zypher:deadlines"
RATE = "zypher:rate:"
COUNTS = "zypher:counts"
LATENCY = "zypher:latency"
EVENTS = "zypher:events"
WORKERS = "zypher:workers"
WORKER = "zypher:worker:"
WAKE = "zypher:wake"
DONE = "zypher:done:"

JOB_TTL_MS = 7 * 86_400_000
"""How long a queued prediction waits for a worker before Redis forgets it."""
DEAD_TTL_MS = 30 * 86_400_000
"""How long a dead letter waits for a person."""
DEAD_LETTERS_KEPT = 100_000
SYNC_RECORDS_KEPT = 20_000
"""Records of synchronous predictions; their rate has no bound but the model's speed, so their number has."""
EVENTS_KEPT = 50_000
RATE_BUCKET_MS = 10_000
RATE_TTL_MS = 120_000
TURNS_END = 1_000_000_000_000
"""Turns are below, times (Unix ms) above: 2001-09-09."""
HEARTBEAT_TTL_S = 5.0
"""A worker whose last heartbeat is older is not alive."""


def job(prediction_id: str) -> str:
    """arq's job: function, arguments, enqueue time."""
    return ARQ_JOB + prediction_id


def result(prediction_id: str) -> str:
    """arq's result: success, output or failure, times."""
    return ARQ_RESULT + prediction_id


def record(prediction_id: str) -> str:
    """The prediction's status, times, attempts and previews."""
    return RECORD + prediction_id


def listed(status: Status) -> str:
    """The predictions of one status, by creation."""
    return LIST + status


def worker(worker_id: str) -> str:
    """A worker's last heartbeat, MessagePack of ``WorkerStats``."""
    return WORKER + worker_id


def done(prediction_id: str) -> str:
    """The channel on which the terminal status of a prediction is published."""
    return DONE + prediction_id
