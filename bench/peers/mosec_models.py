# pyright: basic, reportMissingImports=false
"""Mosec, as its documentation writes it: a worker that takes JSON, one process of it; ``/inference``."""

import os
from typing import Any

from mosec import Server, Worker

from bench.peers.onnx_models import max_batch_size, model

BATCH = max_batch_size() or 1


class Serve(Worker):
    """A list of inputs where batches are on, else one."""

    def __init__(self) -> None:
        self.model = model()

    def forward(self, data: Any) -> Any:
        """Decoded JSON → what JSON holds."""
        if BATCH == 1:
            return self.model.run([data[self.model.field]])[0]
        return self.model.run([each[self.model.field] for each in data])


if __name__ == "__main__":
    server = Server()
    server.append_worker(Serve, num=1, max_batch_size=BATCH, env=[dict(os.environ)])
    server.run()
