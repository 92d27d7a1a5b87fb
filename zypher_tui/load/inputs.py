"""What is sent: one input, or those of a file, each as it was written."""

import msgspec

MOST_BYTES = 16_000_000


def read_inputs(content: bytes) -> list[bytes]:
    """One JSON value, or one in each line. Raises ``ValueError`` with the line that is none."""
    if len(content) > MOST_BYTES:
        raise ValueError(f"It has {len(content):,} bytes; {MOST_BYTES:,} are the most.")
    if not content.strip():
        raise ValueError("There is no input in it; one JSON value stands in each line.")
    whole = _why_no_json(content)
    if whole is None:
        return [content]
    inputs: list[bytes] = []
    for number, line in enumerate(content.splitlines(), start=1):
        if line.strip():
            why = _why_no_json(line)
            if why is not None:
                raise ValueError(f"Line {number} is not JSON: {why}." if inputs else f"That is not JSON: {whole}.")
            inputs.append(line)
    return inputs


def _why_no_json(content: bytes) -> str | None:
    try:
        msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return str(error)
    return None
