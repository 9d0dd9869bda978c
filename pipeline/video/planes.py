"""Frames scaled straight to the planes that JPEG stores, without RGB in between: a third of its cost.

The scaler keeps the stream's own matrix and gives limited range as full range with 10 bits, so that the change to BT.601
and the rounding to 8 bits happen once, here. Chroma goes from where the stream has it to the middle of its four
pixels, where JPEG has it.
"""

from fractions import Fraction
from functools import cache
from typing import NamedTuple

import numpy as np
from av.filter import Graph
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation, VideoReformatter

from pipeline.video.picture import STRANGE
from pipeline.video.probe import quarter_turn

_FORMATS = {f"yuv{layout}{depth}" for layout in ("420p", "422p", "444p") for depth in ("", "10le")}
_LUMA = {1: (0.2126, 0.0722), 4: (0.30, 0.11), 7: (0.212, 0.087), 9: (0.2627, 0.0593)}  # of red and blue; else BT.601
_BT601 = (0.299, 0.114)
_FULL_RANGE, _RGB = 2, 0
_WHITE, _GREY = 1023, 511.5  # what the scaler makes of limited range, 10 bits: white, and chroma's zero
_STEP = 255 / _WHITE
_KEPT = np.array([[0, 0], [1, 0], [0, 1]])
_SAME = "in_primaries=bt709:out_primaries=bt709:in_transfer=bt709:out_transfer=bt709"  # else reserved tags are refused


class Planes(NamedTuple):
    """A picture as full-range BT.601, 4:2:0, chroma in the middle of its four pixels."""

    luma: np.ndarray  # (size, size) uint8
    blue: np.ndarray  # (size/2, size/2) uint8
    red: np.ndarray


class PlaneScaler:
    """Scales frames to size x size (squash, bicubic, antialiased), keeping the scaler's tables between them."""

    def __init__(self, size: int) -> None:
        """
        Args:
            size: an even number of pixels.
        """
        half = size // 2
        self.size = size
        self._looks: tuple | None = None  # of the frames that the graph takes
        self._graph: Graph | None = None
        self._planes = Planes(*(np.empty((side, side), np.uint8) for side in (size, half, half)))
        self._wide = np.empty((2, size, size), np.int16)
        self._chroma, self._sum = np.empty((2, 2, half, half), np.float32)
        self._twice = np.empty((half, half), np.uint32)

    @staticmethod
    def takes(frame: VideoFrame) -> bool:
        """Whether a frame can go this way: Y'CbCr of 8 or 10 bits in limited range, as nearly all video is."""
        plain = frame.color_range != _FULL_RANGE and frame.colorspace not in (_RGB, *STRANGE)
        return plain and frame.format.name in _FORMATS

    def __call__(self, frame: VideoFrame) -> Planes:
        """The planes of a frame that `takes` accepts, upright. The next call overwrites them."""
        looks = (frame.width, frame.height, frame.format.name)
        if looks != self._looks:
            self._looks, self._graph = looks, _graph(self.size, *looks, siting(frame))
        self._graph.push(frame)
        scaled = self._graph.pull()
        luma, blue, red = (np.frombuffer(plane, np.int16).reshape(plane.height, -1) for plane in scaled.planes)
        half = self.size // 2
        self._round(luma[:, : self.size], blue[:, :half], red[:, :half], _LUMA.get(frame.colorspace))
        turns = quarter_turn(frame.rotation) // 90
        if turns:
            return Planes(*(np.ascontiguousarray(np.rot90(plane, turns)) for plane in self._planes))
        return self._planes

    def _round(self, luma: np.ndarray, blue: np.ndarray, red: np.ndarray, matrix: tuple[float, float] | None) -> None:
        """From 10 bits of a stream's matrix (None: BT.601) to 8 bits of BT.601, all in buffers that are there."""
        to_luma, to_blue, to_red = _KEPT if matrix is None else _to_601(*matrix)
        wide, spare = self._wide
        np.multiply(luma, np.int16(3), out=spare)
        spare >>= 10
        np.subtract(luma, spare, out=wide)  # white is 1021: 4 x 255 and, as all are on average, half a step
        self._chroma[0], self._chroma[1] = blue, red
        for plane, weights in ((self._planes.blue, to_blue), (self._planes.red, to_red)):
            value = self._mixed(_STEP * weights, 128.5)
            np.copyto(plane, np.clip(value, 0, 255, out=value), casting="unsafe")
        if matrix is None:
            wide += 1
        else:
            shift = self._mixed(to_luma, 1.0)
            np.copyto(self._twice.view(np.int32), np.rint(shift, out=shift), casting="unsafe")
            self._twice &= 0xFFFF
            self._twice *= 0x10001  # for the two neighbours of a row
            rows = wide.reshape(len(shift), 2, -1)
            rows += self._twice.view(np.int16)[:, None]
            np.clip(wide, 0, 1023, out=wide)
        wide >>= 2
        np.copyto(self._planes.luma, wide, casting="unsafe")

    def _mixed(self, weights: np.ndarray, grey: float) -> np.ndarray:
        """A weighted sum of both chroma values, with this for grey."""
        total, spare = self._sum
        total.fill(grey - _GREY * weights.sum())
        for plane, weight in zip(self._chroma, weights, strict=True):
            if weight:
                total += np.multiply(plane, np.float32(weight), out=spare)
        return total


