"""The one resize used everywhere: antialiased bicubic, to a square."""

from fractions import Fraction
from typing import Literal

import numpy as np
from PIL import Image

Fit = Literal["squash", "pad", "crop"]


def resize(images: np.ndarray, size: int, fit: Fit = "squash") -> np.ndarray:
    """Resizes images to size x size.

    Args:
        images: (n, H, W, 3) uint8 RGB.
        size: side of the result, pixels.
        fit: squash = stretched; pad = whole, on black; crop = filled, the middle.
    Returns:
        (n, size, size, 3) uint8 RGB; the same array where the size is right already.
    """
    if images.shape[1:3] == (size, size):
        return images
    out = np.empty((len(images), size, size, 3), np.uint8)
    scaled = fitted(images.shape[2], images.shape[1], size, fit)
    for index, image in enumerate(images):
        small = np.asarray(Image.fromarray(image).resize(scaled, Image.Resampling.BICUBIC))
        out[index] = small if scaled == (size, size) else squared(small, size)
    return out


def fitted(width: float | Fraction, height: float | Fraction, size: int, fit: Fit) -> tuple[int, int]:
    """Width and height, in pixels, to which an image of this shape is scaled before it becomes size x size."""
    if fit == "squash":
        return size, size
    longer, shorter = max(width, height), min(width, height)
    scale = size / (longer if fit == "pad" else shorter)
    return max(1, round(width * scale)), max(1, round(height * scale))


def squared(image: np.ndarray, size: int) -> np.ndarray:
    """The middle of an (H, W, 3) image on a black size x size square."""
    out = np.zeros((size, size, 3), np.uint8)
    taken, placed = [], []
    for length in image.shape[:2]:
        shared = min(length, size)
        taken.append(slice((length - shared) // 2, (length - shared) // 2 + shared))
        placed.append(slice((size - shared) // 2, (size - shared) // 2 + shared))
    out[tuple(placed)] = image[tuple(taken)]
    return out
