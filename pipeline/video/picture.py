"""Decoded frames as upright full-range RGB, at their own size or fitted into a square."""

from fractions import Fraction

import av
import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter

from pipeline.video.probe import quarter_turn
from pipeline.video.resize import Fit, fitted, squared

# Without full chroma the scaler gives two neighbouring pixels one colour.
SCALING = Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT


class Picture:
    """Converts frames, keeping the scaler's tables between them.

    Matrix and range are the frame's own; a frame that names no matrix, or one the scaler does not know, is taken as
    BT.601. Transparency is dropped.
    """

    def __init__(self, size: int | None, fit: Fit = "squash", aspect: Fraction | None = None) -> None:
        """
        Args:
            size: pictures come size x size; None = as stored.
            fit: squash = stretched; pad = whole, on black; crop = filled, the middle.
            aspect: width over height of a stored pixel; None = square. It counts for pad and crop.
        """
        self.size = size
        self.fit = fit
        self.aspect = aspect or Fraction(1)
        self.reformatter = VideoReformatter()

    def __call__(self, frame: VideoFrame) -> np.ndarray:
        """(H, W, 3) uint8 RGB."""
        width, height = self._shape(frame)
        try:
            rgb = self._converted(frame, width, height, None)
        except (av.FFmpegError, ValueError) as error:
            if isinstance(error, MemoryError):
                raise
            rgb = self._converted(frame, width, height, Colorspace.ITU601)
        if self.size is not None and rgb.shape[:2] != (self.size, self.size):
            rgb = squared(rgb, self.size)
        turns = quarter_turn(frame.rotation) // 90
        return np.ascontiguousarray(np.rot90(rgb, turns)) if turns else rgb

    def _shape(self, frame: VideoFrame) -> tuple[int, int]:
        if self.size is None:
            return frame.width, frame.height
        return fitted(frame.width * self.aspect, frame.height, self.size, self.fit)

    def _converted(self, frame: VideoFrame, width: int, height: int, matrix: Colorspace | None) -> np.ndarray:
        return self.reformatter.reformat(
            frame,
            width=width,
            height=height,
            format="rgb24",
            src_colorspace=matrix,
            interpolation=SCALING,
            dst_color_range=ColorRange.JPEG,
            threads=1,
        ).to_ndarray()
