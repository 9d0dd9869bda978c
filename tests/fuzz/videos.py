"""Tars, containers, packets: whatever a video file may hold."""

import io
import tarfile
import zipfile
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import av
import numpy as np
from refocus.doctor.archives import _members as listed_members
from refocus.doctor.file_header import read_header
from refocus.video import tars
from refocus.video.av1 import Av1Packets
from refocus.video.orientation import from_matrix
from refocus.video.probe import VideoError, probe
from refocus.video.starts import CleanStarts, is_packed
from refocus.video.track import opened_track
from refocus.video.truncation import declares_its_size, is_truncated
from refocus.video.vp9 import Vp9Packets

from tests.fuzz.harness import Finding, Make, Parse, Parser, put
from tests.fuzz.mutation import EDGES, changed_bytes
from tests.support.videos import write_video

CONTAINERS = {  # of files that are made: codec and ending
    "mp4": "libx264",
    "mkv": "libx264",
    "webm": "libvpx-vp9",
    "avi": "mpeg4",
    "ts": "libx264",
    "flv": "flv1",
    "mpg": "mpeg2video",
    "ogg": "libtheora",
    "ivf": "libsvtav1",
    "gif": "gif",
    "nut": "mpeg4",
    "y4m": "rawvideo",
}
NAMES = (
    *("mpegts", "avi", "mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm", "flv", "asf", "ogg", "mpeg", "gif", "ivf", "nut"),
    *("apng", "mjpeg", "dv", "roq", "mxf", "swf", "yuv4mpegpipe"),
)
FIELDS = {
    "name": (0, 100),
    "size": (124, 12),
    "type": (156, 1),
    "link": (157, 100),
    "magic": (257, 8),
    "prefix": (345, 155),
}
TYPES = b"0\x00123456789LKSxgXV"


def made_videos(folder: Path, only: Sequence[str] = tuple(CONTAINERS)) -> dict[str, bytes]:
    """Tiny videos by ending; those that this FFmpeg cannot write are left out."""
    found = {}
    for ending in only:
        path = folder / f"sample.{ending}"
        try:
            write_video(
                path,
                [0.0, 0.1, 0.2, 0.3],
                (64, 64),
                codec=CONTAINERS[ending],
                pix_fmt="rgb8" if ending == "gif" else "yuv420p",
                rate=10,
            )
        except (av.FFmpegError, ValueError, LookupError):
            continue
        found[ending] = path.read_bytes()
        path.unlink()
    return found


def packets_of(data: bytes) -> tuple[list[bytes], bytes]:
    """A video's packets, and what its container says of the codec."""
    with av.open(io.BytesIO(data)) as container:
        stream = container.streams.video[0]
        return [
            bytes(packet) for packet in container.demux(stream) if packet.size
        ], stream.codec_context.extradata or b""


def _tar(random: Random) -> bytes:
    """An archive of any headers, their checksums right so that they are read."""
    out = bytearray()
    for number in range(random.randrange(5)):
        content = bytes(random.choice((0, 5, 512, 700)))
        kind = random.choice(TYPES[:2]) if random.random() < 0.6 else random.choice(TYPES)
        if kind in b"xg":
            key = random.choice(
                ("path", "size", "GNU.sparse.map", "GNU.sparse.major", "mtime", "hdrcharset", "GNU.sparse.name")
            )
            text = f" {key}={random.choice((*map(str, EDGES), '-1', 'é', '../x.mp4', 'nan'))}\n"
            content = f"{len(text) + 2}{text}".encode()
        info = tarfile.TarInfo(random.choice(("a.mp4", "d/b.mp4", "../up.mp4", "/abs.mp4", "n" * 99, f"{number}.mkv")))
        info.size = len(content)
        header = bytearray(info.tobuf(random.choice((tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT))))
        header[156] = kind
        for _ in range(random.choice((0, 0, 1, 2))):
            start, width = FIELDS[random.choice(tuple(FIELDS))]
            value = random.choice(
                (
                    b"%011o\0" % (random.choice(EDGES) % (1 << 33)),
                    b"\x80" + bytes(3) + b"\xff" * 8,
                    b"\xff" * 12,
                    b"-1 ",
                    b"\0" * 12,
                )
            )
            header[start : start + min(width, len(value))] = value[:width]
        if random.random() < 0.9:
            header[148:156] = b" " * 8
            header[148:156] = b"%06o\0 " % sum(header[:512])
        out += header + content + bytes(-len(content) % 512)
    out += bytes(random.choice((0, 512, 1024, 10240)))
    return changed_bytes(random, bytes(out)) if random.random() < 0.3 else bytes(out)


def _members(folder: Path) -> tuple[Make, Parse]:
    """Members, their addresses, and the same by the list that doctor makes."""
    path = folder / "x.tar"

    def parse(content: bytes) -> str | None:
        put(path, content)
        found = tars.members(path)
        for address in found.values():
            try:
                span = tars.locate(folder / address)
            except FileNotFoundError:
                continue
            if span.offset + span.size > len(content):
                raise Finding(f"{address} ends behind the archive")
        listed_members(path)
        return None if found else "no files"

    return _tar, parse


def _addresses(folder: Path) -> tuple[Make, Parse]:
    with tarfile.open(folder / "x.tar", "w") as archive:
        info = tarfile.TarInfo("a.mp4")
        info.size = 600
        archive.addfile(info, io.BytesIO(bytes(600)))
    words = [b"+", b"/", b"x.tar", b"0", b"9" * 30, b"-", b"..", b"\0", b"512", "\u0663".encode(), b".tar/"]

    def parse(content: bytes) -> str | None:
        try:
            span = tars.locate(folder / content.decode("utf-8", "surrogateescape"))
        except FileNotFoundError:
            return "no such member"
        return None if span.whole or (span.offset, span.size) == (512, 600) else "another member"

    return lambda random: changed_bytes(random, b"x.tar/512+600/a.mp4", words=words), parse


