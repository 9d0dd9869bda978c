"""The 16 frame subsets of a clip (paper A.1): eight overlapping windows and their complements.

The printed formulas contradict each other (w = ⌈T/8⌉ and s = ⌈w/2⌉, yet W8 = [0, s) ∪ [7s, T) closes the circle only
for s = T/8 and w = 2s), so both readings exist: `wrapped` cuts [0, T) at b_i = ⌊iT/8⌋ and lets every window span two
cuts, the last one around the end; `literal` is the formulas as printed, clipped to [0, T).
"""

import math
from dataclasses import dataclass

from refocus.frames.sampling import sample

N_WINDOWS = 8
N_SUBSETS = 2 * N_WINDOWS


@dataclass(frozen=True)
class Subset:
    """One candidate subset: number 0–7 for windows, 8–15 for their complements, and its frames in temporal order."""

    index: int
    frames: tuple[int, ...]


def regions(n_frames: int, windows: str = "wrapped") -> list[tuple[int, ...]]:
    """The frames of the eight windows and then of their complements, in temporal order; some may be empty.

    Raises:
        ValueError: `windows` is neither `wrapped` nor `literal`.
    """
    if windows not in ("wrapped", "literal"):
        raise ValueError(f"windows must be 'wrapped' or 'literal', not '{windows}'")
    spans = _wrapped(n_frames) if windows == "wrapped" else _literal(n_frames)
    inside = [tuple(sorted({frame for start, end in parts for frame in range(start, end)})) for parts in spans]
    everything = range(n_frames)
    outside = [tuple(frame for frame in everything if frame not in taken) for taken in map(set, inside)]
    return inside + outside


def subsets(
    n_frames: int, frames_per_subset: int = 32, windows: str = "wrapped", sampling: str = "midpoints"
) -> list[Subset]:
    """The candidate subsets of a clip of `n_frames` frames; an empty region yields none.

    Args:
        n_frames: T, the clip's kept frames.
        frames_per_subset: k, the most frames of a subset; a region with fewer gives all it has, never one twice.
        windows: `wrapped` or `literal`.
        sampling: `midpoints` takes ⌊(i+½)n/k⌋ of a region of n frames, `endpoints` spreads from its first to its last.
    Raises:
        ValueError: an unknown name, or fewer than one frame per subset.
    """
    return [
        Subset(index, sample(region, frames_per_subset, sampling))
        for index, region in enumerate(regions(n_frames, windows))
        if region
    ]


def _wrapped(n_frames: int) -> list[list[tuple[int, int]]]:
    cuts = [i * n_frames // N_WINDOWS for i in range(N_WINDOWS + 1)]
    spans = [[(cuts[i], cuts[i + 2])] for i in range(N_WINDOWS - 1)]
    return [*spans, [(cuts[N_WINDOWS - 1], n_frames), (0, cuts[1])]]


def _literal(n_frames: int) -> list[list[tuple[int, int]]]:
    width = math.ceil(n_frames / N_WINDOWS)
    stride = math.ceil(width / 2)
    spans = [[(i * stride, min(i * stride + width, n_frames))] for i in range(N_WINDOWS - 1)]
    return [*spans, [(0, min(stride, n_frames)), ((N_WINDOWS - 1) * stride, n_frames)]]
