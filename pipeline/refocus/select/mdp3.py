"""mDP³: determinantal selection of lists of frames, by dynamic programming over segments (Sun et al., ICCV 2025).

A list S is worth what its frames have to do with the question and how little they repeat each other:

    log det L̃_S = 1/λ Σ_{i in S} log r_i² + log det L_S,    r_i = k(frame i, question),  L_ij = k(frame i, frame j)

with k the mean of Gaussian kernels of several widths. The clip is cut into segments, and what is taken from one depends
on what was taken from the one before it:

    log P(S_t | S_t-1) = log det L̃_{S_t-1 ∪ S_t} - log det(L̃_{S_t-1 ∪ N_t} + I_t)

(N_t all frames of segment t, I_t the identity on them alone). Dynamic programming shares the budget among the
segments; within one, frames are added greedily. The authors' program leaves out the second term; here it is.
Both terms hold log det L̃_{S_t-1}, so what remains are determinants of the Schur complement of S_t-1 in L̃.

t frames of a clip · m frames of a segment · d width of the embeddings · c states, one per number of frames taken so far
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

SMALLEST = 1e-10  # of a conditional variance: equal frames make L singular


@dataclass(frozen=True)
class _State:
    """The best way to take some number of frames from the segments so far: all of them, and the last segment's."""

    value: float
    taken: tuple[int, ...] = ()
    last: tuple[int, ...] = ()


def mdp3(
    frames: np.ndarray,
    cosines: np.ndarray,
    budgets: Sequence[int],
    weight: float,
    segment: int,
    widths: Sequence[float],
) -> dict[int, list[int]]:
    """The min(n, T) frames that mDP³ takes for every n of `budgets`, in temporal order.

    Args:
        frames: (t, d) unit vectors of the clip's frames.
        cosines: (t,) cosine of each with the question.
        weight: λ; smaller ones favour relevance over diversity.
        segment: m, frames per segment.
        widths: the kernels' alpha in exp(-|x - y|² / 2 alpha).
    """
    frames = frames.astype(np.float64)
    quality = 2 / weight * np.log(kernel(cosines.astype(np.float64), widths))  # (t,) 1/λ log r²
    most = min(max(budgets), len(frames))
    states = [_State(0.0)]  # by number of frames taken
    for start in range(0, len(frames), segment):
        near = slice(max(0, start - segment), start + segment)  # this segment and the one before
        similar = kernel(frames[near] @ frames[near].T, widths)
        states = _next_states(states, similar, quality[near], near.start, start, most)
    return {n: list(states[min(n, most)].taken) for n in budgets}


def kernel(cosines: np.ndarray, widths: Sequence[float]) -> np.ndarray:
    """The mean of Gaussian kernels of pairs of unit vectors with these cosines, in (0, 1]; |x - y|² = 2 - 2 cos."""
    squared = np.maximum(2 - 2 * cosines, 0)
    return np.mean([np.exp(-squared / (2 * width)) for width in widths], axis=0).clip(np.finfo(float).tiny)


def _next_states(
    states: Sequence[_State], similar: np.ndarray, quality: np.ndarray, offset: int, start: int, most: int
) -> list[_State]:
    """The best states after one more segment.

    Args:
        similar, quality: L and 1/λ log r² of the frames from `offset` to the segment's end.
        start: the segment's first frame.
    """
    here = slice(start - offset, None)
    given = [np.array(state.last, int) - offset for state in states]
    conditioned = np.stack([_schur(similar, frames, here) for frames in given])  # (c, m, m)
    scale = np.exp(quality[here] / 2)
    identity = np.eye(len(scale))
    normalisers = np.linalg.slogdet(scale[:, None] * conditioned * scale + identity)[1]  # (c,)
    steps = min(len(scale), most)
    orders, gains = _greedy(conditioned, quality[here], steps)
    best: list[_State | None] = [None] * (min(len(states) - 1 + steps, most) + 1)
    for count, state in enumerate(states):
        values = state.value - normalisers[count] + np.concatenate([[0.0], np.cumsum(gains[count])])
        for added in range(min(steps, most - count) + 1):
            known = best[count + added]
            if known is None or values[added] > known.value:
                chosen = tuple(start + frame for frame in sorted(orders[count, :added].tolist()))
                best[count + added] = _State(float(values[added]), state.taken + chosen, chosen)
    return [state for state in best if state is not None]  # all of them: every number can be reached


def _schur(similar: np.ndarray, given: np.ndarray, here: slice) -> np.ndarray:
    """(m, m) what is left of the segment's L once the given frames are known."""
    if not len(given):
        return similar[here, here]
    across = similar[given, here]
    known = similar[np.ix_(given, given)] + SMALLEST * np.eye(len(given))
    return similar[here, here] - across.T @ np.linalg.solve(known, across)


def _greedy(similar: np.ndarray, quality: np.ndarray, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Adds the frame of largest gain `quality + log conditional variance`, `steps` times, for every state.

    The variances follow from an incremental Cholesky factor.

    Args:
        similar: (c, m, m).
        quality: (m,).
    Returns:
        (c, steps) frames in the order taken, and their gains.
    """
    count, size = similar.shape[:2]
    rows = np.arange(count)
    variance = np.maximum(np.diagonal(similar, axis1=1, axis2=2), SMALLEST)  # (c, m)
    factor = np.zeros((count, steps, size))
    free = np.ones((count, size), bool)
    orders, gains = np.zeros((count, steps), int), np.zeros((count, steps))
    for step in range(steps):
        gain = np.where(free, quality + np.log(variance), -np.inf)
        pick = gain.argmax(1)
        orders[:, step], gains[:, step] = pick, gain[rows, pick]
        free[rows, pick] = False
        known = np.einsum("cs,csm->cm", factor[rows, :step, pick], factor[:, :step])
        left = variance[rows, pick][:, None]
        # a frame of which nothing is left tells nothing of the others; dividing by that would blow up rounding errors
        row = np.where(left > SMALLEST, (similar[rows, pick] - known) / np.sqrt(left), 0.0)
        factor[:, step] = row
        variance = np.maximum(variance - row**2, SMALLEST)
    return orders, gains
