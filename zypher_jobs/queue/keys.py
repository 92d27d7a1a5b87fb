"""Every key in Redis: its name, type, lifetime or bound, and who writes it.

arq's own, in arq's format (names repeated here so that reading the queue does not import arq; a test compares them):

===========================  ======  =====================================  ==========================
``arq:queue``                zset    bounded by what is queued or running   submit, finish; id → due ms
``arq:job:{id}``             string  ``JOB_TTL_MS``                         submit; deleted by finish
``arq:in-progress:{id}``     string  the lease                              claim, renew; the fencing token
``arq:retry:{id}``           string  ``JOB_TTL_MS``                         claim; attempts begun
``arq:result:{id}``          string  retention                              finish
``arq:abort``                zset    trimmed by finish                      arq's ``Job.abort``
===========================  ======  =====================================  ==========================

Ours:

===========================  ======  =====================================  ==========================
``zypher:prediction:{id}``   hash    ``JOB_TTL_MS`` + retention, then       submit, claim, finish, record
                                     retention from the finish
``zypher:predictions``       zset    trimmed by age at each submit          submit; id → created ms
``zypher:predictions:sync``  zset    ``SYNC_RECORDS_KEPT`` newest           record; id → created ms
``zypher:running``           zset    bounded by leases                      claim, renew, finish; id → lease end ms
``zypher:counts``            hash    models by modes by statuses              finish, record
``zypher:latency``           hash    models by modes by kinds by buckets       finish, record
``zypher:workers``           zset    trimmed by age at each heartbeat       lease keeper; id → last seen ms
``zypher:worker:{id}``       string  ``HEARTBEAT_TTL_S``                    lease keeper
``zypher:wake``              list    one token                              submit, finish (handed back)
``zypher:done:{id}``         channel no data kept                           finish, record
===========================  ======  =====================================  ==========================
"""

ARQ_QUEUE = "arq:queue"
ARQ_JOB = "arq:job:"
ARQ_IN_PROGRESS = "arq:in-progress:"
ARQ_RETRY = "arq:retry:"
ARQ_RESULT = "arq:result:"
ARQ_ABORT = "arq:abort"

RECORD = "zypher:prediction:"
INDEX = "zypher:predictions"
SYNC_INDEX = "zypher:predictions:sync"
RUNNING = "zypher:running"
COUNTS = "zypher:counts"
LATENCY = "zypher:latency"
WORKERS = "zypher:workers"
WORKER = "zypher:worker:"
WAKE = "zypher:wake"
DONE = "zypher:done:"

JOB_TTL_MS = 7 * 86_400_000
"""How long a queued prediction waits for a worker before Redis forgets it."""
SYNC_RECORDS_KEPT = 20_000
"""Records of synchronous predictions; their rate has no bound but the model's speed, so their number has."""
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


def worker(worker_id: str) -> str:
    """A worker's last heartbeat, MessagePack of ``WorkerStats``."""
    return WORKER + worker_id


def done(prediction_id: str) -> str:
    """The channel on which the terminal status of a prediction is published."""
    return DONE + prediction_id
