"""How a picture is turned and mirrored to be seen: a display matrix has eight right-angled values, not four angles."""

from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple, cast

import numpy as np
from av.filter import Graph
from av.sidedata.sidedata import SideData, SideDataContainer, Type
from av.video.frame import VideoFrame


class Orientation(NamedTuple):
    """What makes a stored picture upright: exchanged axes first, then flips of what that gives."""

    transposed: bool
    down: bool  # rows from the last to the first
    left: bool  # columns from the last to the first

    @property
    def mirrored(self) -> bool:
        """Whether turning alone does not do it."""
        return self.transposed ^ self.down ^ self.left

    def apply(self, image: np.ndarray) -> np.ndarray:
        """The upright picture of a stored (H, W, ...) one."""
        image = image.swapaxes(0, 1) if self.transposed else image
        return np.ascontiguousarray(image[:: -1 if self.down else 1, :: -1 if self.left else 1])


AS_STORED = Orientation(False, False, False)
_UNKNOWN_DATA = sorted(set(range(64)) - {kind.value for kind in Type})


def orientation(frame: VideoFrame) -> Orientation:
    """That of a frame's display matrix, by the nearest right angle; as stored where it has none."""
    # frame.side_data would refer back to the frame and keep its picture until the garbage collector comes
    try:
        side_data = SideDataContainer(frame)  # type: ignore[call-arg]
    except ValueError:
        side_data = SideDataContainer(_with_known_data(frame))  # type: ignore[call-arg]
    matrix = cast(SideData | None, side_data.get("DISPLAYMATRIX"))
    return AS_STORED if matrix is None else from_matrix(np.frombuffer(bytes(matrix), np.int32).tolist())


def _with_known_data(frame: VideoFrame) -> VideoFrame:
    """The frame without the side data that PyAV has no name for (EXIF, views of a scene): it would give none at all."""
    graph = Graph()
    last = graph.add_buffer(
        width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base or Fraction(1)
    )
    for kind in _UNKNOWN_DATA:
        remove = graph.add("sidedata", f"mode=delete:type={kind}")
        last.link_to(remove)
        last = remove
    last.link_to(graph.add("buffersink"))
    graph.configure()
    graph.vpush(frame)
    return graph.vpull()


def from_matrix(matrix: Sequence[int]) -> Orientation:
    """That of the matrix (a, b, u, c, d, v, x, y, w): the pixel (p, q) is seen at (a p + c q, b p + d q)."""
    a, b, _, c, d = matrix[:5]
    if abs(a) + abs(d) >= abs(b) + abs(c):
        return Orientation(False, d < 0, a < 0)
    return Orientation(True, b < 0, c < 0)