@cache
def _to_601(of_red: float, of_blue: float) -> np.ndarray:
    """(3, 2): what a matrix's two chroma values add to BT.601's luma, and what they make of its chroma."""
    there = np.linalg.inv(_matrix(of_red, of_blue))
    return (_matrix(*_BT601) @ there)[:, 1:]


def _matrix(of_red: float, of_blue: float) -> np.ndarray:
    """From RGB to luma and chroma, given red's and blue's share of luma."""
    luma = np.array([of_red, 1 - of_red - of_blue, of_blue])
    blue, red = np.eye(3)[[2, 0]] - luma
    return np.stack([luma, blue / (2 * (1 - of_blue)), red / (2 * (1 - of_red))])


def _graph(size: int, width: int, height: int, pixels: str, place: str) -> Graph:
    graph = Graph()
    graph.threads = 1
    colors = f"in_color_matrix=bt601:out_color_matrix=bt601:in_range=limited:out_range=full:{_SAME}"  # none is changed
    chroma = f"in_chroma_loc={place}:out_chroma_loc=center"
    graph.link_nodes(
        graph.add_buffer(width=width, height=height, format=pixels, time_base=Fraction(1, 1000)),
        graph.add("scale", f"{size}:{size}:flags=bicubic+accurate_rnd:{colors}:{chroma}"),
        graph.add("format", "yuv420p10le"),
        graph.add("buffersink"),
    ).configure()
    return graph


def siting(frame: VideoFrame) -> str:
    """Where a frame's chroma lies among its luma: left, center, topleft, top, bottomleft or bottom.

    PyAV does not tell. A copy of the frame inherits it, and spreading slopes that are written over the copy's chroma
    shows it.
    """
    scaler = VideoReformatter()
    small = scaler.reformat(frame, width=32, height=32, format="yuv420p", interpolation=Interpolation.POINT)
    slope = np.tile(np.arange(16, dtype=np.uint8) * 8 + 64, (16, 1))
    for plane, values in zip(small.planes[1:], (slope, slope.T), strict=True):
        padded = np.zeros((plane.height, plane.line_size), np.uint8)
        padded[:, :16] = values
        plane.update(padded)
    spread = scaler.reformat(
        small, format="yuv444p16le", interpolation=Interpolation.BILINEAR, dst_color_range=small.color_range
    )
    blue, red = (np.frombuffer(plane, np.uint16).reshape(plane.height, -1) / 256 for plane in spread.planes[1:])
    column, row = ((64 + 4 * 16 - values) / 4 for values in (blue[16, 16], red[16, 16]))  # of chroma's first sample
    name = {0: "top", 1: "", 2: "bottom"}[round(2 * row)] + ("left" if column < 0.25 else "")
    return name or "center"
