"""Has the model in ``repeat.py`` say a text again, and prints each word as soon as it comes."""

import sys

from zypher_api.client import Client

with Client() as zypher:
    for piece in zypher.stream({"text": " ".join(sys.argv[1:])}, model="repeat"):
        print(piece, end="", flush=True)
print()
