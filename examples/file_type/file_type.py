"""What kind of file some bytes are, by Google's Magika (a neural network of 3 MB). See README.md beside it."""

from typing import Annotated

import msgspec
from magika import Magika
from msgspec import Meta

from zypher_jobs.models import Model


class File(msgspec.Struct, forbid_unknown_fields=True):
    content: Annotated[bytes, Meta(min_length=1, description="All of it, in base64.")]


class FileType(msgspec.Struct):
    label: str
    mime_type: str
    description: str
    is_text: bool
    confidence: Annotated[float, Meta(ge=0, le=1)]


class FileTypes(Model[File, FileType]):
    """Tells what kind of file some bytes are."""

    input_example = File(content=b"def double(x):\n    return 2 * x\n")
    output_example = FileType(
        label="python", mime_type="text/x-python", description="Python source", is_text=True, confidence=0.9701
    )
    concurrency = 2  # the network computes without the GIL; more threads than cores gain nothing

    magika: Magika

    def load(self) -> None:
        self.magika = Magika()

    def predict(self, input: File) -> FileType:
        found = self.magika.identify_bytes(input.content)
        kind = found.output
        return FileType(
            label=str(kind.label),
            mime_type=kind.mime_type,
            description=kind.description,
            is_text=kind.is_text,
            confidence=round(found.score, 4),
        )
