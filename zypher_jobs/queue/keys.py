"""Every key in Redis: its name, type, lifetime or bound, and who writes it.

arq's own, in arq's format (names repeated here so that reading the queue does not import arq; a test compares them):

==============================  ======  ===================================  =====================================
``arq:queue`` ``:high`` ``:low``  zset  bounded by what waits or runs        submit, claim, renew, finish,
                                                                             retry; see below
``arq:job:{id}``                string  ``JOB_TTL_MS``                       submit; deleted by finish
``arq:in-progress:{id}``        string  the lease                            claim, renew; the fencing token
``arq:retry:{id}``              string  ``JOB_TTL_MS``                       claim; attempts begun
``arq:result:{id}``             string  retention                            finish
``arq:abort``                   zset    trimmed by age at each heartbeat      cancel, arq's ``Job.abort``; id → when
==============================  ======  ===================================  =====================================

The score of an id in its queue says when it is due, in ms. What waits has a *turn* below ``TURNS_END`` instead, always
long past and so always due for arq too: turns make callers take turns (start-time fair queueing). What runs has the end
of its lease: a lease that lapses makes it due again by itself, and what runs is never in the way of what waits.

Ours:

==============================  ======  ===================================  =====================================
``zypher:prediction:{id}``      hash    ``JOB_TTL_MS`` + retention, then     submit, claim, finish, record
                                        retention from the finish
``zypher:story:{id}``           stream  retention since its last entry,      narrate; what it said
                                        ``STORY_ENDED_TTL_MS`` from the
                                        finish; ``STORY_BYTES`` newest
``zypher:list:{status}``        zset    what has a record; those whose       submit, claim, finish; id → created ms
                                        record ended go as others come
``zypher:list:sync``            zset    ``SYNC_RECORDS_KEPT`` newest         record; id → created ms
``zypher:dead``                 zset    ``DEAD_LETTERS_KEPT`` newest         finish, replay, drop; id → finished ms
``zypher:turn:{queue}``         string  one number a queue                   claim; the turn that is being served
``zypher:turns:{queue}``        zset    callers with something waiting       submit, claim; caller → its next turn
``zypher:paused``               set     queues                               pause, resume
``zypher:deadlines``            zset    what waits with a deadline           submit, claim, finish; id → deadline ms
``zypher:rate:{queue}:{2 s}``   string  ``RATE_TTL_MS``                      finish; predictions that ended
``zypher:counts``               hash    models by modes by statuses          finish, record
``zypher:latency``              hash    models by modes by buckets cubed     finish, record
``zypher:batches``              hash    versions that workers ran by         count; batches of workers
                                        buckets
``zypher:delivered``            hash    outcomes, and those of attempts by   report delivery, finish, cancel; how
                                        buckets                              deliveries and attempts ended
``zypher:events``               stream  ``EVENTS_KEPT`` newest               submit, claim, finish, cancel, retry
``zypher:history``              stream  one entry for each 10 s of           record; the whole system then
                                        ``history_s``
``zypher:history-turn``         string  10 s                                 record; whoever set it writes
``zypher:workers``              zset    trimmed by age at each heartbeat     lease keeper; id → last seen ms
``zypher:worker:{id}``          string  ``HEARTBEAT_TTL_S``                  lease keeper
``zypher:idle``                 hash    idle workers; those gone are taken   claim, finish; submit takes them off
                                        off when they are met
``zypher:refused``              string  one number                           finish; those that came too late
``zypher:deployments``          hash    models that were deployed            deploy; model → ``Deployment``
``zypher:shadow:{model}``       hash    pairs of its versions by outcomes    compare; goes with the deployment
``zypher:serving``              zset    trimmed by age at each report        heartbeat; process → last seen ms
``zypher:serving:{process}``    string  ``SERVING_TTL_S``                    heartbeat; what it serves
``zypher:webhooks``             hash    ``WEBHOOKS_KEPT``                    register, report; id → webhook
``zypher:webhooks-failing``     hash    ``WEBHOOKS_KEPT``                    report delivery, change; id → since ms
``zypher:webhook-secrets``      hash    ``WEBHOOKS_KEPT``, one for each      register, rotate, revoke key; id or
                                        key, one for callers without         caller → its secrets
``zypher:deliveries``           zset    ``DELIVERIES_PENDING``               finish, cancel, claim, report; id → due ms
``zypher:delivery:{id}``        hash    ``DELIVERY_TTL_MS``, retention once  finish, cancel, claim, report
                                        it was delivered
``zypher:deliveries:{webhook}``  zset   ``DELIVERIES_LOGGED`` newest,        finish, cancel; id → created ms
                                        ``DELIVERY_TTL_MS``
``zypher:deliver``              channel no data kept                         finish, cancel, redeliver: look
``zypher:api-keys``             hash    ``API_KEYS_KEPT``                    create and revoke key; id → key
``zypher:api-key-names``        hash    ``API_KEYS_KEPT``                    create and revoke key; name → id
``zypher:limit:{key}:{what}``   string  until all is earned again            take permits; when that is, in ms
``zypher:places:{key}``         zset    ``PLACES_TTL_MS``, as many as the    take and free places; id → when it came
                                        key may have at once
``zypher:once:{digest}``        hash    ``ZYPHER_IDEMPOTENCY_S`` from the    begin, end and renew once; a request with
                                        answer                               an idempotency key
``zypher:api-keys-changed``     channel no data kept                         create and revoke key; empty: look
``zypher:work:{worker id}``     channel no data kept                         submit (what it is handed); empty: look
``zypher:replies:{client id}``  channel no data kept                         finish, cancel, record; how it ended
``zypher:watched``              string  ``WATCHED_TTL_MS``                   watch; whether anybody watches anything
``zypher:watch:{client id}``    channel no data kept                         narrate, claim, finish, cancel, record
``zypher:deployed``             channel no data kept                         deploy; the model that changed
``zypher:audit``                stream  ``AUDIT_KEPT`` newest                each operation that was done
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
BATCHES = "zypher:batches"
DELIVERED = "zypher:delivered"
EVENTS = "zypher:events"
HISTORY = "zypher:history"
HISTORY_TURN = "zypher:history-turn"
WORKERS = "zypher:workers"
WORKER = "zypher:worker:"
IDLE = "zypher:idle"
REFUSED = "zypher:refused"
NOTHING = "zypher:nothing"
"""Never written; a first write that does nothing."""
DEPLOYMENTS = "zypher:deployments"
SHADOW = "zypher:shadow:"
SERVING = "zypher:serving"
SERVES = "zypher:serving:"
DEPLOYED = "zypher:deployed"
WORK = "zypher:work:"
REPLIES = "zypher:replies:"
STORY = "zypher:story:"
WATCHED = "zypher:watched"
WATCH = "zypher:watch:"
WEBHOOKS = "zypher:webhooks"
WEBHOOKS_FAILING = "zypher:webhooks-failing"
WEBHOOK_SECRETS = "zypher:webhook-secrets"
DELIVERIES = "zypher:deliveries"
DELIVERY = "zypher:delivery:"
DELIVERED_TO = "zypher:deliveries:"
DELIVER = "zypher:deliver"
API_KEYS = "zypher:api-keys"
API_KEY_NAMES = "zypher:api-key-names"
API_KEYS_CHANGED = "zypher:api-keys-changed"
LIMIT = "zypher:limit:"
PLACES = "zypher:places:"
ONCE = "zypher:once:"
AUDIT = "zypher:audit"

JOB_TTL_MS = 7 * 86_400_000
"""How long a queued prediction waits for a worker before Redis forgets it."""
DEAD_TTL_MS = 30 * 86_400_000
"""How long a dead letter waits for a person."""
DEAD_LETTERS_KEPT = 100_000
SYNC_RECORDS_KEPT = 20_000
"""Records of synchronous predictions; their rate has no bound but the model's speed, so their number has."""
EVENTS_KEPT = 20_000
"""Entries of the stream."""
EVENTS_AT_ONCE = 100
"""Events in one entry at most: the stream's bound in bytes is a few hundred MB when each is full."""
RATE_BUCKET_MS = 2_000
RATE_BUCKETS = 10
"""The rate at which a queue's predictions end is that of the last 18 to 20 s."""
RATE_TTL_MS = 60_000
ABORT_KEPT_MS = 3_600_000
HANDED_BYTES = 65_536
"""A larger job waits in the queue: what is handed over travels as a message."""
MESSAGE_BYTES = 1_048_576
"""Jobs in one message to a worker at most: Redis cuts off a listener with more than 32 MB before it."""
TOLD_BYTES = 16_384
"""A larger result is read by those who waited for it: 500 may end at once."""
STORY_BYTES = 1_048_576
"""What a prediction said: the oldest of it gives way. All of its output stands in its result."""
STORY_ENDED_TTL_MS = 3_600_000
"""How long one may come back to a prediction that has ended: a story of many small pieces takes several times what the
output does."""
ENTRY_BYTES = 64
"""What an entry of a story takes beside its text, about."""
WATCHED_TTL_MS = 3_600_000
WEBHOOKS_KEPT = 100
"""Registered at once: the end of each prediction looks at all of them."""
DELIVERY_TTL_MS = 7 * 86_400_000
"""How long a delivery that did not succeed is known."""
DELIVERIES_LOGGED = 1_000
"""Of each registered webhook."""
DELIVERIES_PENDING = 100_000
"""Of all webhooks together: a dead receiver must not fill Redis. What comes on top has failed at once."""
API_KEYS_KEPT = 1_000
"""Every API process holds all of them."""
AUDIT_KEPT = 10_000
"""Operations that are remembered."""
PLACES_TTL_MS = JOB_TTL_MS + DEAD_TTL_MS
"""Since the last one came."""
SUSPECT_AFTER = 2
"""Attempts lost with their worker after which a prediction counts as what kills it, or is suspected to."""
TURNS_END = 1_000_000_000_000
"""Turns are below, times (Unix ms) above: 2001-09-09."""
HEARTBEAT_TTL_S = 5.0
"""A worker whose last heartbeat is older is not alive."""
SERVING_TTL_S = 10.0
"""A process whose last report of what it serves is older is not waited for."""


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


def work(worker_id: str) -> str:
    """The channel on which an idle worker is handed predictions."""
    return WORK + worker_id


def serves(process_id: str) -> str:
    """What a process serves, MessagePack of ``ProcessState``."""
    return SERVES + process_id


def shadow(model: str) -> str:
    """How a model's shadows compare."""
    return SHADOW + model


def replies(client_id: str) -> str:
    """The channel on which a client is told how what it waits for ended."""
    return REPLIES + client_id


def watch(client_id: str) -> str:
    """The channel on which a client is told that a prediction it watches has something to read."""
    return WATCH + client_id


def delivery(delivery_id: str) -> str:
    """One prediction's end, for one webhook."""
    return DELIVERY + delivery_id


def delivered_to(webhook_id: str) -> str:
    """The deliveries of a registered webhook, by creation."""
    return DELIVERED_TO + webhook_id


def places(key_id: str) -> str:
    """The predictions of a key that wait and run."""
    return PLACES + key_id


def story(prediction_id: str) -> str:
    """What a prediction said while it ran."""
    return STORY + prediction_id
