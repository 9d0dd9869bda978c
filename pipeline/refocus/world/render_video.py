"""Writes a scene as a real H.264 file: any size, constant or variable frame rate, upright or with a rotation flag."""

import struct
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from refocus.core.files import atomic
from refocus.world.draw import draw
from refocus.world.scene import Scene

TIME_BASE = Fraction(1, 12800)


@dataclass(frozen=True)
class Encoding:
    """How a scene is stored: what a viewer sees is the same whatever is chosen here."""

    height: int = 120  # as seen
    width: int = 160
    fps: float = 12.0
    variable: bool = False  # frames at irregular times
    rotation: int = 0  # degrees the player turns the stored picture clockwise: 0 or 90


def write_video(path: Path, scene: Scene, encoding: Encoding) -> None:
    """Renders a scene into an mp4 file, atomically and byte-identically for equal arguments."""
    times = frame_times(scene.duration_s, encoding)
    height, width = (encoding.width, encoding.height) if encoding.rotation else (encoding.height, encoding.width)
    with atomic(path) as draft:
        with av.open(str(draft), "w", format="mp4", options={"movflags": "+faststart"}) as container:
            stream = container.add_stream("libx264", rate=Fraction(encoding.fps).limit_denominator(1001))
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
            stream.codec_context.time_base = TIME_BASE
            stream.codec_context.thread_count = 1  # the bytes must not depend on the machine
            # x264 reads unset memory in mbtree: now and then the same pictures would become other bytes
            stream.options = {"preset": "veryfast", "crf": "23", "g": "48", "x264-params": "mbtree=0"}
            for time_s in times:
                picture = draw([(scene, float(time_s))], encoding.height, encoding.width)[0]
                if encoding.rotation:
                    picture = np.ascontiguousarray(np.rot90(picture))
                frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
                frame.pts = round(float(time_s) / TIME_BASE)
                frame.time_base = TIME_BASE
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        if encoding.rotation:
            _flag_rotation(draft)


def frame_times(duration_s: float, encoding: Encoding) -> np.ndarray:
    """Presentation times of the stored frames, seconds, starting at 0."""
    count = max(2, int(duration_s * encoding.fps))
    times = np.arange(count) / encoding.fps
    if encoding.variable:  # every third frame is dropped and its neighbor comes late
        times = np.delete(times, slice(2, None, 3))
        times[1::2] += 0.3 / encoding.fps
    return times


def _flag_rotation(path: Path) -> None:
    """Sets the display matrix of the video track to a clockwise quarter turn.

    The muxer has no option for it, so the nine fixed-point numbers in the track header are rewritten in place.
    """
    data = bytearray(path.read_bytes())
    header = data.index(b"tkhd")
    if data[header + 4] != 0:
        raise ValueError(f"{path}: a version-{data[header + 4]} track header")
    one, turn = 1 << 16, (0, 1 << 16, 0, -(1 << 16), 0, 0, 0, 0, 1 << 30)
    matrix = header + 4 + 40
    if struct.unpack_from(">i", data, matrix)[0] != one:
        raise ValueError(f"{path}: the track header has no identity matrix where it should be")
    struct.pack_into(">9i", data, matrix, *turn)
    path.write_bytes(data)
