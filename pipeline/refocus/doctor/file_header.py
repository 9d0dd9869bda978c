"""What a file's first bytes say: a video, something else under a video's name, or a video that was cut off.

Reads a few hundred bytes per file and decodes nothing; a file that passes may still be damaged inside.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

# What the problems mean; a file with one of LOST gives no frame.
LOST = {
    "empty": "are empty (0 bytes)",
    "page": "are web pages or error messages under a video's name",
    "pointer": "are Git LFS pointers",
    "archive": "are archives under a video's name",
    "unknown": "do not begin like any known video",
    "no_moov": "are mp4 files without their index (moov): downloads that did not end",
    "unreadable": "cannot be read",
}
SUSPECT = {"cut_off": "are shorter than they say and will end early"}

_MP4 = frozenset([b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot", b"moof", b"styp"])
_OTHER_VIDEO = (b"FLV\x01", b"\x00\x00\x01\xba", b"\x00\x00\x01\xb3", b"\x30\x26\xb2\x75", b"OggS", b"GIF8")
_ARCHIVES = (b"PK\x03\x04", b"PK\x05\x06", b"\x1f\x8b", b"7z\xbc\xaf", b"Rar!", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd")
BOXES = 1 << 16  # at the top of an mp4, that are looked at
_EBML, _SEGMENT = b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67"


@dataclass(frozen=True)
class Header:
    """`problem` is a key of LOST or SUSPECT, or "" for what looks like a whole video; duration where it is cheap."""

    problem: str = ""
    duration_s: float | None = None


def read_header(path: Path) -> Header:
    """Looks at one file; never raises."""
    try:
        with open(path, "rb", buffering=4096) as file:
            size = file.seek(0, 2)
            file.seek(0)
            return _judge(file, file.read(512), size)
    except (OSError, ValueError, struct.error):
        return Header("unreadable")


def _judge(file: BinaryIO, start: bytes, size: int) -> Header:
    if not size:
        return Header("empty")
    if start[4:8] in _MP4:
        return _mp4(file, size)
    if start.startswith(_EBML):
        return Header("cut_off" if _matroska_end(start) > size else "")
    if start.startswith(b"RIFF"):
        if start[8:12] != b"AVI ":
            return Header("unknown")
        (length,) = struct.unpack("<I", start[4:8])
        return Header("cut_off" if length + 8 > size else "")
    if start.startswith(_OTHER_VIDEO) or _transport_stream(start):
        return Header()
    if start.startswith(b"version https://git-lfs"):
        return Header("pointer")
    if start.startswith(_ARCHIVES):
        return Header("archive")
    return Header("page" if _is_text(start) else "unknown")


def _mp4(file: BinaryIO, size: int) -> Header:
    """An mp4 plays once its `moov` is there; an `mdat` that ends behind the file is a download that did not end."""
    duration, found, end = None, False, 0
    for kind, place, length, body in _boxes(file, size):
        end = max(end, place + length)
        if kind == b"moov":
            found = place + length <= size
            file.seek(body)
            duration = _duration(file.read(256))
    if not found:
        return Header("no_moov")
    return Header("cut_off" if end > size else "", duration)


def _boxes(file: BinaryIO, size: int) -> Iterator[tuple[bytes, int, int, int]]:
    """(kind, place, length, place of the body) of the boxes at the top; stops at what is none."""
    place = 0
    for _ in range(BOXES):
        if place + 8 > size:
            return
        file.seek(place)
        head = file.read(16)
        length, kind = struct.unpack(">I4s", head[:8])
        body = place + 8
        if length == 1 and len(head) == 16:
            (length,) = struct.unpack(">Q", head[8:])
            body = place + 16
        elif length == 0:  # up to the end of the file
            length = size - place
        if length < body - place:
            return
        yield kind, place, length, body
        place += length


def _duration(moov: bytes) -> float | None:
    """Seconds, from the `mvhd` box that begins a `moov`."""
    place = moov.find(b"mvhd")
    if place < 0:
        return None
    wide = moov[place + 4 : place + 5] == b"\x01"
    form, skip = (">IQ", 24) if wide else (">II", 16)
    piece = moov[place + skip : place + skip + struct.calcsize(form)]
    if len(piece) < struct.calcsize(form):
        return None
    scale, ticks = struct.unpack(form, piece)
    unknown = (1 << (64 if wide else 32)) - 1
    return ticks / scale if scale and 0 < ticks < unknown else None


def _matroska_end(start: bytes) -> int:
    """Where the segment of a Matroska or WebM file says it ends; 0 if it does not say."""
    head, width = _number(start, 4)
    place = 4 + width + head
    if start[place : place + 4] != _SEGMENT:
        return 0
    length, width = _number(start, place + 4)
    return 0 if length == (1 << 7 * width) - 1 else place + 4 + width + length


def _number(data: bytes, place: int) -> tuple[int, int]:
    """An EBML number without its marker, and how many bytes it takes."""
    if place >= len(data) or not data[place]:
        return 0, 1
    width = 9 - data[place].bit_length()
    return int.from_bytes(data[place : place + width], "big") & ((1 << 7 * width) - 1), width


def _transport_stream(start: bytes) -> bool:
    return any(start[first : first + 1] == start[first + step : first + step + 1] == b"\x47" for first, step in _SYNC)


_SYNC = ((0, 188), (4, 192))  # MPEG-TS, M2TS: where the first sync byte is and how far the next


def _is_text(start: bytes) -> bool:
    try:
        text = start.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start < len(start) - 3:  # not a character that the 512 bytes cut
            return False
        text = start[: error.start].decode("utf-8")
    return all(letter.isprintable() or letter.isspace() for letter in text.lstrip("\ufeff"))
