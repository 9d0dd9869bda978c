"""A clip's frames as a small H.264 video: written frame by frame, read from byte ranges.

Groups of pictures are closed, of one length and without B-frames, and every one begins with its own parameter sets.
So the bytes from a group's start to a frame's end decode to that frame and those before it in the group, in order:
that range is what the index says of a frame, and neither the container nor its clock is needed to read it.
"""

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import av
import numpy as np
from av.container import OutputContainer
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter
from av.video.stream import VideoStream

from refocus.video.yuv import YuvFrame

LENGTH = 4  # bytes of the size before every NAL unit of an MP4
START_CODE = b"\0\0\0\1"
EXACT = (  # greys come back as they were, on every machine
    Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT | Interpolation.BITEXACT
)
PLAIN = "bframes=0:scenecut=0:mbtree=0:rc-lookahead=0"  # mbtree reads memory nobody set: 1 video in 100 differed
CENTRED = "chromaloc=1"  # where the chroma lies; a decoder takes a video that does not say for left
PRESET = "veryfast"  # a third of medium's time; 0.7 dB for 5 % fewer bytes at the same crf


class H264Error(ValueError):
    """The bytes do not decode to the frames they should hold."""


@dataclass(frozen=True)
class _Output:
    """An MP4 being written."""

    container: OutputContainer
    stream: VideoStream

    def write(self, frame: VideoFrame | None) -> None:
        """Encodes a frame; None for what the encoder still holds."""
        self.container.mux(self.stream.encode(frame))


class H264Writer:
    """Encodes upright RGB frames; the same frames and settings give the same bytes."""

    def __init__(self, fps: float, crf: int, gop: int) -> None:
        self.rate = Fraction(fps).limit_denominator(1000)
        self.options: dict[str, object] = {
            "crf": str(crf),
            "preset": PRESET,
            "x264-params": f"keyint={gop}:min-keyint={gop}:repeat-headers=1:{CENTRED}:{PLAIN}",
        }
        self._reformatter = VideoReformatter()
        self._bytes = io.BytesIO()
        self._output: _Output | None = None
        self._count = 0

    def add(self, image: np.ndarray | YuvFrame) -> None:
        """One frame, (H, W, 3) uint8 RGB or YUV; height and width are even."""
        if isinstance(image, YuvFrame):
            rows = np.concatenate([plane.reshape(-1, image.luma.shape[1]) for plane in image])
            frame = av.VideoFrame.from_ndarray(rows, format="yuv420p")
        else:
            frame = self._reformatter.reformat(
                av.VideoFrame.from_ndarray(image, format="rgb24"),
                format="yuv420p",
                dst_colorspace=Colorspace.ITU601,
                dst_color_range=ColorRange.JPEG,
                interpolation=EXACT,
                threads=1,
            )
        if self._output is None:
            self._output = self._opened(frame.height, frame.width)
        frame.pts, frame.time_base = self._count, 1 / self.rate
        self._count += 1
        self._output.write(frame)

    def finish(self) -> tuple[bytes, list[int], list[int]]:
        """The MP4, and each frame's byte range in it: where its group starts, and how many bytes to the frame's end.

        Raises:
            H264Error: no frame was added.
        """
        if self._output is None:
            raise H264Error("a video needs a frame")
        self._output.write(None)
        self._output.container.close()
        video_file = self._bytes.getvalue()
        offsets: list[int] = []
        sizes: list[int] = []
        with av.open(io.BytesIO(video_file), "r") as container:
            for packet in container.demux(video=0):
                if packet.size and packet.pos is not None:  # PyAV ends with an empty packet
                    offsets.append(packet.pos if packet.is_keyframe else offsets[-1])
                    sizes.append(packet.pos + packet.size - offsets[-1])
        return video_file, offsets, sizes

    def _opened(self, height: int, width: int) -> _Output:
        container = av.open(self._bytes, "w", format="mp4", options={"fflags": "+bitexact"})
        stream = container.add_stream("libx264", rate=self.rate)
        stream.width, stream.height, stream.pix_fmt, stream.options = width, height, "yuv420p", self.options
        stream.thread_type = "NONE"
        stream.codec_context.thread_count = 1
        stream.codec_context.color_range = ColorRange.JPEG
        stream.codec_context.colorspace = Colorspace.ITU601
        return _Output(container, stream)


class H264Reader:
    """Decodes frames from ranges that `H264Writer` gave."""

    def __init__(self) -> None:
        self._reformatter = VideoReformatter()

    def frames(self, data: bytes, ends: Sequence[int], wanted: Sequence[int]) -> Iterator[np.ndarray]:
        """Frames of one group.

        Args:
            data: the video from the group's start to the end of its last wanted frame.
            ends: how many bytes it takes to each frame of the group, increasing; those beyond `data` are ignored.
            wanted: positions in the group, increasing.
        Yields:
            (H, W, 3) uint8 RGB of each.
        Raises:
            H264Error: the bytes are damaged.
        """
        decoder = av.CodecContext.create("h264", "r")
        decoder.thread_type, decoder.thread_count = "NONE", 1
        stops = [end for end in ends if end <= len(data)]
        if wanted and not 0 <= wanted[0] <= wanted[-1] < len(stops):
            raise H264Error(f"{len(stops)} frames where {wanted[-1] + 1} should be")
        try:
            frames = [
                frame
                for start, stop in zip([0, *stops], stops, strict=False)
                for frame in decoder.decode(av.Packet(annex_b(data[start:stop])))
            ]
            frames += decoder.decode(None)
        except av.FFmpegError as error:
            raise H264Error(error.strerror) from None
        if len(frames) != len(stops) or any(frame.is_corrupt for frame in frames):
            raise H264Error(f"{len(frames)} frames where {len(stops)} should be")
        for position in wanted:
            yield self._reformatter.reformat(
                frames[position],
                format="rgb24",
                src_colorspace=Colorspace.ITU601,
                src_color_range=ColorRange.JPEG,
                dst_color_range=ColorRange.JPEG,
                interpolation=EXACT,
                threads=1,
            ).to_ndarray()


def annex_b(unit: bytes) -> bytes:
    """An access unit of an MP4 as a decoder without the MP4's header takes it: start codes instead of sizes.

    Raises:
        H264Error: the sizes do not add up.
    """
    parts, position = [], 0
    while position < len(unit):
        start = position + LENGTH
        position = start + int.from_bytes(unit[position:start], "big")
        parts += [START_CODE, unit[start:position]]
    if position != len(unit) or not parts:
        raise H264Error("the sizes of its parts do not add up")
    return b"".join(parts)
