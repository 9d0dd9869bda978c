"""Truncated files: a demuxer takes what is there for the whole, but the container's structure tells what should be.

A file that is cut off between two of its parts cannot be told from a shorter one where the container has neither sizes
nor an end (transport and program streams). Raw streams have no parts that say anything (`without_a_container`).
"""

import os
import struct
from collections.abc import Callable
from pathlib import Path

from refocus.video.tars import locate

_TS_SYNC = 0x47
_TS_PACKETS = ((188, 0), (192, 4), (204, 0))  # length, and where in it the sync byte lies
_ASF_FILE = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")  # the object with the file's size, 40 bytes behind
_FLV_SIZE = b"filesize\0"  # a number of the script data; a big-endian double follows
_EBML_HEADER, _EBML_SEGMENT = b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67"
_NO_END = "the file lacks what such a file ends with"
_HEAD, _TAIL = 1 << 16, 1 << 17  # bytes that are searched
_NUT_INDEX = bytes.fromhex("4e58dd672f23e64e")  # the start code of what a muxer writes last
_MXF_FOOTER = bytes.fromhex("060e2b34020501010d0102010104")  # the key of the last partition
_DV_PAL, _DV_NTSC = 144_000, 120_000  # bytes of a frame at 25 Mb/s; at other rates, several times as many
_OGG_END = 4  # flag of a stream's last page
_PARTS = 1 << 20  # of a file, that are looked at: a hostile one has a part every eight bytes


class _Video:
    """The bytes of a video file, wherever they lie."""

    def __init__(self, path: Path | str) -> None:
        self.span = locate(Path(path))
        self.size = self.span.size
        self._handle = -1

    def __enter__(self) -> "_Video":
        self._handle = os.open(self.span.file, os.O_RDONLY)
        return self

    def __exit__(self, *error: object) -> None:
        os.close(self._handle)

    def read(self, at: int, size: int) -> bytes:
        """Up to `size` bytes from `at`, none behind the video's end."""
        return (
            os.pread(self._handle, max(0, min(size, self.size - at)), self.span.offset + at) if at < self.size else b""
        )


def is_truncated(path: Path | str, container: str) -> str | None:
    """Why the end of a file must be missing, None if nothing says so.

    Args:
        container: its name by FFmpeg.
    """
    with _Video(path) as video:
        return next((check(video) for name, check in _CHECKS.items() if name in container.split(",")), None)


def declares_its_size(path: Path | str, container: str) -> bool:
    """Whether a file says how long it is and is as long, so that nothing is missing behind its last frame (FLV)."""
    with _Video(path) as video:
        return container == "flv" and _flv_size(video) == video.size


def _mpegts(video: _Video) -> str | None:
    head = video.read(0, 256)
    for length, at in _TS_PACKETS:
        if len(head) > length + at and head[at] == head[length + at] == _TS_SYNC:
            return "the file ends within a transport packet" if video.size % length else None
    return None


def _avi(video: _Video) -> str | None:
    at = 0
    for _ in range(_PARTS):
        if (head := video.read(at, 8))[:4] != b"RIFF":
            break
        length = int.from_bytes(head[4:], "little")
        if not length:  # never finished, or not known
            return None
        at += 8 + length + length % 2
    return _shorter(video, at - 1)


def _mp4(video: _Video) -> str | None:
    """Fragmented mp4; others list their samples beforehand."""
    at, fragments = 0, False
    for _ in range(_PARTS):
        if at + 8 > video.size:
            break
        head = video.read(at, 16)
        length, kind = int.from_bytes(head[:4], "big"), head[4:8]
        fragments = fragments or kind == b"moof"
        if length == 1:
            length = int.from_bytes(head[8:16], "big")
        if length < 8:  # up to the end, or nonsense
            return None
        at += length
    return "the file ends within a fragment" if fragments and at > video.size else None


def _matroska(video: _Video) -> str | None:
    at = 0
    for name in (_EBML_HEADER, _EBML_SEGMENT):
        head = video.read(at, 12)
        width = 9 - head[4].bit_length() if len(head) == 12 else 9
        if head[:4] != name or width > 8:
            return None
        length = int.from_bytes(head[4 : 4 + width], "big") - (1 << 7 * width)
        at += 4 + width + length
        if length == (1 << 7 * width) - 1:  # not known
            return None
    return _shorter(video, at)


def _flv(video: _Video) -> str | None:
    return _shorter(video, _flv_size(video) or 0)


