"""Broken and odd files, made from small sound ones. Each maker writes one file and says what is to come of it."""

import random
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from tests.support.videos import constant, moving, write_video

SECONDS = 6.0
WHOLE = 24  # frames of a sound video at 4 fps


@dataclass(frozen=True)
class Case:
    """A file and its fate: `statuses` allowed, `frames` (least, most) that come out of it."""

    make: Callable[[Path], Path]
    statuses: tuple[str, ...]
    frames: tuple[int, int]


def video_file(path: Path, **how) -> Path:
    """Six seconds in which everything moves, H.264 with B-frames, a key frame every second."""
    count = round(SECONDS * 30)
    options = {"crf": "20", "g": "30", "bf": "2"} if how.get("codec", "libx264") == "libx264" else {}
    return write_video(path, constant(SECONDS), (64, 96), moving(count, (64, 96)), **{"options": options, **how})


def faststart(path: Path) -> Path:
    return video_file(path, muxing={"movflags": "+faststart"})


def fragmented(path: Path) -> Path:
    """An mp4 in fragments, as players are sent it."""
    return video_file(path, muxing={"movflags": "frag_keyframe+empty_moov"})


def mpeg4(path: Path) -> Path:
    return video_file(path, codec="mpeg4", options={"g": "30"})


def live(path: Path) -> Path:
    """Matroska without duration and index, as a stream that was recorded."""
    return video_file(path, muxing={"live": "1"})


