"""Frames scaled as YUV 4:2:0, which JPEG and H.264 store: a third of the time that the way over RGB takes.

The scaler works in the stream's own matrix and leaves 10 bits, so that colours are changed and rounded to 8 bits once.
Chroma goes from where the stream has it to the middle of its four pixels, where JPEG has it.
"""

from fractions import Fraction
from typing import NamedTuple

import numpy as np
from av.filter import Graph
from av.video.format import VideoFormat
from av.video.frame import VideoFrame
from av.video.plane import VideoPlane
from av.video.reformatter import Interpolation, VideoReformatter

from refocus.video.orientation import orientation
from refocus.video.rgb import UNSUPPORTED_MATRICES

_FORMATS = {f"yuv{layout}{depth}" for layout in ("420p", "422p", "444p") for depth in ("", "10le")}
_MATRICES = {1: "bt709", 4: "fcc", 7: "smpte240m", 9: "bt2020nc"}  # else BT.601
_FULL_RANGE, _RGB = 2, 0
_UNTOUCHED = {  # what the scaler must not change, nor refuse where it is tagged with a reserved value
    f"{way}_{what}": value
    for what, value in (("color_matrix", "bt601"), ("range", "tv"), ("primaries", "bt709"), ("transfer", "bt709"))
    for way in ("in", "out")
}


class YuvFrame(NamedTuple):
    """A frame as full-range BT.601, 4:2:0, chroma in the middle of its four pixels."""

    luma: np.ndarray  # (H, W) uint8
    blue: np.ndarray  # (H/2, W/2) uint8
    red: np.ndarray


class YuvScaler:
    """Scales frames to size x size (squash, bicubic, antialiased), keeping the scaler's tables between them."""

    def __init__(self, size: int) -> None:
        """
        Args:
            size: an even number of pixels.
        """
        self.size = size
        self._input: tuple[int, int, str, int] | None = None  # the kind of frames that the graph takes
        self._graph: Graph | None = None

    @staticmethod
    def takes(frame: VideoFrame) -> bool:
        """Whether a frame can be scaled as YUV: Y'CbCr of 8 or 10 bits in limited range, as nearly all video is."""
        plain = frame.color_range != _FULL_RANGE and frame.colorspace not in (_RGB, *UNSUPPORTED_MATRICES)
        return plain and frame.format.name in _FORMATS

    def __call__(self, frame: VideoFrame) -> YuvFrame:
        """A frame that `takes` accepts, scaled and upright."""
        kind = (frame.width, frame.height, frame.format.name, frame.colorspace)
        if self._graph is None or kind != self._input:
            self._input, self._graph = kind, _graph(self.size, frame)
        self._graph.vpush(frame)
        upright = orientation(frame)
        luma, blue, red = (upright.apply(_pixels(plane)) for plane in self._graph.vpull().planes)
        return YuvFrame(luma, blue, red)


def _pixels(plane: VideoPlane) -> np.ndarray:
    return np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, plane.line_size)[:, : plane.width]


def _graph(size: int, frame: VideoFrame) -> Graph:
    """Scales frames of this size, format, colour space and chroma siting."""
    graph, pixels = Graph(), VideoFormat(frame.format.name)
    graph.threads = 1
    scaling = {"w": size, "h": size, "flags": "bicubic+accurate_rnd"}
    chroma = {"in_chroma_loc": siting(frame), "out_chroma_loc": "center"}
    matrix = {"ispace": _MATRICES.get(frame.colorspace, "bt470bg"), "irange": "tv", "space": "bt470bg", "range": "pc"}
    light = {"iprimaries": "bt709", "primaries": "bt709", "itrc": "bt709", "trc": "bt709", "fast": "1"}  # stays
    graph.link_nodes(
        graph.add_buffer(width=frame.width, height=frame.height, format=pixels, time_base=Fraction(1, 1000)),
        graph.add("scale", _spelled({**scaling, **chroma, **_UNTOUCHED})),
        graph.add("format", "yuv420p10le"),
        graph.add("colorspace", _spelled({**matrix, **light, "format": "yuv420p"})),
        graph.add("buffersink"),
    ).configure()
    return graph


def _spelled(options: dict[str, object]) -> str:
    return ":".join(f"{key}={value}" for key, value in options.items())


def siting(frame: VideoFrame) -> str:
    """Where a frame's chroma lies among its luma: left, center, topleft, top, bottomleft or bottom.

    PyAV does not tell, and the filter does not look. But a copy inherits it, and shows it when slopes that are written
    over the copy's chroma are spread over all pixels.
    """
    side = 48 if frame.width == 32 else 32  # of another size than the frame, or it would be the frame itself
    small = VideoReformatter().reformat(
        frame, side, side, "yuv420p", interpolation=Interpolation.POINT, dst_color_range="MPEG", threads=1
    )
    slope = np.tile(np.arange(0, 8 * side // 2, 8, dtype=np.uint8), (side // 2, 1))
    for plane, values in zip(small.planes[1:], (slope, slope.T), strict=True):
        padded = np.zeros((plane.height, plane.line_size), np.uint8)
        padded[:, : side // 2] = values
        plane.update(padded.tobytes())
    spread = VideoReformatter().reformat(
        small, format="yuv444p16le", interpolation=Interpolation.BILINEAR, dst_color_range="MPEG", threads=1
    )
    blue, red = (
        np.frombuffer(memoryview(plane), np.uint16).reshape(plane.height, -1) / 256 for plane in spread.planes[1:]
    )
    middle = side // 2
    column, row = ((4 * middle - values[middle, middle]) / 4 for values in (blue, red))  # in pixels: 0, 0.5 or 1
    name = ("top", "", "bottom")[round(2 * row)] + ("left" if column < 0.25 else "")
    return name or "center"
