"""Intervals over videos, against scipy where the cases coincide, and their coverage where they do not."""

import numpy as np
import pytest
from refocus.evaluate.intervals import mean_over_videos, paired, unpaired
from refocus.evaluate.scoring import Outcome
from scipy import stats


def run(values: dict[str, list[float]]) -> list[Outcome]:
    """One run's results by video."""
    return [
        Outcome(f"{video}-{number}", video, "moment/color", (), float(value))
        for video, row in values.items()
        for number, value in enumerate(row)
    ]


def drawn(seed: int, videos: int, questions: int = 3, name: str = "v") -> dict[str, list[float]]:
    random = np.random.default_rng(seed)
    return {f"{name}{v}": (random.random(questions) < random.random()).astype(float).tolist() for v in range(videos)}


def test_with_equal_videos_it_is_the_paired_t_interval_over_their_means():
    ours, theirs = drawn(1, 12), drawn(2, 12)
    found = paired([run(ours)], [run(theirs)], 0.9)
    differences = [np.mean(ours[v]) - np.mean(theirs[v]) for v in ours]
    expected = stats.ttest_1samp(differences, 0).confidence_interval(0.9)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
    assert found.value == pytest.approx(np.mean(differences))
    assert (found.questions, found.videos) == (36, 12)


def test_the_mean_is_over_questions_not_over_videos():
    """A video with more questions weighs more, as in every table."""
    found = paired([run({"a": [1, 1, 1], "b": [0]})], [run({"a": [0, 0, 0], "b": [0]})])
    assert found.value == pytest.approx(3 / 4)
    assert mean_over_videos([run({"a": [1, 1, 1], "b": [0]})]).value == pytest.approx(3 / 4)


def test_no_share_of_right_answers_lies_beyond_0_and_1_and_differences_may():
    most = {f"v{v}": [1, 1, 1] for v in range(9)} | {"v9": [1, 1, 0]}
    found = mean_over_videos([run(most)])
    assert 0.8 < found.low < found.value < found.high == 1.0
    least = mean_over_videos([run({video: [1 - value for value in row] for video, row in most.items()})])
    assert (least.low, least.high) == pytest.approx((1 - found.high, 1 - found.low))
    better = paired([run(most)], [run({video: [0, 0, 0] for video in most})])
    assert better.value == pytest.approx(found.value) and better.high > 1


def test_asking_a_video_again_is_no_further_evidence():
    """Ten copies of every question, or of every run, leave the interval as it is; as many further videos narrow it."""
    ours, theirs = drawn(1, 10, 1), drawn(2, 10, 1)
    once = paired([run(ours)], [run(theirs)])
    often = paired([run({v: row * 10 for v, row in ours.items()})], [run({v: row * 10 for v, row in theirs.items()})])
    seeds = paired([run(ours)] * 10, [run(theirs)] * 10)
    assert (often.low, often.high) == pytest.approx((once.low, once.high))
    assert (seeds.low, seeds.high) == pytest.approx((once.low, once.high))
    more = [run({f"{v}{copy}": row for v, row in side.items() for copy in range(10)}) for side in (ours, theirs)]
    wider = paired([more[0]], [more[1]])
    assert wider.high - wider.low < 0.35 * (once.high - once.low)


def test_it_holds_the_truth_as_often_as_it_says():
    """Videos that differ in their number of questions and in how much is gained on them, three seeds: 95 of 100."""
    random, truth, held, tries = np.random.default_rng(0), 0.2, 0, 500
    for _ in range(tries):
        sizes = random.integers(1, 8, 25)
        lift = np.clip(truth + 0.25 * random.standard_normal(25), -0.5, 0.5)  # of each video
        base = {f"v{v}": (random.random(n) < 0.5).astype(float).tolist() for v, n in enumerate(sizes)}
        better = [
            {f"v{v}": (random.random(n) < 0.5 + lift[v]).astype(float).tolist() for v, n in enumerate(sizes)}
            for _ in range(3)
        ]
        found = paired([run(one) for one in better], [run(base)])
        held += found.low <= truth <= found.high
    assert held / tries == pytest.approx(0.95, abs=0.02)


def test_only_questions_that_both_sides_and_all_seeds_answered_count():
    ours = [run({"a": [1, 1], "b": [1]}), run({"a": [1], "b": [1]})]
    assert paired(ours, [run({"a": [0, 0], "b": [0], "c": [0]})]).questions == 2
    assert paired(ours, []) is None and paired([[]], ours) is None and mean_over_videos([]) is None


def test_one_video_has_no_interval_and_no_difference_has_none_to_speak_of():
    alone = paired([run({"a": [1, 1]})], [run({"a": [0, 1]})])
    assert (alone.value, alone.low, alone.high) == (0.5, None, None)
    equal = paired([run(drawn(3, 8))], [run(drawn(3, 8))])
    assert (equal.low, equal.value, equal.high) == (0, 0, 0)


def test_groups_of_different_videos_are_compared_as_welch_does():
    ours, theirs = drawn(1, 9, 2, "a"), drawn(2, 14, 2, "b")
    found = unpaired([run(ours)], [run(theirs)])
    means = [[float(np.mean(row)) for row in side.values()] for side in (ours, theirs)]
    expected = stats.ttest_ind(*means, equal_var=False).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
    assert unpaired([run({"a": [1]})], [run(theirs)]).low is None
