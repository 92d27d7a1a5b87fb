"""A model of your own. In this folder, run ``ZYPHER_MODELS=word_count:WordCount zypher up``, then ask it::

curl localhost:8080/models/word-count/predict --json '{"text": "to be or not to be"}'
{"words":6}
"""

import msgspec

from zypher_jobs.models import Model


class Text(msgspec.Struct, forbid_unknown_fields=True):
    text: str


class Count(msgspec.Struct):
    words: int


class WordCount(Model[Text, Count]):
    """Counts the words of a text."""

    def predict(self, inputs: list[Text]) -> list[Count]:
        return [Count(words=len(each.text.split())) for each in inputs]
