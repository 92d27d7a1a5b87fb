# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# (py3langid has no types)
"""Which language a text is in, by py3langid, which knows 140 of them. See README.md beside it."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta
from py3langid import langid

from zypher_jobs.models import Model


class Text(msgspec.Struct, forbid_unknown_fields=True):
    text: Annotated[str, Meta(max_length=100_000, pattern=r"\S")]


class Language(msgspec.Struct):
    language: Annotated[str, Meta(description="ISO 639, such as en.")]
    confidence: Annotated[float, Meta(ge=0, le=1)]


class Languages(Model[Text, Language]):
    """Tells the language of a text."""

    input_example = Text(text="Kannitverstan, ein reicher Mann")  # run before the model counts as ready
    output_example = Language(language="de", confidence=0.8912)

    identifier: Any

    def load(self) -> None:
        self.identifier = langid.LanguageIdentifier.from_model_file(langid.MODEL_FILE, norm_probs=True)

    def predict(self, inputs: list[Text]) -> list[Language]:
        found = [self.identifier.classify(each.text) for each in inputs]
        return [Language(language=language, confidence=round(confidence, 4)) for language, confidence in found]