def _flv_size(video: _Video) -> int | None:
    """What the script data say."""
    _, found, behind = video.read(0, _HEAD).partition(_FLV_SIZE)
    size: float = struct.unpack(">d", behind[:8])[0] if found and len(behind) >= 8 else 0.0
    return int(size) if 0 < size < 1 << 53 else None


def _asf(video: _Video) -> str | None:
    _, _, behind = video.read(0, _HEAD).partition(_ASF_FILE)
    return _shorter(video, int.from_bytes(behind[24:32], "little"))


def _ogg(video: _Video) -> str | None:
    tail = _tail(video)
    page = tail[tail.rfind(b"OggS") :]
    length = 27 + page[26] + sum(page[27 : 27 + page[26]]) if len(page) > 26 else _TAIL
    if length > len(page):
        return "the file ends within a page"
    return None if page[5] & _OGG_END else "the last page is not marked as the last"


def _mpeg(video: _Video) -> str | None:
    """Program streams: from the last pack header on, packet by packet."""
    tail = _tail(video)
    at = tail.rfind(b"\0\0\1\xba")
    while 0 <= at < len(tail):
        head = tail[at : at + 14]
        if len(head) < 6 or head[:3] != b"\0\0\1":
            return "the file ends within a packet" if b"\0\0\1".startswith(head[:3]) else None
        if head[3] == 0xB9:  # the end
            return None
        if head[3] == 0xBA:
            at += 12 if head[4] >> 6 == 0 else 14 + (head[13] & 7 if len(head) == 14 else 0)
        else:
            at += 6 + int.from_bytes(head[4:6], "big")
    return "the file ends within a packet" if at > len(tail) else None


def _gif(video: _Video) -> str | None:
    return None if _tail(video).rstrip(b"\0").endswith(b"\0;") else _NO_END  # a block's end, and the file's


def _apng(video: _Video) -> str | None:
    return None if b"IEND" in _tail(video) else _NO_END


def _mjpeg(video: _Video) -> str | None:
    return None if _tail(video).rstrip(b"\0").endswith(b"\xff\xd9") else _NO_END


def _nut(video: _Video) -> str | None:
    return None if _NUT_INDEX in _tail(video) else _NO_END


def _mxf(video: _Video) -> str | None:
    return None if _MXF_FOOTER in _tail(video) else _NO_END


def _swf(video: _Video) -> str | None:
    return _shorter(video, int.from_bytes(video.read(4, 4), "little") if video.read(0, 1) == b"F" else 0)  # else packed


def _y4m(video: _Video) -> str | None:
    first = video.read(0, _HEAD).find(b"\nFRAME") + 1
    at, second = first + 5, 0
    while first and not second and (part := video.read(at, _HEAD)):
        found = part.find(b"FRAME")
        second, at = (at + found if found >= 0 else 0), at + len(part) - 5 * (len(part) == _HEAD)
    return "the file ends within a frame" if second and (video.size - first) % (second - first) else None


def _ivf(video: _Video) -> str | None:
    at = int.from_bytes(video.read(6, 2), "little")
    for _ in range(_PARTS):
        if at >= video.size:
            break
        at += 12 + int.from_bytes(video.read(at, 4), "little")
    return "the file ends within a frame" if at > video.size else None


def _dv(video: _Video) -> str | None:
    """Every frame has the same number of bytes, by the system that the first one names."""
    frame = _DV_PAL if video.read(3, 1) >= b"\x80" else _DV_NTSC
    return "the file ends within a frame" if video.size % frame else None


def _roq(video: _Video) -> str | None:
    at = 8
    for _ in range(_PARTS):
        if at >= video.size:
            break
        at += 8 + int.from_bytes(video.read(at + 2, 4), "little")
    return "the file ends within a chunk" if at > video.size else None


def _tail(video: _Video) -> bytes:
    return video.read(max(0, video.size - _TAIL), _TAIL)


def _shorter(video: _Video, declared: int) -> str | None:
    return "the file ends before its header says" if declared > video.size else None


_CHECKS: dict[str, Callable[[_Video], str | None]] = {
    "mpegts": _mpegts,
    "avi": _avi,
    "mp4": _mp4,
    "matroska": _matroska,
    "flv": _flv,
    "asf": _asf,
    "ogg": _ogg,
    "mpeg": _mpeg,
    "gif": _gif,
    "ivf": _ivf,
    "nut": _nut,
    "apng": _apng,
    "mjpeg": _mjpeg,
    "jpeg_pipe": _mjpeg,
    "dv": _dv,
    "roq": _roq,
    "mxf": _mxf,
    "swf": _swf,
    "yuv4mpegpipe": _y4m,
}
