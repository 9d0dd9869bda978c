"""Top-k: the frames that score highest, each judged alone. The baseline that every other selector here refines."""

import numpy as np


def topk(scores: np.ndarray, n: int) -> list[int]:
    """The min(n, T) frames of highest score, best first; of equal ones the earlier.

    Args:
        scores: (T,) one number per frame, higher is better.
    """
    return np.argsort(-scores, kind="stable")[:n].tolist()
