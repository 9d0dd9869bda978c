"""Taking k of n frames evenly."""

from collections.abc import Sequence


def uniform(n_frames: int, k: int) -> tuple[int, ...]:
    """k frames spread over a clip of `n_frames` by the midpoints rule; all of them where there are no more than k."""
    return sample(range(n_frames), k)


def sample(region: Sequence[int], k: int, sampling: str = "midpoints") -> tuple[int, ...]:
    """k items of a region, evenly by position; all of it where it has no more than k.

    Raises:
        ValueError: `sampling` is neither `midpoints` nor `endpoints`, or k < 1.
    """
    n = len(region)
    if k < 1:
        raise ValueError(f"cannot sample {k} frames")
    if sampling not in ("midpoints", "endpoints"):
        raise ValueError(f"sampling must be 'midpoints' or 'endpoints', not '{sampling}'")
    if n <= k:
        return tuple(region)
    if sampling == "midpoints" or k == 1:
        return tuple(region[(2 * i + 1) * n // (2 * k)] for i in range(k))
    return tuple(region[(2 * i * (n - 1) + k - 1) // (2 * (k - 1))] for i in range(k))
