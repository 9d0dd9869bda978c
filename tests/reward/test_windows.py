"""The 16 subsets of paper A.1, in both readings, for every clip length."""

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from refocus.frames.sampling import sample, uniform
from refocus.reward.windows import N_WINDOWS, regions, subsets

lengths = st.integers(0, 600)
readings = st.sampled_from(["wrapped", "literal"])
samplings = st.sampled_from(["midpoints", "endpoints"])


@given(lengths, readings)
def test_a_window_and_its_complement_are_the_whole_clip_without_overlap(n, windows):
    parts = regions(n, windows)
    assert len(parts) == 16
    for inside, outside in zip(parts[:N_WINDOWS], parts[N_WINDOWS:], strict=True):
        assert sorted(inside + outside) == list(range(n))
        assert list(inside) == sorted(inside) and list(outside) == sorted(outside)


@given(lengths)
def test_wrapped_windows_cover_every_frame_exactly_twice(n):
    seen = [frame for window in regions(n, "wrapped")[:N_WINDOWS] for frame in window]
    assert sorted(seen) == sorted(2 * list(range(n)))


@given(st.integers(8, 600))
def test_wrapped_windows_hold_a_quarter_of_the_clip_to_within_rounding(n):
    for window in regions(n, "wrapped")[:N_WINDOWS]:
        assert abs(len(window) - n / 4) < 2


@given(lengths)
def test_literal_windows_are_the_printed_formulas(n):
    width = math.ceil(n / 8)
    stride = math.ceil(width / 2)
    windows = regions(n, "literal")[:N_WINDOWS]
    for i, window in enumerate(windows[:-1]):
        assert set(window) == {f for f in range(n) if i * stride <= f < i * stride + width}
    assert set(windows[-1]) == {f for f in range(n) if f < stride or f >= 7 * stride}


@given(lengths, st.integers(1, 64), readings, samplings)
def test_subsets_are_sorted_distinct_frames_of_their_region_and_never_empty(n, k, windows, sampling):
    parts = regions(n, windows)
    found = subsets(n, k, windows, sampling)
    assert [subset.index for subset in found] == [i for i, part in enumerate(parts) if part]
    for subset in found:
        assert list(subset.frames) == sorted(set(subset.frames))
        assert set(subset.frames) <= set(parts[subset.index])
        assert len(subset.frames) == min(k, len(parts[subset.index]))


@given(st.integers(1, 600), st.integers(1, 64))
def test_midpoints_are_the_floor_of_the_formula(n, k):
    expected = tuple(range(n)) if n <= k else tuple(math.floor((i + 0.5) * n / k) for i in range(k))
    assert uniform(n, k) == expected


@given(st.integers(3, 600), st.integers(2, 64))
def test_endpoints_reach_both_ends(n, k):
    picked = sample(range(n), k, "endpoints")
    assert picked[0] == 0 and picked[-1] == n - 1
    if n > k:
        assert picked == tuple(math.floor(Fraction(i * (n - 1), k - 1) + Fraction(1, 2)) for i in range(k))


def test_a_clip_of_one_frame_has_only_the_regions_that_hold_it():
    assert [(s.index, s.frames) for s in subsets(1)] == [(6, (0,)), (7, (0,))] + [(i, (0,)) for i in range(8, 14)]


@pytest.mark.parametrize("call", [lambda: regions(8, "other"), lambda: sample(range(9), 4, "x"), lambda: uniform(9, 0)])
def test_unknown_names_and_empty_samples_are_refused(call):
    with pytest.raises(ValueError):
        call()
