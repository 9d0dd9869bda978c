"""Training-free selectors against the papers' formulas, spelled out without any shortcut."""

import itertools

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from refocus.frames.sampling import uniform
from refocus.select.aks import aks
from refocus.select.bolt import bolt, inverse_transform, sharpened
from refocus.select.mdp3 import kernel, mdp3
from refocus.select.topk import topk

WIDTHS = (0.125, 0.25, 0.5, 1.0, 2.0)

METHODS = {
    "topk": topk,
    "aks": lambda scores, n: aks(scores, n, 0.8, 5),
    "bolt": lambda scores, n: bolt(scores, n, 3.0),
    "mdp3": lambda scores, n: mdp3(vectors(len(scores)), np.tanh(scores), [n], 0.2, 32, WIDTHS)[n],
}
scores = arrays.arrays(np.float64, st.integers(1, 90), elements=st.floats(-4, 4, width=16))


def vectors(count: int, width: int = 8, seed: int = 0) -> np.ndarray:
    """(count, width) unit vectors."""
    found = np.random.default_rng(seed).normal(size=(count, width))
    return found / np.linalg.norm(found, axis=1, keepdims=True)


@pytest.mark.parametrize("name", METHODS)
@given(scores=scores, n=st.integers(1, 100))
def test_picks_are_distinct_in_range_as_many_as_asked_and_always_the_same(name, scores, n):
    """Also where all scores are equal, and where there are fewer frames than picks."""
    picks = METHODS[name](scores, n)
    assert len(picks) == len(set(picks)) == min(n, len(scores))
    assert set(picks) <= set(range(len(scores)))
    assert METHODS[name](scores.copy(), n) == picks


@given(scores=scores, n=st.integers(1, 100))
def test_topk_is_the_start_of_the_sorted_frames_whatever_the_scale(scores, n):
    best = sorted(range(len(scores)), key=lambda frame: (-scores[frame], frame))[:n]
    assert topk(scores, n) == best
    assert topk(scores * 2 + 1, n) == best  # exact on numbers of 16 bits, so that no two become equal


