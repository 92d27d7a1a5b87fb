"""``Audit``: the one place where operations are written down: who, when, what, how many."""

import logging

import msgspec
from litestar.types import Scope

from zypher_api.auth import caller_of
from zypher_api.problems import request_id
from zypher_jobs.contracts.operation import Action, Operated, Selection
from zypher_jobs.errors import RedisUnavailable
from zypher_jobs.queue.audit import AuditLog

log = logging.getLogger("zypher.audit")

_ALSO_BY_CALLERS = frozenset({Action.CANCEL, Action.RETRY, Action.REPLAY, Action.DROP, Action.ROTATE_SECRET})
"""What a key may do to what is its own: as often as it likes, and it would push out what operators did."""


class Audit:
    """Over the log in Redis."""

    def __init__(self, audit_log: AuditLog) -> None:
        self._log = audit_log

    async def note(
        self,
        scope: Scope,
        action: Action,
        target: str = "",
        *,
        selection: Selection | None = None,
        count: int = 1,
        detail: str = "",
    ) -> None:
        """Write down what the caller of this request has done.

        It is done: where this fails, the entry goes to the process's own log, and the caller has its answer.
        """
        caller = caller_of(scope)
        if action in _ALSO_BY_CALLERS and not caller.may_operate:
            return
        operated = Operated(
            action=action,
            caller=caller.name,
            key_id=caller.key_id,
            target=target,
            filter=selection,
            count=count,
            detail=detail,
            request_id=request_id(scope),
        )
        try:
            await self._log.write(operated)
        except Exception as error:  # noqa: BLE001  # whatever it is, the operation is done
            why = error.message if isinstance(error, RedisUnavailable) else repr(error)
            log.warning("could not be written to the audit log: %s", why, extra=msgspec.to_builtins(operated))