def cut(make: Callable[[Path], Path], extension: str, share: float) -> Callable[[Path], Path]:
    """The first part of a file, never up to the end of a transport packet."""

    def made(folder: Path) -> Path:
        path = make(folder / f"cut.{extension}")
        data = path.read_bytes()
        path.write_bytes(data[: int(len(data) * share) // 188 * 188 + 100])
        return path

    return made


def behead(folder: Path) -> Path:
    """A transport stream that was tuned into in the middle of a GOP."""
    path = video_file(folder / "beheaded.ts")
    data = path.read_bytes()
    path.write_bytes(data[len(data) // 3 // 188 * 188 :])
    return path


def flipped(make: Callable[[Path], Path], extension: str, seed: int, count: int = 40) -> Callable[[Path], Path]:
    """Bits turned over in the middle half."""

    def made(folder: Path) -> Path:
        path = make(folder / f"flipped.{extension}")
        data, rng = bytearray(path.read_bytes()), random.Random(seed)
        for _ in range(count):
            data[rng.randrange(len(data) // 4, len(data) * 3 // 4)] ^= 1 << rng.randrange(8)
        path.write_bytes(data)
        return path

    return made


def zeroed(make: Callable[[Path], Path], extension: str) -> Callable[[Path], Path]:
    """A third in the middle is zeros, as on a disk that lost a block."""

    def made(folder: Path) -> Path:
        path = make(folder / f"zeroed.{extension}")
        data = bytearray(path.read_bytes())
        third = len(data) // 3
        data[third : 2 * third] = bytes(third)
        path.write_bytes(data)
        return path

    return made


def holed(folder: Path) -> Path:
    """A third in the middle is missing."""
    path = video_file(folder / "holed.mkv")
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 3] + data[len(data) * 2 // 3 :])
    return path


def content(name: str, data: bytes) -> Callable[[Path], Path]:
    """A file of these bytes."""

    def made(folder: Path) -> Path:
        (folder / name).write_bytes(data)
        return folder / name

    return made


def a_folder(folder: Path) -> Path:
    (folder / "folder.mp4").mkdir()
    return folder / "folder.mp4"


def a_dead_link(folder: Path) -> Path:
    (folder / "link.mp4").symlink_to(folder / "nowhere.mp4")
    return folder / "link.mp4"


def sound_only(folder: Path) -> Path:
    path = folder / "sound.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=16000)
        stream.layout = "mono"
        for block in range(20):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
            frame.sample_rate, frame.pts = 16000, block * 1024
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def patched(make: Callable[[Path], Path], name: str, *patches: tuple[bytes, int, bytes]) -> Callable[[Path], Path]:
    """Bytes written over at a distance behind the first occurrence of a mark."""

    def made(folder: Path) -> Path:
        path = make(folder / name)
        data = bytearray(path.read_bytes())
        for mark, distance, value in patches:
            at = data.index(mark) + distance
            data[at : at + len(value)] = value
        path.write_bytes(data)
        return path

    return made


def lying(factor: float) -> Callable[[Path], Path]:
    """An mp4 whose headers give another duration than its samples have."""

    def made(folder: Path) -> Path:
        path = video_file(folder / "lying.mp4")
        data = bytearray(path.read_bytes())
        for mark, distance in ((b"mvhd", 20), (b"tkhd", 24), (b"mdhd", 20)):
            at = data.index(mark) + distance
            struct.pack_into(">I", data, at, int(struct.unpack_from(">I", data, at)[0] * factor))
        data[data.index(b"edts") : data.index(b"edts") + 4] = b"free"
        path.write_bytes(data)
        return path

    return made


def lying_matroska(seconds: float) -> Callable[[Path], Path]:
    """A Matroska file whose headers give another duration."""

    def made(folder: Path) -> Path:
        path = video_file(folder / "lying.mkv")
        data = bytearray(path.read_bytes())
        at = data.index(b"\x44\x89\x88") + 3
        struct.pack_into(">d", data, at, seconds * 1000)
        at = data.index(b"00:00:0")
        data[at : at + 12] = f"00:{int(seconds) // 60:02d}:{seconds % 60:06.3f}".encode()
        path.write_bytes(data)
        return path

    return made


def remuxed(
    name: str,
    retime: Callable[[int, int], tuple[int | None, int | None]],
    source: str = "a.mp4",
    fmt: str | None = None,
) -> Callable[[Path], Path]:
    """The packets of a sound video with other times: retime(pts, dts), both in 1/30 s."""

    def made(folder: Path) -> Path:
        base, path = video_file(folder / "base.mp4"), folder / name
        with av.open(str(base)) as reading, av.open(str(path), "w") as writing:
            stream = reading.streams.video[0]
            copied = writing.add_stream_from_template(stream)
            for packet in reading.demux(stream):
                if packet.dts is None:
                    continue
                frames = [round(ticks * packet.time_base * 30) for ticks in (packet.pts, packet.dts)]
                packet.time_base, packet.stream, packet.duration = Fraction(1, 30), copied, 1
                packet.pts, packet.dts = retime(*frames)
                writing.mux(packet)
        base.unlink()
        return path

    return made


def changing_size(folder: Path) -> Path:
    """Two sizes in one stream."""
    path = folder / "sizes.ts"
    small = video_file(folder / "small.ts")
    large = write_video(folder / "large.ts", constant(3.0), (96, 128), moving(90, (96, 128)), offset_s=SECONDS)
    path.write_bytes(small.read_bytes() + large.read_bytes())
    return path


def interlaced(folder: Path) -> Path:
    return video_file(folder / "interlaced.mp4", options={"x264-params": "interlaced=1:tff=1:bframes=2"})


def hundred_thousand(folder: Path) -> Path:
    """10^5 frames of 16 x 16."""
    path = folder / "many.mp4"
    picture = np.zeros((16, 16, 3), np.uint8)
    frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="yuv420p")
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=30)
        stream.width, stream.height, stream.pix_fmt = 16, 16, "yuv420p"
        for index in range(100_000):
            frame.pts, frame.time_base = index, Fraction(1, 30)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def flat(name: str, size: tuple[int, int], codec: str, pix_fmt: str) -> Callable[[Path], Path]:
    """Two frames of nothing, of any size."""

    def made(folder: Path) -> Path:
        picture = np.zeros((*size, 3), np.uint8)
        return write_video(folder / name, [0.0, 1 / 30], size, [picture] * 2, codec=codec, pix_fmt=pix_fmt)

    return made


def bomb(folder: Path) -> Path:
    """A picture of 14000 x 16000 pixels of nothing in less than a megabyte."""
    height, width = 14_000, 16_000
    packer = zlib.compressobj(1)
    packed = b"".join(packer.compress(bytes(1 + 3 * width)) for _ in range(height)) + packer.flush()

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")
    return content("bomb.png", data)(folder)


def elementary(folder: Path) -> Path:
    """H.264 without a container: no times at all."""
    return video_file(folder / "raw.h264")


def headless(folder: Path) -> Path:
    """HEVC whose parameter sets were never sent."""
    how = "log-level=none:pools=none:frame-threads=1:repeat-headers=0"
    path = video_file(folder / "headless.mp4", codec="libx265", options={"x265-params": how})
    data = bytearray(path.read_bytes())
    at = data.index(b"hvcC") + 4 + 22
    data[at] = 0
    path.write_bytes(data)
    return path


def appended(folder: Path) -> Path:
    path = video_file(folder / "appended.mp4")
    path.write_bytes(path.read_bytes() + random.Random(0).randbytes(5000))
    return path


def foreign_codec(folder: Path) -> Path:
    path = video_file(folder / "foreign.mp4")
    path.write_bytes(path.read_bytes().replace(b"avc1", b"zzzz"))
    return path


OK, PARTIAL, FAILED = ("ok",), ("partial",), ("failed",)
HURT = ("partial", "failed")
CUTS = (0.1, 0.3, 0.5, 0.7, 0.95)
ALL, NONE, SOME = (WHOLE, WHOLE), (0, 0), (0, WHOLE)

CASES = {
    **{f"mp4 cut at {share}": Case(cut(video_file, "mp4", share), FAILED, NONE) for share in CUTS},
    **{f"faststart mp4 cut at {share}": Case(cut(faststart, "mp4", share), HURT, SOME) for share in CUTS},
    **{f"mkv cut at {share}": Case(cut(video_file, "mkv", share), HURT, SOME) for share in CUTS},
    **{f"live mkv cut at {share}": Case(cut(live, "mkv", share), HURT, SOME) for share in CUTS},
    **{f"fragmented mp4 cut at {share}": Case(cut(fragmented, "mp4", share), HURT, SOME) for share in CUTS},
    "fragmented mp4": Case(lambda folder: fragmented(folder / "a.mp4"), OK, ALL),
    "live mkv": Case(lambda folder: live(folder / "a.mkv"), OK, ALL),
    "faststart mp4": Case(lambda folder: faststart(folder / "a.mp4"), OK, ALL),
    "ts": Case(lambda folder: video_file(folder / "a.ts"), OK, ALL),
    "avi": Case(lambda folder: mpeg4(folder / "a.avi"), OK, ALL),
    "flv": Case(lambda folder: video_file(folder / "a.flv"), OK, (24, 25)),
    **{f"ts cut at {share}": Case(cut(video_file, "ts", share), HURT, SOME) for share in CUTS},
    **{f"avi cut at {share}": Case(cut(mpeg4, "avi", share), HURT, SOME) for share in CUTS},
    **{f"flv cut at {share}": Case(cut(video_file, "flv", share), HURT, SOME) for share in CUTS},
    **{f"mp4 flipped {seed}": Case(flipped(video_file, "mp4", seed), PARTIAL, SOME) for seed in range(3)},
    **{f"mkv flipped {seed}": Case(flipped(video_file, "mkv", seed), PARTIAL, SOME) for seed in range(3)},
    **{f"ts flipped {seed}": Case(flipped(video_file, "ts", seed), PARTIAL, SOME) for seed in range(3)},
    "mp4 zeroed": Case(zeroed(video_file, "mp4"), PARTIAL, SOME),
    "mkv zeroed": Case(zeroed(video_file, "mkv"), PARTIAL, SOME),
    "ts zeroed": Case(zeroed(video_file, "ts"), PARTIAL, SOME),
    "mkv with a hole": Case(holed, PARTIAL, SOME),
    "empty": Case(content("a.mp4", b""), FAILED, NONE),
    "html": Case(content("a.mp4", b"<!DOCTYPE html><html><body>404</body></html>" * 40), FAILED, NONE),
    "zeros": Case(content("a.mkv", bytes(100_000)), FAILED, NONE),
    "noise": Case(content("a.mp4", random.Random(1).randbytes(100_000)), FAILED, NONE),
    "text": Case(content("a.webm", b"some words\n" * 1000), FAILED, NONE),
    "a folder": Case(a_folder, FAILED, NONE),
    "a dead link": Case(a_dead_link, FAILED, NONE),
    "sound only": Case(sound_only, FAILED, NONE),
    "unknown codec": Case(foreign_codec, FAILED, NONE),
    "no parameter sets": Case(headless, FAILED, NONE),
    "one frame": Case(lambda folder: write_video(folder / "one.mp4", [0.0]), OK, (1, 1)),
    "one frame mkv": Case(lambda folder: write_video(folder / "one.mkv", [0.0]), OK, (1, 1)),
    "10^5 frames": Case(hundred_thousand, OK, (512, 512)),
    "8K": Case(flat("8k.mp4", (4320, 7680), "mjpeg", "yuvj420p"), OK, (1, 1)),
    "16 x 2": Case(flat("thin.mkv", (2, 16), "ffv1", "yuv420p"), OK, (1, 1)),
    "too large for its worker": Case(bomb, FAILED, NONE),
    "mp4 that says ten times its length": Case(lying(10), ("ok", "partial"), (24, 25)),
    "mp4 that says a third of its length": Case(lying(1 / 3), OK, ALL),
    "mkv that says ten times its length": Case(lying_matroska(60), PARTIAL, (24, 26)),
    "mkv that says a third of its length": Case(lying_matroska(2), OK, ALL),
    "starts before 0": Case(lambda folder: video_file(folder / "negative.mkv", offset_s=-2.0), OK, ALL),
    "starts at 5 s": Case(lambda folder: video_file(folder / "late.mkv", offset_s=5.0), OK, ALL),
    "ts whose clock wraps": Case(
        lambda folder: video_file(folder / "wrap.ts", muxing={"output_ts_offset": str(2**33 / 90000 - 3)}), OK, ALL
    ),
    "ts tuned into": Case(behead, ("ok", "partial"), (12, 20)),
    "ts that changes its size": Case(changing_size, ("ok", "partial"), (WHOLE, 36)),
    "times count twice as fast": Case(remuxed("slow.mp4", lambda pts, dts: (pts * 2, dts * 2)), OK, (48, 48)),
    "a gap of ten seconds": Case(
        remuxed("gap.mkv", lambda pts, dts: (pts + 300 * (pts > 88), dts + 300 * (dts > 88))), OK, (24, 25)
    ),
    "no times": Case(elementary, PARTIAL, (24, 30)),
    "interlaced": Case(interlaced, OK, ALL),
    "mpeg4 with B-frames in avi": Case(
        lambda folder: video_file(folder / "b.avi", codec="mpeg4", options={"bf": "2", "g": "30"}), OK, ALL
    ),
    "bytes behind the end": Case(appended, OK, ALL),
    "mp4 called avi": Case(lambda folder: video_file(folder / "a.mp4").rename(folder / "a.avi"), OK, ALL),
}