def judged_literally(scaled: list[float], n: int, threshold: float, depth: int) -> list[int]:
    """AKS as a work list of stretches; each is (frames, budget, depth). Leads as large as the threshold are left out:
    rounding decides them.
    """
    waiting, taken = [(list(range(len(scaled))), n, 0)], []
    while waiting:
        frames, budget, level = waiting.pop()
        best = sorted(frames, key=lambda frame: (-scaled[frame], frame))[:budget]
        top = sum(scaled[frame] for frame in best) / max(1, len(best))
        lead = top - sum(scaled[frame] for frame in frames) / max(1, len(frames))
        assume(abs(lead - threshold) > 1e-9)
        if budget < 2 or len(frames) == budget or level == depth or lead > threshold:
            taken += best
        else:
            half = len(frames) // 2
            waiting += [(frames[:half], budget - budget // 2, level + 1), (frames[half:], budget // 2, level + 1)]
    return sorted(taken)


@given(
    scores=arrays.arrays(np.int64, st.integers(2, 70), elements=st.integers(0, 64)),
    n=st.integers(1, 20),
    threshold=st.sampled_from([0.1, 0.3, 0.8]),
    depth=st.integers(0, 5),
)
def test_aks_is_judge_and_split_read_literally(scores, n, threshold, depth):
    low, high = int(scores.min()), int(scores.max())
    assume(high > low)
    scaled = [(int(score) - low) / (high - low) for score in scores]
    assert sorted(aks(scores.astype(float), n, threshold, depth)) == judged_literally(
        scaled, min(n, len(scaled)), threshold, depth
    )


def test_aks_takes_a_peak_whole_and_spreads_where_nothing_stands_out():
    peak = np.where((np.arange(64) >= 40) & (np.arange(64) < 44), 1.0, 0.0)
    assert sorted(aks(peak, 4, 0.8, 5)) == [40, 41, 42, 43]
    flat = aks(np.ones(64), 4, 0.8, 5)
    assert [frame // 16 for frame in sorted(flat)] == [0, 1, 2, 3]
    assert aks(peak, 4, 0.8, 0) == topk(peak, 4)


@given(scores=scores, n=st.integers(1, 100))
def test_aks_and_bolt_see_scores_up_to_scale_and_shift(scores, n):
    """They bring them to [0, 1] themselves, so logits and cosines give the same picks."""
    assert aks(scores * 4 - 8, n, 0.8, 5) == aks(scores, n, 0.8, 5)
    assert bolt(scores * 4 - 8, n, 3.0) == bolt(scores, n, 3.0)


@given(n_frames=st.integers(1, 200), n=st.integers(1, 64))
def test_bolt_without_relevance_is_uniform_sampling(n_frames, n):
    assume(n <= n_frames)
    assert tuple(bolt(vectors(n_frames)[:, 0], n, 0.0)) == uniform(n_frames, n)


@given(
    scores=arrays.arrays(np.float64, st.integers(2, 120), elements=st.floats(0, 1)),
    power=st.sampled_from([0.5, 1.0, 3.0]),
    n=st.integers(1, 60),
)
def test_bolt_samples_its_distribution(scores, power, n):
    """p ∝ normalised scores to the power; of any first stretch of the clip n times its probability is taken, ± 1/2."""
    assume(scores.max() - scores.min() > 1e-3)
    mass = sharpened(scores, power)
    expected = ((scores - scores.min()) / (scores.max() - scores.min())) ** power
    assert np.allclose(mass, expected)
    drawn = inverse_transform(mass, n)
    below = np.array([(drawn <= frame).sum() for frame in range(len(scores))])
    assert np.abs(below - n * np.cumsum(expected) / expected.sum()).max() <= 0.5 + 1e-6
    if len(set(drawn.tolist())) == n:
        assert bolt(scores, n, power) == sorted(drawn.tolist())


def log_probability(kernel_matrix: np.ndarray, before: tuple[int, ...], taken: tuple[int, ...], here: range) -> float:
    """log P(S_t | S_t-1) of the paper, from L̃."""
    chosen, ground = [*before, *taken], [*before, *here]
    identity = np.diag([0.0] * len(before) + [1.0] * len(here))
    above = np.linalg.slogdet(kernel_matrix[np.ix_(chosen, chosen)])[1] if chosen else 0.0
    return above - np.linalg.slogdet(kernel_matrix[np.ix_(ground, ground)] + identity)[1]


def tempered(frames: np.ndarray, cosines: np.ndarray, weight: float) -> np.ndarray:
    """L̃ = diag(r^(1/λ)) L diag(r^(1/λ)), each kernel from distances."""
    distances = ((frames[:, None] - frames[None]) ** 2).sum(-1)
    similar = sum(np.exp(-distances / (2 * width)) for width in WIDTHS) / len(WIDTHS)
    relevance = sum(np.exp(-(2 - 2 * cosines) / (2 * width)) for width in WIDTHS) / len(WIDTHS)
    return relevance[:, None] ** (1 / weight) * similar * relevance ** (1 / weight)


def worth(kernel_matrix: np.ndarray, subset: tuple[int, ...], segment: int) -> float:
    """The sum of the segments' log-probabilities of a whole list."""
    total, before = 0.0, ()
    for start in range(0, len(kernel_matrix), segment):
        here = range(start, min(start + segment, len(kernel_matrix)))
        taken = tuple(frame for frame in subset if frame in here)
        total += log_probability(kernel_matrix, before, taken, here)
        before = taken
    return total


def programmed_literally(kernel_matrix: np.ndarray, n: int, segment: int) -> tuple[int, ...]:
    """mDP³ with whole determinants: per segment and number of frames taken before, greedy additions."""
    states = {0: (0.0, (), ())}
    for start in range(0, len(kernel_matrix), segment):
        here, reached = range(start, min(start + segment, len(kernel_matrix))), {}
        for count, (value, taken, before) in states.items():
            added: tuple[int, ...] = ()
            while True:
                worthy = value + log_probability(kernel_matrix, before, added, here)
                total = count + len(added)
                if total not in reached or worthy > reached[total][0]:
                    reached[total] = (worthy, (*taken, *sorted(added)), tuple(sorted(added)))
                free = [frame for frame in here if frame not in added]
                if not free or total == n:
                    break
                added += (max(free, key=lambda f: log_probability(kernel_matrix, before, (*added, f), here)),)
        states = reached
    return states[n][1]


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(("count", "n", "segment"), [(9, 3, 3), (10, 4, 4), (12, 5, 32), (7, 7, 2)])
@pytest.mark.parametrize(("width", "weight"), [(8, 0.2), (3, 2.0)])  # relevance decides; repetition does
def test_mdp3_is_the_dynamic_program_of_whole_determinants(seed, count, n, segment, width, weight):
    frames, asked = vectors(count, width, seed), vectors(1, width, seed + 100)[0]
    found = mdp3(frames, frames @ asked, [n], weight, segment, WIDTHS)[n]
    assert tuple(found) == programmed_literally(tempered(frames, frames @ asked, weight), n, segment)


@pytest.mark.parametrize("seed", range(8))
def test_mdp3_finds_the_best_list_where_greed_does_no_harm(seed):
    """A single frame, or frames so far apart that L is nearly diagonal: exhaustive search finds nothing better."""
    frames, asked = vectors(8, seed=seed), vectors(1, seed=seed + 50)[0]
    matrix = tempered(frames, frames @ asked, 0.2)
    one = mdp3(frames, frames @ asked, [1], 0.2, 3, WIDTHS)[1]
    assert tuple(one) == max(((frame,) for frame in range(8)), key=lambda subset: worth(matrix, subset, 3))
    apart, cosines = np.eye(8), np.random.default_rng(seed).uniform(-1, 1, 8)
    tight = (0.01,)
    found = mdp3(apart, cosines, [3], 0.2, 3, tight)[3]
    assert found == sorted(topk(cosines, 3))
    best = max(itertools.combinations(range(8), 3), key=lambda subset: worth(matrix, subset, 3))
    ours = tuple(mdp3(frames, frames @ asked, [3], 0.2, 3, WIDTHS)[3])
    assert worth(matrix, ours, 3) >= worth(matrix, best, 3) - np.log(np.e / (np.e - 1)) * 3


def test_mdp3_avoids_repetition_that_topk_takes():
    """Two frames of one look and a third that is a little less relevant: top-k takes the twins."""
    frames = np.array([[1, 0, 0], [1, 0, 0], [0.6, 0.8, 0], [0, 0, 1]], float)
    cosines = np.array([0.8, 0.8, 0.78, -0.5])
    assert topk(cosines, 2) == [0, 1]
    assert mdp3(frames, cosines, [2], 0.2, 4, WIDTHS)[2] == [0, 2]


def test_mdp3_of_a_still_clip_and_of_several_budgets_at_once():
    still = np.ones((40, 4)) / 2
    assert len(mdp3(still, np.full(40, 0.3), [8], 0.2, 32, WIDTHS)[8]) == 8
    frames, cosines = vectors(50), vectors(50, seed=3)[:, 0]
    together = mdp3(frames, cosines, [2, 5, 9], 0.2, 16, WIDTHS)
    assert together == {n: mdp3(frames, cosines, [n], 0.2, 16, WIDTHS)[n] for n in (2, 5, 9)}


def test_mdp3_takes_more_frames_than_differ():
    """Once nothing is left of a frame, rounding errors of float32 vectors neither overflow nor decide."""
    frames = np.repeat(vectors(3, width=3), 26, axis=0) + 0.01 * vectors(78, width=3, seed=2)
    frames = (frames / np.linalg.norm(frames, axis=1, keepdims=True)).astype(np.float32)
    with np.errstate(over="raise", divide="raise", invalid="raise"):
        found = mdp3(frames, frames @ frames[5], [60, 78], 0.2, 32, WIDTHS)
    assert len(set(found[60])) == 60 and found[78] == list(range(78))


def test_kernels_are_one_at_no_distance():
    assert kernel(np.array([1.0]), WIDTHS) == pytest.approx(1.0)
    assert np.all(np.diff(kernel(np.linspace(-1, 1, 9), WIDTHS)) > 0)
