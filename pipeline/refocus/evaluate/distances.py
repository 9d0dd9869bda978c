"""How far apart the selection distributions of different questions lie (paper Table 3, Appendix C).

The paper names the metrics and no more. Here a distribution is that of Eq. 10, laid on `POSITIONS` equal parts of the
video's time, so that videos of any length compare; a frame's probability is spread over the time that it stands for.

q questions · t frames of a clip · g positions · r resamples
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from refocus.evaluate.scoring import Score, resampled

POSITIONS = 512
FLOOR = 1e-12  # of a probability, so that its logarithm exists
Metric = Literal["js", "kl", "wasserstein"]


@dataclass(frozen=True)
class Distances:
    """Mean distance of two questions about different videos, and of two about one; None where there are no two."""

    across: Score | None
    within: Score | None


def on_grid(probability: Sequence[float] | np.ndarray, positions: int = POSITIONS) -> np.ndarray:
    """(t,) probabilities of frames, evenly spaced in time, on equal parts of the video's time: (g,), of sum 1."""
    values = np.asarray(probability, float)
    reached = np.concatenate([[0.0], values.cumsum() / values.sum()])
    edges = np.interp(np.linspace(0, 1, positions + 1), np.linspace(0, 1, len(values) + 1), reached)
    return np.diff(edges)


def pairwise(grids: np.ndarray, metric: Metric) -> np.ndarray:
    """The distance of every two of q distributions.

    js: Jensen-Shannon divergence, nats. kl: mean of the Kullback-Leibler divergences in both directions, nats.
    wasserstein: first Wasserstein distance, in frames of a video of g frames.

    Args:
        grids: (q, g), rows of sum 1.
    Returns:
        (q, q), symmetric, 0 on the diagonal.
    """
    if metric == "wasserstein":
        reached = grids.cumsum(1)
        return np.stack([np.abs(reached - row).sum(1) for row in reached])
    p = np.maximum(grids, FLOOR)
    logs = np.log(p)
    negative_entropy = (p * logs).sum(1)
    if metric == "kl":
        crossed = p @ logs.T
        return (negative_entropy[:, None] + negative_entropy[None] - crossed - crossed.T) / 2
    mixed = [((p + row) / 2 * np.log((p + row) / 2)).sum(1) for row in p]
    return np.maximum(0.0, (negative_entropy[:, None] + negative_entropy[None]) / 2 - np.stack(mixed))


def mean_distances(
    apart: np.ndarray, videos: Sequence[str], level: float = 0.95, resamples: int = 1000, seed: int = 0
) -> Distances:
    """Means over pairs of questions, with percentile bootstraps over videos; `n` of a score is its number of pairs.

    Args:
        apart: (q, q) from `pairwise`, or its mean over several runs. videos: (q,) of each question.
    """
    if not len(videos):
        return Distances(None, None)
    place = {video: row for row, video in enumerate(dict.fromkeys(videos))}
    owner = np.array([place[video] for video in videos], int)
    same = owner[:, None] == owner
    other = same & ~np.eye(len(owner), dtype=bool)
    drawn = resampled(len(place), resamples, seed)[:, owner].astype(float) if resamples and len(place) > 1 else None
    across = _mean(apart, ~same, drawn, level)
    # a video that is drawn twice brings its own pairs twice, not pairs with its copy
    within = _mean(apart, other, None if drawn is None else np.sqrt(drawn), level)
    return Distances(across, within)


def _mean(apart: np.ndarray, counted: np.ndarray, weights: np.ndarray | None, level: float) -> Score | None:
    """Mean of the distances that count; weights (r, q) of each question, of which a pair's is the product."""
    pairs = int(counted.sum()) // 2
    if not pairs:
        return None
    value = float(apart[counted].mean())
    if weights is None:
        return Score(value, None, None, pairs)
    total = ((weights @ (apart * counted)) * weights).sum(1)
    number = ((weights @ counted.astype(float)) * weights).sum(1)
    means = total[number > 0] / number[number > 0]
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    if np.isclose(low, high):  # of two videos every resample with a pair is the same
        return Score(value, None, None, pairs)
    return Score(value, float(low), float(high), pairs)