def _zips(folder: Path) -> tuple[Make, Parse]:
    path, buffer = folder / "x.zip", io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("a.mp4", "é/b.mp4"):
            archive.writestr(name, bytes(99))
    sample = buffer.getvalue()

    def parse(content: bytes) -> str | None:
        put(path, content)
        members, whole = listed_members(path)
        return None if members and whole else "cannot be read to its end"

    return lambda random: changed_bytes(random, sample), parse


def _av1(folder: Path) -> tuple[Make, Parse]:
    packets, extradata = packets_of(made_videos(folder, ["ivf"])["ivf"])

    def parse(data: bytes) -> str | None:
        for reader in (Av1Packets(extradata), Av1Packets(data)):
            for packet in (packets[0], data):
                if not 0 <= (needed := reader.needed(packet)) <= len(packet):
                    raise Finding(f"{needed} of {len(packet)} bytes")
        return None if needed < len(data) else "all of it is needed"

    return lambda random: changed_bytes(random, random.choice(packets), packets), parse


def _vp9(folder: Path) -> tuple[Make, Parse]:
    alone = b"\x87\0\0\0"  # error resilient, and refreshes no slot: of use to none
    packets = [*packets_of(made_videos(folder, ["webm"])["webm"])[0], alone]

    def parse(data: bytes) -> str | None:
        reader = Vp9Packets()
        freed = [reader.frees_previous(packet) for packet in (packets[0], data, alone) if packet]
        return None if any(freed) else "needed"

    return lambda random: changed_bytes(random, random.choice(packets), packets)[:4000], parse


class _Packet(bytes):
    """As much of a packet as its readers look at."""

    is_keyframe = True


def _starts(folder: Path) -> tuple[Make, Parse]:
    videos = made_videos(folder, ["mp4", "ts", "avi", "mpg"])
    samples = [packets_of(data) for data in videos.values()]
    packets = [packet for some, _ in samples for packet in some] + [
        b"\0\0\0\5\x06\x06\x01\xc4\x80",
        b"\0\0\1\x26\x01\xaf" * 3,
    ]
    extras = [extra for _, extra in samples] + [b"\1" * 30]

    def make(random: Random) -> tuple[str, bytes, bytes]:
        codec = random.choice(("h264", "hevc", "mpeg4", "mpeg2video"))
        return (
            codec,
            changed_bytes(random, random.choice(extras)),
            changed_bytes(random, random.choice(packets), packets),
        )

    def parse(value: tuple[str, bytes, bytes]) -> str | None:
        codec, extra, data = value
        starts = CleanStarts(codec, extra)
        packet: Any = _Packet(data)
        is_packed(codec, packet)
        return None if starts(packet) else "no start"

    return make, parse


def _ends(folder: Path) -> tuple[Make, Parse]:
    samples = [
        *list(made_videos(folder).values()),
        b"FLV\x01" + b"filesize\x00" + bytes(8),
        b"FWS\x05" + bytes(40),
        b"\x00\x00\x01\xba" * 20,
    ]
    path = folder / "x.bin"

    def make(random: Random) -> tuple[str, bytes]:
        return random.choice(NAMES), changed_bytes(random, random.choice(samples), samples)

    def parse(value: tuple[str, bytes]) -> str | None:
        put(path, value[1])
        declares_its_size(path, value[0])
        return is_truncated(path, value[0])

    return make, parse


def _headers(folder: Path) -> tuple[Make, Parse]:
    samples = list(made_videos(folder, ["mp4", "mkv", "avi", "ts"]).values())
    path = folder / "x.mp4"

    def parse(content: bytes) -> str | None:
        put(path, content)
        return read_header(path).problem or None

    return lambda random: changed_bytes(random, random.choice(samples), samples), parse


def _matrices(folder: Path) -> tuple[Make, Parse]:
    def parse(content: bytes) -> str | None:
        upright = from_matrix(np.frombuffer(content, np.int32).tolist()).apply(np.zeros((2, 3, 3), np.uint8))
        return None if upright.size == 18 else "lost pixels"

    return lambda random: bytes(random.choice((0, 1, 128, 255)) for _ in range(36)), parse


def _opened(folder: Path) -> tuple[Make, Parse]:
    """Whole files: FFmpeg's demuxers and decoders, and our pass over the packets."""
    samples = list(made_videos(folder, ["mp4", "mkv", "avi"]).values())
    path = folder / "x.mp4"

    def parse(content: bytes) -> str | None:
        put(path, content)
        try:
            probe(path)
            with opened_track(path) as track:
                track.read(None)
        except VideoError as error:
            return str(error)
        return None

    return lambda random: changed_bytes(random, random.choice(samples), samples), parse


VIDEOS = [
    Parser("tars of videos", "video/tars, doctor/archives", "ours on tarfile", _members),
    Parser("addresses in tars", "video/tars", "ours", _addresses),
    Parser("zips beside videos", "doctor/archives", "zipfile; the list is ours", _zips),
    Parser("AV1 packets", "video/av1", "ours", _av1),
    Parser("VP9 packets", "video/vp9", "ours", _vp9),
    Parser("H.264, HEVC, MPEG-4 and MPEG-2 packets", "video/starts", "ours", _starts),
    Parser("ends of containers", "video/truncation", "ours", _ends),
    Parser("first bytes of videos", "doctor/file_header", "ours", _headers),
    Parser("display matrices", "video/orientation", "ours", _matrices),
    Parser("whole videos", "video/probe, video/track", "FFmpeg; the pass over packets is ours", _opened),
]
