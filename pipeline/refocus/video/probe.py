"""What a video file says about itself, and the one way a file is opened."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
from av import logging
from av.codec.context import Flags
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from refocus.core.errors import RefocusError
from refocus.core.limits import PICTURE_PIXELS
from refocus.video.length import header_duration
from refocus.video.orientation import Orientation, orientation
from refocus.video.packets import rate_of
from refocus.video.tars import locate

_DEMUXERS = (  # those of one file each: playlists, file lists, picture series and streams name other files
    "3dostr 4xm amv apng apv asf asf_o av1 avi avs avs2 avs3 bink cavsvideo dhav dirac dnxhd dv ea evc flic flv gif "
    "gxf h261 h263 h264 hevc ingenient ivf live_flv m4v matroska mjpeg mjpeg_2000 mov mpeg mpegts mpegtsraw mpegvideo "
    "mpjpeg mtv mxf nsv nut nuv obu ogg rawvideo rm roq smjpeg smk swf vc1 vc1test vvc webm wtv yuv4mpegpipe"
)
_ONLY_ITSELF = {"format_whitelist": _DEMUXERS.replace(" ", ","), "protocol_whitelist": "file,subfile"}
_CROPPED = "Frame Cropping"  # as FFmpeg describes a stream
_DEFAULT_PIXELS = 5_000_000  # what it is worth to ffmpeg that a stream is marked as the default


class VideoError(RefocusError):
    """A video file that cannot be used; the message starts with its path."""


@dataclass(frozen=True)
class VideoInfo:
    """A video stream as its container describes it.

    `width` and `height` are as seen, after rotation; `fps` is the average rate; `duration_s` None where no header knows
    it.
    """

    width: int
    height: int
    fps: float
    duration_s: float | None
    codec: str
    n_frames: int | None


@contextlib.contextmanager
def opened(path: Path | str) -> Iterator[tuple[InputContainer, VideoStream]]:
    """The container and the stream that is its video, decoding on one thread.

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
        container = av.open(span.url, metadata_errors="replace", options=_ONLY_ITSELF)
    except av.ArgumentError:
        raise VideoError(f"{path}: not a readable video (of no kind that is read as one, such as a playlist)") from None
    except (av.FFmpegError, ValueError, OSError) as error:
        raise VideoError(f"{path}: not a readable video ({_reason(error)})") from None
    with container:
        stream = max(container.streams.video, key=_rank, default=None)
        if stream is None or stream.disposition & stream.disposition.attached_pic:
            raise VideoError(f"{path}: has no video stream")
        if stream.codec_context is None:
            raise VideoError(f"{path}: no decoder for its video stream")
        stream.thread_type = "NONE"
        stream.codec_context.thread_count = 1
        stream.codec_context.flags |= Flags.unaligned  # else columns cut off at the left may come back
        stream.codec_context.options = {
            "max_pixels": str(PICTURE_PIXELS.value())
        }  # also of frames that grow on the way
        pixels = stream.codec_context.width * stream.codec_context.height
        if pixels > PICTURE_PIXELS.value():
            raise VideoError(f"{path}: {PICTURE_PIXELS.refusal(f'pictures of {pixels} pixels')}")
        yield container, stream


def _rank(stream: VideoStream) -> tuple[bool, bool, int]:
    """The higher, the rather it is what the ffmpeg program shows: cover art least of all, then what is one picture."""
    marks = stream.disposition
    pixels = stream.codec_context.width * stream.codec_context.height if stream.codec_context else 0
    still = marks & (marks.still_image | marks.timed_thumbnails)
    worth = pixels + _DEFAULT_PIXELS * bool(marks & marks.default)
    return not marks & marks.attached_pic, not still and stream.frames != 1, worth


def is_cropped(container: InputContainer, stream: VideoStream) -> bool:
    """Whether a container says that pictures are to be cut (Matroska's PixelCrop), which decoders leave to others."""
    level = logging.get_level()
    logging.set_level(logging.INFO)  # else FFmpeg says nothing
    try:
        _, _, own = container.dumps_format().partition(f"Stream #0:{stream.index}")  # type: ignore[attr-defined]
    finally:
        logging.set_level(level)
    return _CROPPED in own.partition("Stream #")[0]


def probe(path: Path | str) -> VideoInfo:
    """Reads the headers and the first frame of a file.

    Raises:
        VideoError: the file is no readable video, or not one frame decodes.
    """
    with opened(path) as (container, stream):
        duration = header_duration(container, stream)
        frame = _first_frame(path, container, stream)
        transposed = orientation(frame).transposed
        width, height = (frame.height, frame.width) if transposed else (frame.width, frame.height)
        return VideoInfo(
            width=width,
            height=height,
            fps=rate_of(stream),
            duration_s=duration,
            codec=stream.codec_context.name,
            n_frames=stream.frames or None,
        )


def first_orientation(path: Path | str) -> Orientation:
    """How the first frame of a file is turned and mirrored.

    Raises:
        VideoError: as `probe`.
    """
    with opened(path) as (container, stream):
        return orientation(_first_frame(path, container, stream))


def _first_frame(path: Path | str, container: InputContainer, stream: VideoStream) -> VideoFrame:
    try:
        return next(container.decode(stream))
    except StopIteration:
        raise VideoError(f"{path}: has no frames") from None
    except av.FFmpegError as error:
        raise VideoError(f"{path}: the first frame does not decode ({_reason(error)})") from None


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
