"""BOLT: inverse transform sampling of frames in proportion to sharpened relevance (Liu et al., CVPR 2025).

    p(t) ∝ ((s_t - min s) / (max s - min s))^power,   picks = F^-1(u_1), …, F^-1(u_n)

Like the authors' program it takes evenly spaced u instead of random ones. These are the midpoints of n equal parts: for
power 0 the picks are those of uniform sampling. (Theirs run from 1/n to 1 - 1/n, which for n = 2 is one frame twice.)
"""

import numpy as np


def bolt(scores: np.ndarray, n: int, power: float) -> list[int]:
    """The min(n, T) distinct frames that BOLT takes, in temporal order.

    A frame that several u fall on is taken once; the rest are drawn in the same way from the frames that are left.

    Args:
        scores: (T,) relevance.
        power: above 1 it favours relevant frames; 0 ignores relevance.
    """
    mass, left = sharpened(scores, power), min(n, len(scores))
    free = np.ones(len(scores), bool)
    while left:
        frames = np.unique(inverse_transform(np.where(free, mass, 0) if mass[free].any() else free * 1.0, left))
        free[frames] = False
        left -= len(frames)
    return np.flatnonzero(~free).tolist()


def sharpened(scores: np.ndarray, power: float) -> np.ndarray:
    """(T,) unnormalised probabilities; equal scores give equal ones."""
    low, high = scores.min(), scores.max()
    scaled = (scores - low) / (high - low) if high > low else np.ones(len(scores))
    return scaled**power


def inverse_transform(mass: np.ndarray, n: int) -> np.ndarray:
    """(n,) frames at which the distribution function reaches the midpoints of n equal parts, repeats included.

    Args:
        mass: (T,) unnormalised probabilities, not all zero.
    """
    reached = np.cumsum(mass)
    wanted = (2 * np.arange(n) + 1) * reached[-1] / (2 * n)
    return np.searchsorted(reached, wanted, side="right")
