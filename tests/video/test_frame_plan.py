"""When frames are taken."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from refocus.video.frame_plan import bounds, grid

DURATIONS = st.floats(0.0, 40_000.0, allow_nan=False)


@given(DURATIONS, st.floats(0.0, 1000.0))
def test_times_lie_in_the_half_open_clip(duration, start):
    """t_k starts at the clip's start and stays before its end."""
    times = grid(duration, start_s=start)
    assert times[0] == start
    assert all(time < start + duration for time in times[1:])


@given(DURATIONS)
def test_never_denser_than_fps_nor_more_than_max_frames(duration):
    """At most 512 frames, at least a quarter of a second apart."""
    times = grid(duration)
    assert 1 <= len(times) <= 512
    assert all(later - sooner >= 0.25 - 1e-6 for sooner, later in itertools.pairwise(times))


@given(DURATIONS)
def test_the_last_step_reaches_the_end(duration):
    """No more than one step is left over behind the last frame."""
    times = grid(duration)
    assert duration - times[-1] <= max(0.25, duration / 512) * (1 + 1e-6) + 1e-5


@pytest.mark.parametrize(
    ("duration", "count"),
    [(0.0, 1), (0.1, 1), (0.25, 1), (0.26, 2), (10.0, 40), (128.0, 512), (129.0, 512), (3600, 512)],
)
def test_counts(duration, count):
    """min(4 fps, 512) frames."""
    assert len(grid(duration)) == count


def test_a_clip_outside_its_file_is_refused():
    """Bounds are cut to the file; nothing left is an error."""
    assert bounds(10.0, None, None) == (0.0, 10.0)
    assert bounds(10.0, 4.0, 20.0) == (4.0, 10.0)
    with pytest.raises(ValueError, match="outside"):
        bounds(10.0, 10.0, 12.0)
