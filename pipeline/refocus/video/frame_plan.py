"""When frames are taken: the grid of paper 4.1 (4 fps, at most 512 frames) over a half-open clip."""

import math

EPSILON_S = 1e-6  # what rounding of times may amount to here
ROUNDING_S = 0.00099  # and in files: both a frame's time and the first one's are whole milliseconds in Matroska and FLV


def grid(duration_s: float, fps: float = 4.0, max_frames: int = 512, start_s: float = 0.0) -> list[float]:
    """t_k = start + k * max(1 / fps, D / max_frames) for t_k < start + D.

    Args:
        duration_s: D, the clip's length in seconds.
        fps: frames per second, at most.
        max_frames: how many frames, at most.
        start_s: where the clip starts in its file, seconds.
    Returns:
        the times in seconds, increasing; at least one, even for a clip of no length.
    """
    step = max(1.0 / fps, duration_s / max_frames)
    count = min(max_frames, max(1, math.ceil(duration_s / step - EPSILON_S)))
    return [start_s + index * step for index in range(count)]


def with_last_moment(times_s: list[float], end_s: float) -> list[float]:
    """The same times, the last of them moved to just before the clip's end, so that its very last frame is taken.

    With 512 frames of a long clip the last time of the grid is seconds before the end. A frame that begins at the end
    is no part of the clip, even if rounding puts it a little earlier.
    """
    return [*times_s[:-1], max(times_s[-1], end_s - 2 * ROUNDING_S)]


def bounds(duration_s: float, start_s: float | None, end_s: float | None) -> tuple[float, float]:
    """The clip [start, end) inside a file of this duration; None = the file's own bound.

    Raises:
        ValueError: nothing of the clip lies inside the file.
    """
    start = max(0.0, start_s or 0.0)
    end = duration_s if end_s is None else min(end_s, duration_s)
    if start >= end and not (start_s is None and end_s is None):
        raise ValueError(f"the clip [{start_s}, {end_s}) s lies outside its file of {duration_s:.3f} s")
    return start, end
