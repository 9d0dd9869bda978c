"""Truncated files, in containers whose demuxer takes what is there for the whole."""

from pathlib import Path
from typing import BinaryIO

from refocus.video.tars import ByteSpan, locate

_SYNC = 0x47
_TS_PACKETS = ((188, 0), (192, 4), (204, 0))  # length, and where in it the sync byte lies


def is_truncated(path: Path | str, container: str) -> str | None:
    """Why the end of a file must be missing, None if nothing says so.

    A transport stream that ends between two packets cannot be told from one that is over.

    Args:
        container: its name by FFmpeg.
    """
    span = locate(Path(path))
    size = span.size
    with span.file.open("rb") as file:
        file.seek(span.offset)
        if container == "mpegts":
            head = file.read(256)
            for length, at in _TS_PACKETS:
                if len(head) > length + at and head[at] == head[length + at] == _SYNC:
                    return "the file ends within a transport packet" if size % length else None
        elif container == "avi":
            declared = 8 + int.from_bytes(file.read(8)[4:], "little")
            return "the file ends before its header says" if 8 < declared > size else None
        elif "mp4" in container and _ends_in_a_fragment(file, span):
            return "the file ends within a fragment"
    return None


def is_complete(path: Path | str, container: str) -> bool:
    """Whether something in the file says that nothing of it is missing.

    Args:
        container: its name by FFmpeg.
    """
    return False


def _ends_in_a_fragment(file: BinaryIO, span: ByteSpan) -> bool:
    """Whether the last box of a fragmented mp4 is longer than the file; others list their samples beforehand."""
    at, fragments = 0, False
    while at + 8 <= span.size:
        file.seek(span.offset + at)
        head = file.read(16)
        length, kind = int.from_bytes(head[:4], "big"), head[4:8]
        fragments = fragments or kind == b"moof"
        if length == 1:
            length = int.from_bytes(head[8:16], "big")
        if length < 8:  # up to the end, or nonsense
            return False
        at += length
    return fragments and at > span.size
