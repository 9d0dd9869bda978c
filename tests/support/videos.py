"""Tiny real video files for tests: every frame carries its own number as a grey level, so that it can be recognised."""

import struct
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

TICKS = 12800  # per second
CLOCKS = {"libvpx-vp9": 1000, "libvpx": 1000, "libsvtav1": 1000}  # the other encoders count frames
STEP = 7  # grey levels between neighboring frames


def level(index: int) -> int:
    """The grey level of a source frame."""
    return 20 + (index * STEP) % 210


def write_video(
    path: Path,
    times_s: Sequence[float],
    size: tuple[int, int] = (64, 96),
    pictures: Sequence[np.ndarray] | None = None,
    rotation: int = 0,
    offset_s: float = 0.0,
    options: dict[str, str] | None = None,
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    muxing: dict[str, str] | None = None,
    rate: int = 30,
) -> Path:
    """A file with one frame per time, H.264 if nothing else is said.

    Args:
        times_s: presentation times, seconds, increasing.
        size: height and width of the stored pictures.
        pictures: (H, W, 3) RGB of each frame; grey of `level(index)` if not given.
        rotation: 90 sets a display matrix that turns the stored picture clockwise.
        offset_s: shifts all times inside the container (Matroska keeps it, mp4 does not).
        options: of the encoder; muxing: of the container.
        rate: frames per second by the header, which is the clock of older codecs.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    height, width = size
    ticks = TICKS if codec in ("libx264", "libx265") else CLOCKS.get(codec, rate)
    usual = {"crf": "6", "preset": "veryfast", "g": "24"} if codec == "libx264" else {}
    with av.open(str(path), "w", options=muxing or {}) as container:
        stream = container.add_stream(codec, rate=rate)
        stream.width, stream.height, stream.pix_fmt = width, height, pix_fmt
        stream.codec_context.time_base = Fraction(1, ticks)
        stream.codec_context.thread_count = 1
        stream.options = {**usual, **(options or {})}
        for index, time_s in enumerate(times_s):
            picture = np.full((height, width, 3), level(index), np.uint8) if pictures is None else pictures[index]
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts = round((time_s + offset_s) * ticks)
            frame.time_base = Fraction(1, ticks)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    if rotation:
        flag_rotation(path)
    return path


def flag_rotation(path: Path) -> None:
    """Writes a clockwise quarter turn into the track header of an mp4."""
    data = bytearray(path.read_bytes())
    struct.pack_into(">9i", data, data.index(b"tkhd") + 44, 0, 1 << 16, 0, -(1 << 16), 0, 0, 0, 0, 1 << 30)
    path.write_bytes(data)


def moving(count: int, size: tuple[int, int] = (80, 96), seed: int = 0) -> list[np.ndarray]:
    """RGB pictures in which everything moves, so that what is predicted from a wrong frame looks wrong."""
    rng = np.random.default_rng(seed)
    height, width = size
    ground = np.kron(rng.integers(0, 256, (height // 8 + 8, width // 8 + 8, 3), np.uint8), np.ones((8, 8, 1), np.uint8))
    pictures = []
    for index in range(count):
        top, left = int(24 + 20 * np.sin(index / 9)), int(24 + 20 * np.cos(index / 7))
        picture = ground[top : top + height, left : left + width].copy()
        across = (index * 5) % (width - 16)
        picture[height // 3 : height // 3 + 16, across : across + 16] = (index * 37) % 256
        pictures.append(picture)
    return pictures


def constant(seconds: float, fps: float = 30.0) -> list[float]:
    """Times of a constant frame rate."""
    return [index / fps for index in range(round(seconds * fps))]


def variable(seconds: float, seed: int) -> list[float]:
    """Irregular times from 0: gaps between 10 and 400 ms."""
    gaps = np.random.default_rng(seed).uniform(0.01, 0.4, 1000)
    times = np.concatenate([[0.0], np.cumsum(gaps)])
    return [round(float(time), 3) for time in times[times < seconds]]


def played_at(times_s: Sequence[float], time_s: float) -> int:
    """The frame on screen at a time, by brute force: the last one that has started, or the first.

    Times of files may be rounded to milliseconds, those of frames and that of the first one.
    """
    return max((index for index, start in enumerate(times_s) if start < time_s + 0.000995), default=0)
