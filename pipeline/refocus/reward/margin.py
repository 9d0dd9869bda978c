"""The confidence margin (paper Eq. 1 and 5): m = tanh((z_right − max z_other) / 2), in [−1, 1].

r rows · o options, which may differ from row to row
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike


def margins(logits: Sequence[ArrayLike], answers: Sequence[int]) -> np.ndarray:
    """Eq. 5 for every row, computed in float64.

    Args:
        logits: r rows of (o,) option logits, two or more each; arrays, tensors on the CPU, or lists.
        answers: the right option of each row.
    Returns:
        (r,) float32, positive where the right option wins; NaN where a logit of the row is NaN or infinite.
    Raises:
        ValueError: a row has fewer than two options, or its answer is not one of them.
    """
    rows = [np.asarray(row, np.float64) for row in logits]
    if not rows:
        return np.zeros(0, np.float32)
    for row, answer in zip(rows, answers, strict=True):
        if len(row) < 2 or not 0 <= answer < len(row):
            raise ValueError(f"no margin for answer {answer} of {len(row)} options")
    flat = np.concatenate(rows)
    starts = np.cumsum([0, *map(len, rows[:-1])])
    right = starts + np.asarray(answers)
    finite = np.logical_and.reduceat(np.isfinite(flat), starts)
    z_right = np.where(finite, flat[right], np.nan)
    flat[right] = -np.inf
    z_other = np.maximum.reduceat(flat, starts)
    return np.tanh((z_right - z_other) / 2).astype(np.float32)
