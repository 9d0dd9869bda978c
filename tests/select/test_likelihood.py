"""How likely each frame is to be picked, by the policy's own samples, and the frames above and below a share of it."""

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from refocus.core.errors import RefocusError
from refocus.frames.frame_store import FrameStore
from refocus.lmm.prompts import Prompt
from refocus.policy.rollout import rollout
from refocus.select.last_frame import LAST_FRAME
from refocus.select.likelihood import Likelihood, LikelihoodTable, read_likelihoods, write_likelihoods
from refocus.select.likelihood_bins import Bin, bins, select_bin
from refocus.select.policy_frames import embedded_model

from tests.support.asked_videos import build_asked_videos
from tests.support.tiny_policy import build_features, build_policy

T, K, SAMPLES = 12, 3, 16
PROMPTS = [Prompt("what color is it?", ("red", "blue")), Prompt("where?", ("left", "right"))]


@pytest.fixture(scope="module")
def made():
    policy = build_policy()
    clip = policy.read_clip(build_features(policy, [T])[0])
    return policy, clip, policy.likelihood(clip, PROMPTS, K, [1, 2], SAMPLES)


def test_a_frequency_is_the_share_of_the_samples_that_pick_the_frame(made):
    policy, clip, likely = made
    picks = rollout(policy, clip, policy.ask(clip, [0, 0], PROMPTS), SAMPLES, K, [1, 2]).picks
    for question in range(2):
        for frame in range(T):
            share = np.mean([frame in candidate for candidate in picks[question].tolist()])
            assert likely.frequency[question, frame].item() == pytest.approx(share)
    assert likely.frequency.sum(1).tolist() == pytest.approx([K, K])


def test_the_marginal_is_eq_10_over_the_same_samples(made):
    policy, clip, likely = made
    assert torch.equal(likely.marginal, policy.marginals(clip, PROMPTS, K, [1, 2], SAMPLES))
    assert likely.marginal.sum(1).tolist() == pytest.approx([1, 1])


def test_frames_are_ordered_by_frequency_and_equally_frequent_ones_by_eq_10():
    likely = Likelihood(np.array([0.5, 0.0, 0.0, 0.25]), np.array([0.1, 0.3, 0.2, 0.4]))
    assert likely.ascending("frequency") == [2, 1, 3, 0]
    assert likely.ascending("marginal") == [0, 2, 1, 3]


@pytest.mark.parametrize("percent", [1, 20, 50, 80, 99])
@pytest.mark.parametrize("count", [1, 3, 40])
def test_over_and_under_share_out_all_frames_the_likelier_ones_above(percent, count):
    order = np.random.default_rng(count).permutation(count).tolist()
    over, under = (Bin(side, percent).region(order) for side in ("over", "under"))
    assert sorted(over + under) == list(range(count)) and len(under) == round(percent * count / 100)
    if over and under:
        assert max(order.index(frame) for frame in under) < min(order.index(frame) for frame in over)


def test_a_table_of_likelihoods_is_read_back(tmp_path):
    rows = {"q1": Likelihood(np.array([0.5, 1.0]), np.array([0.25, 0.75])), "q0": Likelihood(np.zeros(0), np.zeros(0))}
    write_likelihoods(tmp_path / "l.parquet", LikelihoodTable("mme", "refocus/a", rows), {"samples": 2})
    back = read_likelihoods(tmp_path / "l.parquet")
    assert (back.benchmark, back.selector, list(back.rows)) == ("mme", "refocus/a", ["q1", "q0"])
    assert all(back.rows[key].frequency.tolist() == rows[key].frequency.tolist() for key in rows)
    assert all(back.rows[key].marginal.tolist() == rows[key].marginal.tolist() for key in rows)


def test_a_file_that_is_no_such_table_is_named(tmp_path):
    (tmp_path / "l.parquet").write_bytes(b"nothing")
    with pytest.raises(RefocusError, match=r"l\.parquet: cannot be read as parquet"):
        read_likelihoods(tmp_path / "l.parquet")


def test_the_command_writes_the_likelihood_of_the_kept_frames_of_each_question(tmp_path):
    bench = build_asked_videos(tmp_path, ("even.mp4",))
    out = tmp_path / "likelihood.parquet"
    words = ["--qa", bench.qa, "--index", bench.index, "--model", embedded_model(), "--n-frames", 2, "--samples", 3]
    assert bench.refocus("likelihood", *words, "--selector", "refocus/a", "--out", out) == 0
    found = read_likelihoods(out)
    assert (found.benchmark, found.selector) == ("bench", "refocus/a")
    assert set(found.rows) == {question.qa_id for question in bench.questions}
    frames = pq.read_table(bench.index)["n_frames"].to_pylist()[0]
    for row in found.rows.values():
        assert row.marginal.shape == row.frequency.shape == (frames,)
        assert (row.marginal.sum(), row.frequency.sum()) == (pytest.approx(1, abs=1e-5), pytest.approx(2))


def test_the_last_frame_is_shown_from_every_share_where_the_benchmark_keeps_it(tmp_path):
    """The likeliest frames are the earliest ones here, so that only under-k % reaches the end by itself."""
    bench = build_asked_videos(tmp_path, ("even.mp4",))
    store, questions = FrameStore.open([bench.index]), bench.questions
    t = store.record(questions[0].clip_id).n_frames
    falling = np.arange(t, 0, -1) / t
    made = {question.qa_id: Likelihood(falling, falling) for question in questions}
    for one in bins((50,)):
        own, kept = (select_bin(one, questions, made, store, 3, "frequency", keep) for keep in (False, True))
        for qa_id, selection in kept.items():
            assert selection.frame_indices[-1] == t - 1 and len(selection.frame_indices) == 3
            assert selection.frame_indices[:-1] == own[qa_id].frame_indices[:-1]
            assert (LAST_FRAME in selection.flags) is (own[qa_id].frame_indices[-1] != t - 1)
