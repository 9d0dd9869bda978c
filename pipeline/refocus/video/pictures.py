"""Frames as a player shows them: at the file's own size, upright, and stretched where its pixels are not square."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np

from refocus.core.limits import PICTURE_PIXELS
from refocus.video.decode import frames_shown
from refocus.video.decode_report import DecodeReport
from refocus.video.probe import VideoError, first_orientation, opened


def pictures_at(path: Path | str, timestamps_s: Sequence[float]) -> list[np.ndarray]:
    """One (H, W, 3) uint8 RGB picture per time.

    Args:
        timestamps_s: increasing seconds from the file's first frame.
    Raises:
        VideoError: the file is unreadable or ends before one of the times.
    """
    with opened(path) as (_, stream):
        aspect = stream.sample_aspect_ratio or Fraction(1)
    if aspect != 1 and first_orientation(path).transposed:
        aspect = 1 / aspect
    report = DecodeReport()
    found: dict[int, np.ndarray] = {}
    for frame in frames_shown(path, timestamps_s, None, report):
        found |= dict.fromkeys(frame.wanted, _square_pixels(frame.image, aspect))
    if len(found) < len(timestamps_s):
        missing = len(timestamps_s) - len(found)
        raise VideoError(f"{path}: {missing} of {len(timestamps_s)} frames are missing ({report.problem()})")
    return [found[place] for place in range(len(timestamps_s))]


def _square_pixels(image: np.ndarray, aspect: Fraction) -> np.ndarray:
    """A picture whose pixels were `aspect` times as wide as high, made wider or narrower."""
    if aspect == 1:
        return image
    from PIL import Image

    height, width = image.shape[0], max(1, round(image.shape[1] * aspect))
    if width * height > PICTURE_PIXELS.value():
        raise VideoError(PICTURE_PIXELS.refusal(f"a picture of {width}x{height} square pixels"))
    return np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.BICUBIC))
