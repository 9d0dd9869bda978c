"""AKS, adaptive keyframe sampling: relevance against coverage by judge-and-split (Tang et al., CVPR 2025).

A stretch of the video with a budget is judged by how far its best frames stand out, `s_top - s_all`. Where they do,
they are taken; else the stretch is halved with its budget, down to a greatest depth.
"""

import numpy as np

from refocus.select.topk import topk


def aks(scores: np.ndarray, n: int, threshold: float, depth: int) -> list[int]:
    """The min(n, T) frames that AKS takes, stretch by stretch in time, best first within each.

    Scores are brought to [0, 1] over the clip. Every stretch is judged by its own budget. An odd frame of a budget goes
    to the first half, and a budget of one frame is not split, so that no frame of the budget is lost (the authors'
    program rounds n / 2^depth down, and 4 frames at depth 5 are none).

    Args:
        scores: (T,) relevance.
        threshold: least lead of the best frames' mean over the mean of all at which a stretch is not split.
        depth: how often a stretch is halved, at most.
    """
    low, high = scores.min(), scores.max()
    scaled = (scores - low) / (high - low) if high > low else np.zeros(len(scores))
    return _judge(scaled, 0, min(n, len(scores)), threshold, depth)


def _judge(scores: np.ndarray, start: int, n: int, threshold: float, depth: int) -> list[int]:
    """Frames of one stretch, which begins at frame `start` of the clip; 0 <= n <= len(scores)."""
    best = topk(scores, n)
    if n < 2 or n == len(scores) or depth == 0 or scores[best].mean() - scores.mean() > threshold:
        return [start + frame for frame in best]
    middle, first = len(scores) // 2, (n + 1) // 2
    return [
        *_judge(scores[:middle], start, first, threshold, depth - 1),
        *_judge(scores[middle:], start + middle, n - first, threshold, depth - 1),
    ]
