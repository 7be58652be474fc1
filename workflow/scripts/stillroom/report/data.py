"""Data inside a page: compressed, and as letters that need no escaping."""

import base64
import gzip
import json

LEVEL = 6  # of gzip; 9 takes three times as long for one percent


def packed(content) -> str:
    """JSON, compressed, in base64; the same content gives the same letters."""
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    return base64_of(gzip.compress(text.encode(), LEVEL, mtime=0))


def unpacked(letters: str):
    """What was packed."""
    return json.loads(gzip.decompress(base64.b64decode(letters)))


def base64_of(content: bytes) -> str:
    """Bytes as letters."""
    return base64.b64encode(content).decode("ascii")
