"""What a video file says about itself, and the one way a file is opened.

Times are seconds from the stream's first presented frame, so that an offset of the container does not show.
"""

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from refocus.core.errors import RefocusError
from refocus.video.tars import locate

_INDEXED = ("mov", "matroska", "avi", "flv")  # containers that find a moment without reading up to it
_HEADER_TOLERANCE_S = 0.25  # by this much a header may say less than the packets do
_CLOCK = re.compile(r"^(\d+):(\d\d):(\d\d(?:\.\d+)?)$")


class VideoError(RefocusError):
    """A video file that cannot be used; the message starts with its path."""


@dataclass(frozen=True)
class VideoInfo:
    """A video stream as its container describes it.

    `width` and `height` are as seen, after rotation; `rotation` is the counter-clockwise quarter turn in degrees that
    makes stored pixels upright; `fps` the average rate; `duration_s` None where no header knows it.
    """

    width: int
    height: int
    fps: float
    duration_s: float | None
    rotation: int
    codec: str
    n_frames: int | None


@contextlib.contextmanager
def opened(path: Path | str) -> Iterator[tuple[InputContainer, VideoStream]]:
    """The container and its first video stream, decoding on one thread.

    Raises:
        VideoError: no such file, not a video, or no video stream.
    """
    try:
        span = locate(Path(path))
    except FileNotFoundError as error:
        raise VideoError(str(error)) from None
    if span.size == 0:
        raise VideoError(f"{path}: the file is empty")
    try:
        container = av.open(span.url, metadata_errors="replace")
    except (av.FFmpegError, ValueError, OSError) as error:
        raise VideoError(f"{path}: not a readable video ({_reason(error)})") from None
    with container:
        streams = [one for one in container.streams.video if not one.disposition & one.disposition.attached_pic]
        if not streams:
            raise VideoError(f"{path}: has no video stream")
        stream = streams[0]
        if stream.codec_context is None:
            raise VideoError(f"{path}: no decoder for its video stream")
        stream.thread_type = "NONE"
        stream.codec_context.thread_count = 1
        yield container, stream


def probe(path: Path | str) -> VideoInfo:
    """Reads the headers and the first frame of a file.

    Raises:
        VideoError: the file is no readable video, or not one frame decodes.
    """
    with opened(path) as (container, stream):
        duration = header_duration(container, stream)
        try:
            frame = next(container.decode(stream))
        except StopIteration:
            raise VideoError(f"{path}: has no frames") from None
        except av.FFmpegError as error:
            raise VideoError(f"{path}: the first frame does not decode ({_reason(error)})") from None
        rotation = nearest_right_angle(frame.rotation)
        width, height = (frame.height, frame.width) if rotation % 180 else (frame.width, frame.height)
        return VideoInfo(
            width=width,
            height=height,
            fps=rate_of(stream),
            duration_s=duration,
            rotation=rotation,
            codec=stream.codec_context.name,
            n_frames=stream.frames or None,
        )


def rate_of(stream: VideoStream) -> float:
    """Average frames per second, 0 where unknown."""
    rate = stream.average_rate or stream.guessed_rate
    return float(rate) if rate else 0.0


def header_duration(container: InputContainer, stream: VideoStream) -> float | None:
    """Seconds the stream lasts by its own header, by its tag (Matroska), or by the container's; None = unknown."""
    if container.format.name == "avi" and stream.frames and stream.time_base:  # a truncated file has a shorter duration
        return float(stream.frames * stream.time_base)
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    clock = _CLOCK.match(stream.metadata.get("DURATION", ""))
    if clock:
        seconds = int(clock[1]) * 3600 + int(clock[2]) * 60 + float(clock[3])
    elif container.duration:
        seconds = container.duration / av.time_base
    else:
        return None
    start = float(origin(stream))
    if "matroska" not in container.format.name:  # Matroska counts from 0, the others from their first packet
        start -= (container.start_time or 0) / av.time_base
    return max(0.0, seconds - start)


def last_moment(container: InputContainer, stream: VideoStream, until_s: float | None) -> float:
    """Seconds the stream lasts: what its header says, or more if its packets go on; measured where no header knows.

    Leaves the container at its end.

    Args:
        until_s: seconds from the first frame; a header that says at least this is believed.
    """
    header = header_duration(container, stream)
    if header is None:
        return _end_of(container, stream)
    indexed = any(name in container.format.name for name in _INDEXED)
    if (until_s is not None and header >= until_s) or not indexed or stream.time_base is None:
        return header
    try:
        container.seek(int((header + origin(stream)) / stream.time_base), stream=stream)
    except av.FFmpegError:
        return header
    measured = _end_of(container, stream)
    return measured if measured > header + _HEADER_TOLERANCE_S else header


def _end_of(container: InputContainer, stream: VideoStream) -> float:
    """When the last of the packets ahead leaves the screen; packets without times follow each other evenly."""
    end, untimed = 0.0, 0
    try:
        for packet in container.demux(stream):
            untimed += packet.pts is None and packet.size > 0
            if packet.pts is not None and packet.time_base is not None and not packet.is_discard:
                end = max(end, float((packet.pts + (packet.duration or 0)) * packet.time_base - origin(stream)))
    except (av.FFmpegError, IndexError):  # decoding will report it
        pass
    return end or (untimed / rate_of(stream) if rate_of(stream) else 0.0)


def origin(stream: VideoStream) -> Fraction:
    """The presentation time, in seconds of the container's clock, that counts as 0."""
    if stream.start_time is None or stream.time_base is None:
        return Fraction(0)
    return stream.start_time * stream.time_base


def nearest_right_angle(degrees: float) -> int:
    """The nearest multiple of 90 in [-180, 180)."""
    return (round(degrees / 90) * 90 + 180) % 360 - 180


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
