"""A model that fails on some inputs, for the tutorial of the dashboard: it has dictionaries for two languages."""

import time

import msgspec

from zypher_jobs.models import Model

DICTIONARIES = {
    "de": {"hello": "hallo", "world": "Welt", "order": "Bestellung"},
    "fr": {"hello": "bonjour", "world": "monde", "order": "commande"},
}


class Text(msgspec.Struct, frozen=True, kw_only=True):
    """A text, and the language to translate it into."""

    text: str
    language: str = "de"


class Translation(msgspec.Struct, frozen=True, kw_only=True):
    """The text, word for word."""

    translation: str


class Translator(Model[Text, Translation]):
    """Translates word for word; fails on a language that it has no dictionary for."""

    def predict(self, input: Text) -> Translation:
        time.sleep(0.2 * len(input.text.split()))
        if input.language not in DICTIONARIES:
            raise LookupError(f"no dictionary for {input.language!r}; there is one for: {', '.join(DICTIONARIES)}")
        words = DICTIONARIES[input.language]
        return Translation(translation=" ".join(words.get(word, word) for word in input.text.split()))
