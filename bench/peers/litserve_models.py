# pyright: basic, reportMissingImports=false
"""LitServe, as its documentation writes it: one API server, one worker process; ``/predict``."""

import os
from typing import Any

import litserve

from bench.peers.onnx_models import max_batch_size, model

BATCH = max_batch_size() or 1


class Api(litserve.LitAPI):
    """Takes many where batches are on."""

    def setup(self, device: str) -> None:  # noqa: ARG002 as LitServe calls it
        """In the worker."""
        self.model = model()

    def decode_request(self, request: dict[str, Any]) -> Any:
        """The field's value."""
        return request[self.model.field]

    def predict(self, x: Any) -> Any:
        """Of one, or of a list of them."""
        return self.model.run([x])[0] if BATCH == 1 else self.model.run(x)

    def encode_response(self, output: dict[str, Any]) -> dict[str, Any]:
        """As it is."""
        return output


if __name__ == "__main__":
    api = Api(max_batch_size=BATCH, batch_timeout=0.01 if BATCH > 1 else 0)
    server = litserve.LitServer(api, accelerator="cpu", workers_per_device=1)
    server.run(
        host="127.0.0.1",
        port=int(os.environ["BENCH_PORT"]),
        num_api_servers=1,
        log_level="warning",
        generate_client_file=False,
    )
