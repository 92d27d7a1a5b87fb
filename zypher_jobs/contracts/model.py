"""What a model says of itself."""

from typing import Any

import msgspec


class ModelInfo(msgspec.Struct, frozen=True, kw_only=True):
    """One model as ``GET /models`` shows it."""

    name: str
    version: str
    description: str
    ready: bool
    error: str | None = None
    """Why the model could not be loaded; ``None`` when ready."""
    input_schema: dict[str, Any]
    output_schema: dict[str, Any]
    input_example: Any
    output_example: Any
