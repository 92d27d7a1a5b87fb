"""What a long text is, if it is data in base64: an image, a sound, or only data, and how large."""

import base64
import binascii
import re

from zypher_tui.core import formats

LEAST_ENCODED = 120
"""Characters from which a text may be data in base64."""
SAMPLE_CHARS = 4096

_BASE64 = re.compile(r"[A-Za-z0-9+/_-]+={0,2}")
_DATA_URL = re.compile(r"data:([\w.+-]{1,60}/[\w.+-]{1,60})?(?:;[\w=.+-]{1,60}){0,4};base64,")
_KINDS = (
    (b"\x89PNG", "PNG image"),
    (b"\xff\xd8\xff", "JPEG image"),
    (b"GIF8", "GIF image"),
    (b"RIFF", "WebP image or WAV sound"),
    (b"%PDF", "PDF"),
    (b"ID3", "MP3 sound"),
    (b"OggS", "Ogg sound"),
    (b"fLaC", "FLAC sound"),
    (b"PK\x03\x04", "zip archive"),
    (b"\x1f\x8b", "gzip data"),
)


def encoded(text: str) -> str | None:
    """What data in base64 is, and its size; ``None`` for a text."""
    if len(text) < LEAST_ENCODED:
        return None
    start, mime = 0, ""
    if text.startswith("data:") and (url := _DATA_URL.match(text[:400])):
        start, mime = url.end(), url[1] or ""
    sample = text[start : start + SAMPLE_CHARS]
    if not _BASE64.fullmatch(sample):
        return None
    kind = _kind(sample) or mime
    if not kind and not (re.search("[A-Z]", sample) and re.search("[a-z]", sample) and re.search("[0-9]", sample)):
        return None
    size = (len(text) - start) * 3 // 4
    return f"<{kind or 'data'} in base64, {formats.size_bytes(size)}>"


def _kind(sample: str) -> str:
    """By the first bytes; nothing where they are not known."""
    try:
        head = base64.b64decode(sample[:16].replace("-", "+").replace("_", "/"), validate=True)
    except (binascii.Error, ValueError):
        return ""
    return next((kind for magic, kind in _KINDS if head.startswith(magic)), "")
