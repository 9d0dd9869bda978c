"""Every frame of a video, decoded from the first packet to the last: slow, simple, and sharing nothing with
`refocus.video.selective_decode` but how a file is opened and which formats may set their clock anew. It is what
`refocus verify-frames` compares with.
"""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from refocus.video.packets import clock_may_jump
from refocus.video.probe import VideoError, opened

_FORWARD_S, _BACKWARD_S = 10.0, -0.1  # a step of the clock beyond these is none of the video's
_FRAME_S = Fraction(1, 25)  # how long a frame stays where nothing says it


@dataclass(frozen=True)
class Decoded:
    """A frame in the order in which the decoder gives it."""

    number: int  # 0-based
    frame: VideoFrame
    aspect: Fraction | None  # width over height of a stored pixel


def every_frame(path: Path | str) -> Iterator[Decoded]:
    """All frames of a file's video.

    Raises:
        VideoError: the file is unreadable, or a frame does not decode.
    """
    with opened(path) as (container, stream):
        for number, frame in enumerate(_frames(path, container, stream)):
            yield Decoded(number, frame, stream.sample_aspect_ratio)


def _frames(path: Path | str, container: InputContainer, stream: VideoStream) -> Iterator[VideoFrame]:
    try:
        yield from container.decode(stream)
    except av.FFmpegError as error:
        raise VideoError(f"{path}: a plain decode stops ({error.strerror})") from None


def every_time(path: Path | str, first: int | None = None) -> list[float]:
    """When each frame is presented and, as one more, when the last one is over: seconds from the first.

    Frames come out in the order in which they are seen. So the first has the earliest time, the second the next one,
    whatever the container says of which is which; where its clock may be set anew, that holds between two jumps.

    Args:
        first: only so many frames are decoded.
    Raises:
        VideoError: as `every_frame`.
    """
    with opened(path) as (container, stream):
        base, jumps = stream.time_base or Fraction(1), clock_may_jump(container)
        rate = stream.average_rate or stream.guessed_rate
        frames = itertools.islice(_frames(path, container, stream), first)
        stamps = [(frame.pts, frame.duration or 0) for frame in frames]
    usual = 1 / rate if rate else _FRAME_S
    if not stamps:
        raise VideoError(f"{path}: not one frame decodes")
    lasts = stamps[-1][1] * base or usual
    if any(pts is None for pts, _ in stamps):
        return [float(number * usual) for number in range(len(stamps) + 1)]
    times = [pts * base for pts, _ in stamps if pts is not None]
    parts = _parts(times) if jumps else [times]
    found: list[Fraction] = []
    for part in parts:
        ordered = sorted(part)
        begin = found[-1] + lasts if found else Fraction(0)
        found += [begin + time - ordered[0] for time in ordered]
    return [float(time) for time in [*found, found[-1] + lasts]]


def _parts(times: Sequence[Fraction]) -> list[list[Fraction]]:
    """Cut where the clock was set anew."""
    parts = [[times[0]]]
    for one, other in itertools.pairwise(times):
        if not _BACKWARD_S < other - one < _FORWARD_S:
            parts.append([])
        parts[-1].append(other)
    return parts
