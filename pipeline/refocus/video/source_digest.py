"""Which content a video file has."""

import hashlib
from collections.abc import Callable

from refocus.video.tars import ByteSpan

CHUNK = 1 << 20


def source_digest(span: ByteSpan, heartbeat: Callable[[], None] = lambda: None) -> str:
    """32 hex digits of SHA-256 over the bytes of a video, about a millisecond per megabyte."""
    digest = hashlib.sha256()
    left = span.size
    with span.file.open("rb") as handle:
        handle.seek(span.offset)
        while left and (chunk := handle.read(min(CHUNK, left))):
            digest.update(chunk)
            left -= len(chunk)
            heartbeat()
    return digest.hexdigest()[:32]
