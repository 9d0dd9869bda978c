"""Decoded frames as upright full-range RGB, at their own size or fitted into a square."""

from fractions import Fraction

import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter

from refocus.core.limits import PICTURE_PIXELS
from refocus.video.orientation import orientation
from refocus.video.probe import VideoError
from refocus.video.resize import Fit, fitted, squared

# Without full chroma the scaler gives two neighbouring pixels one colour.
SCALING = Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT
_SUPPORTED_MATRICES = (0, 1, 2, 4, 5, 6, 7, 9)  # AVCOL_SPC: RGB, 709, unspecified, FCC, 601 twice, 240M, 2020
UNSUPPORTED_MATRICES = {8: "YCgCo", 11: "SMPTE 2085", 14: "ICtCp", 15: "IPT-C2", 16: "YCgCo-Re", 17: "YCgCo-Ro"}


class RgbConverter:
    """Converts frames, keeping the scaler's tables between them.

    Matrix and range are the frame's own; a frame that names no matrix, or a reserved one, is taken as BT.601.
    Transparency is dropped.
    """

    def __init__(self, size: int | None, fit: Fit = "squash", aspect: Fraction | None = None) -> None:
        """
        Args:
            size: images come size x size, in pixels; None = as stored.
            fit: squash = stretched; pad = whole, on black; crop = filled, the middle.
            aspect: width over height of a stored pixel; None = square. It counts for pad and crop.
        """
        self.size = size
        self.fit = fit
        self.aspect = aspect or Fraction(1)
        self.reformatter = VideoReformatter()

    def __call__(self, frame: VideoFrame) -> np.ndarray:
        """(H, W, 3) uint8 RGB.

        Raises:
            VideoError: the frame is in a colour space that nothing here converts, or of an absurd shape.
        """
        width, height = self._shape(frame)
        if frame.colorspace in UNSUPPORTED_MATRICES:
            raise VideoError(f"the colour matrix {UNSUPPORTED_MATRICES[frame.colorspace]} is not supported")
        matrix = None if frame.colorspace in _SUPPORTED_MATRICES else Colorspace.ITU601
        rgb = self._converted(frame, width, height, matrix)
        if self.size is not None and rgb.shape[:2] != (self.size, self.size):
            rgb = squared(rgb, self.size)
        return orientation(frame).apply(rgb)

    def _shape(self, frame: VideoFrame) -> tuple[int, int]:
        if self.size is None:
            return frame.width, frame.height
        width, height = fitted(frame.width * self.aspect, frame.height, self.size, self.fit)
        if width * height > PICTURE_PIXELS.value():  # a line of pixels, or pixels that are a line
            raise VideoError(PICTURE_PIXELS.refusal(f"a picture of {width}x{height} pixels in this shape"))
        return width, height

    def _converted(self, frame: VideoFrame, width: int, height: int, matrix: Colorspace | None) -> np.ndarray:
        return self.reformatter.reformat(
            frame,
            width=width,
            height=height,
            format="gbrp",  # the same values as rgb24 in half the time
            src_colorspace=matrix,
            interpolation=SCALING,
            dst_color_range=ColorRange.JPEG,
            threads=1,
        ).to_ndarray()
