"""Asks the model in ``file_type.py`` what kind of files these are."""

import base64
import sys
from pathlib import Path

from zypher_api.client import Client, Invalid


def main(paths: list[str]) -> None:
    """One line for each."""
    with Client() as zypher:
        for path in paths:
            content = base64.b64encode(Path(path).read_bytes()).decode()
            try:
                print(path, zypher.predict({"content": content}, model="file-types")["description"])
            except Invalid as error:  # too large, for one
                print(path, error.message)


if __name__ == "__main__":
    main(sys.argv[1:])
