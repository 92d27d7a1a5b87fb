"""Failures of the same kind, told by what stays when names, numbers and ids are taken out of their message."""

import re
from hashlib import sha256

from zypher_jobs.errors import PredictionFailed

_VARIABLE = re.compile(r"'[^']*'|\"[^\"]*\"|\b[0-9a-fA-F]{8,}\b|\d+(?:\.\d+)?")


def fingerprint_of(failure: PredictionFailed) -> str:
    """12 hex digits of the failure's code and the constant part of its message."""
    constant = _VARIABLE.sub("…", failure.message)
    return sha256(f"{failure.code}\0{constant}".encode()).hexdigest()[:12]
