"""Distances of selection distributions against scipy and against sums done by hand."""

import math

import numpy as np
import pytest
from refocus.evaluate.distances import Distances, mean_distances, on_grid, pairwise
from refocus.evaluate.scoring import resampled
from scipy.spatial.distance import jensenshannon
from scipy.stats import entropy, wasserstein_distance


@pytest.fixture
def grids() -> np.ndarray:
    return np.random.default_rng(0).dirichlet(np.full(512, 0.2), size=5)


def test_the_metrics_are_scipys(grids):
    js, kl, wasserstein = (pairwise(grids, metric) for metric in ("js", "kl", "wasserstein"))
    places = np.arange(512)
    safe = np.maximum(grids, 1e-12)
    for i, p in enumerate(grids):
        for j, q in enumerate(grids):
            assert js[i, j] == pytest.approx(jensenshannon(p, q) ** 2, abs=1e-8)
            both = entropy(safe[i], safe[j]) + entropy(safe[j], safe[i])
            assert kl[i, j] == pytest.approx(both / 2, abs=1e-8)
            assert wasserstein[i, j] == pytest.approx(wasserstein_distance(places, places, p, q), abs=1e-8)


def test_two_frames_a_quarter_apart_are_128_frames_of_512_apart():
    first, second = np.eye(4)[0], np.eye(4)[1]
    grids = np.stack([on_grid(first), on_grid(second)])
    assert pairwise(grids, "wasserstein")[0, 1] == pytest.approx(128)
    assert pairwise(grids, "js")[0, 1] == pytest.approx(math.log(2))


@pytest.mark.parametrize("frames", [1, 3, 40, 512])
def test_the_same_choice_in_time_is_the_same_distribution_at_any_number_of_frames(frames):
    """Uniform is uniform; and all of the mass in the last quarter stays there."""
    assert on_grid(np.full(frames, 1 / frames)) == pytest.approx(np.full(512, 1 / 512))
    late = np.arange(4 * frames) >= 3 * frames
    assert on_grid(late / late.sum())[384:].sum() == pytest.approx(1)


def test_a_full_clip_is_taken_as_it_is(grids):
    assert on_grid(grids[0]) == pytest.approx(grids[0], abs=1e-12)


def test_pairs_of_different_videos_and_of_one_are_counted_apart():
    """Video a is asked about its first and its second quarter, b about its first: apart 128 and 0, within a 128."""
    first, second = on_grid([1, 0, 0, 0]), on_grid([0, 1, 0, 0])
    found = mean_distances(pairwise(np.stack([first, second, first]), "wasserstein"), ["a", "a", "b"])
    assert (found.across.value, found.across.n) == (pytest.approx(64), 2)
    assert (found.within.value, found.within.n) == (pytest.approx(128), 1)


def test_without_two_videos_or_a_second_question_there_is_no_such_mean(grids):
    alone = mean_distances(pairwise(grids, "js"), list("abcde"))
    assert alone.within is None and alone.across.low <= alone.across.value <= alone.across.high
    assert mean_distances(pairwise(grids, "js"), ["a"] * 5).across is None
    assert mean_distances(np.zeros((0, 0)), []) == Distances(None, None)


def test_the_interval_is_over_videos(grids):
    """Every question three times is no further evidence."""
    once = mean_distances(pairwise(grids, "js"), list("abcde")).across
    often = mean_distances(pairwise(np.repeat(grids, 3, 0), "js"), np.repeat(list("abcde"), 3).tolist()).across
    assert (often.low, often.high) == pytest.approx((once.low, once.high))


def test_two_videos_have_no_interval_because_every_resample_is_their_one_pair(grids):
    pair = mean_distances(pairwise(grids[:2], "js"), ["a", "b"]).across
    assert (pair.low, pair.high, pair.n) == (None, None, 1)
    assert mean_distances(pairwise(grids[:3], "js"), ["a", "b", "c"]).across.low is not None


def test_a_video_drawn_twice_brings_its_own_pairs_twice(grids):
    first = np.concatenate([grids, grids[:1]])  # two questions about each of three videos
    found = mean_distances(pairwise(first, "wasserstein"), list("aabbcc"), resamples=200).within
    apart = pairwise(first, "wasserstein")
    means = resampled(3, 200, 0) @ np.array([apart[0, 1], apart[2, 3], apart[4, 5]]) / 3
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(means, [0.025, 0.975])))
