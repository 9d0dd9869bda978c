"""The two forms in which a clip's frames are stored: a JPEG per frame, or one H.264 video (`decode.storage`).

Both look alike from the index: a frame is decoded from the `size` bytes at its `offset`. With JPEGs these bytes are the
frame; in a video they begin at a key frame, which frames of the same group share, and end where the frame ends.
"""

import itertools
import zlib
from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np
import simplejpeg

from refocus.config.decode import DecodeSettings
from refocus.core.limits import PICTURE_PIXELS
from refocus.frames.clip_metadata import ByteRange, ClipMetadata, StoredForm
from refocus.frames.h264 import H264Error, H264Reader, H264Writer
from refocus.video.yuv import YuvFrame

JPEG_MAGIC = b"\xff\xd8"


class DamagedFrames(Exception):
    """Stored bytes that do not decode; the message says why."""


class FrameEncoder(Protocol):
    """Takes a clip's frames one by one."""

    def add(self, image: np.ndarray | YuvFrame) -> None:
        """The next frame, (H, W, 3) uint8 RGB or YUV."""

    def finish(self) -> tuple[list[bytes], StoredForm]:
        """The contents of the clip's members, and where in them the frames are."""


def frame_encoder(settings: DecodeSettings) -> FrameEncoder:
    """The encoder of the form that the settings ask for."""
    return _H264Encoder(settings) if settings.storage == "video" else _JpegEncoder(settings)


def spans(offsets: Sequence[int], sizes: Sequence[int], wanted: Sequence[int]) -> Iterator[tuple[ByteRange, list[int]]]:
    """The fewest ranges that hold the wanted frames (increasing), each with the frames it holds."""
    start = 0
    while start < len(wanted):
        offset = offsets[wanted[start]]
        stop = start + 1
        while stop < len(wanted) and offsets[wanted[stop]] == offset:
            stop += 1
        yield (offset, sizes[wanted[stop - 1]]), list(wanted[start:stop])
        start = stop


def pictures(
    data: bytes, offsets: Sequence[int], sizes: Sequence[int], frames: Sequence[int], least: int = 0
) -> Iterator[np.ndarray]:
    """The frames that one of the `spans` holds.

    Args:
        data: the bytes of the span.
        offsets, sizes: of all frames of the clip.
        frames: which frames, as `spans` gave them.
        least: pixels; JPEGs are decoded at a reduced scale no smaller than this, 0 = as stored.
    Yields:
        (H, W, 3) uint8 RGB of each.
    Raises:
        DamagedFrames: the bytes are not what was stored.
    """
    try:
        if data.startswith(JPEG_MAGIC):
            height, width, *_ = simplejpeg.decode_jpeg_header(data)
            if height * width > PICTURE_PIXELS.value():
                raise DamagedFrames(PICTURE_PIXELS.refusal(f"a picture of {width}x{height} pixels"))
            yield simplejpeg.decode_jpeg(data, "RGB", min_height=least, min_width=least)
            return
        first = offsets.index(offsets[frames[0]])
        last = frames[-1] + 1
        yield from H264Reader().frames(data, sizes[first:last], [frame - first for frame in frames])
    except (H264Error, ValueError) as error:
        raise DamagedFrames(str(error)) from None


def checksums(metadata: ClipMetadata, files: Sequence[bytes]) -> Iterator[int]:
    """CRC-32 of the bytes that each frame of a clip is decoded from.

    Args:
        files: the contents of the members that hold its frames, in their order.
    """
    starts = itertools.accumulate(map(len, files), initial=0)
    data = memoryview(b"".join(files))
    members = [(start, len(file)) for start, file in zip(starts, files, strict=False)]
    for offset, size in metadata.frame_ranges(members):
        yield zlib.crc32(data[offset : offset + size])


def jpeg(image: np.ndarray | YuvFrame, quality: int) -> bytes:
    """A frame as a JPEG file, 4:2:0."""
    if isinstance(image, YuvFrame):
        return simplejpeg.encode_jpeg_yuv_planes(*image, quality=quality)
    return simplejpeg.encode_jpeg(
        np.ascontiguousarray(image), quality=quality, colorspace="RGB", colorsubsampling="420"
    )


class _JpegEncoder:
    def __init__(self, settings: DecodeSettings) -> None:
        self.quality = settings.quality
        self.files: list[bytes] = []

    def add(self, image: np.ndarray | YuvFrame) -> None:
        self.files.append(jpeg(image, self.quality))

    def finish(self) -> tuple[list[bytes], StoredForm]:
        return self.files, StoredForm("jpeg")


class _H264Encoder:
    def __init__(self, settings: DecodeSettings) -> None:
        self.writer = H264Writer(settings.fps, settings.crf, settings.gop)
        self.add = self.writer.add

    def finish(self) -> tuple[list[bytes], StoredForm]:
        video_file, offsets, sizes = self.writer.finish()
        return [video_file], StoredForm("video", tuple(offsets), tuple(sizes), zlib.crc32(video_file))
