# pyright: basic, reportMissingImports=false
"""The mock's work behind Mosec, as its documentation writes it: one worker process, no batches; ``/inference``."""

import hashlib
from typing import Any

from mosec import Server, ValidationError, Worker


class Hash(Worker):
    """JSON in, JSON out."""

    def forward(self, data: Any) -> Any:
        """The hash."""
        text = data.get("input")
        if not isinstance(text, str) or not text.strip() or len(text) > 10_000 or len(data) > 1:
            raise ValidationError("input must be a text, not blank")
        return {"input": text, "result": hashlib.sha256(text.encode()).hexdigest()}


if __name__ == "__main__":
    server = Server()
    server.append_worker(Hash, num=1)
    server.run()
