"""The plan's lines for likelihoods, for Fig. 4's answers and for haystacks, against sums made by hand."""

import pytest
from refocus.config.likelihood_runs import likely_runs
from refocus.plan.estimate import make_plan
from refocus.plan.flops import pick_flops, policy_frame_flops, policy_prefix_flops
from refocus.plan.model_shapes import policy_shape

from tests.support.planned import configured

S = 12 + 3 * 4 + 150 / 4  # tokens of a question: fixed, four options, 150 characters
START = 45 + 8 * (256 + 8)  # tokens before a question about eight frames
CHANGES = {
    "use": {"datasets": [], "selectors": ["uniform", "refocus/r", "initial/r"]},
    "benchmarks": {"exam": {"format": "videomme"}},
    "answer": {"n_frames": [8]},
    "likelihood": {"samples": 4, "percents": [50]},
    "plan": {"sources": {"exam": {"seconds": [8.0]}}},
}  # 100 questions on 10 clips of 32 frames


def lines(root):
    return {(cost.stage, cost.name): cost for cost in make_plan(root, root.plan).costs}


def test_likelihoods_are_rollouts_and_one_more_pass_over_them(tmp_path):
    """On Video-MME after training and before."""
    root = configured(tmp_path, **CHANGES)
    cost, config = lines(root)["likelihood", "r"], policy_shape(root.run_policy("r"))[0]
    clip = 32 * policy_frame_flops(config) + policy_prefix_flops(config, 32, 20)
    question = policy_prefix_flops(config, 0, S) + 2 * 4 * 8 * pick_flops(config, 32)
    assert cost.flops == pytest.approx(2 * (10 * clip + 100 * question))
    assert cost.naive_flops == pytest.approx(2 * 100 * (clip + question))
    assert (cost.jobs, cost.clips, cost.frames) == (2, 20, 2 * 10 * 32)
    assert cost.disk_bytes == 2 * 100 * 32 * 2 * 4  # two float32 per question and frame


def test_on_other_benchmarks_only_the_trained_policy_is_measured(tmp_path):
    root = configured(tmp_path, **{**CHANGES, "benchmarks": {"exam": {"format": "csv"}}})
    assert lines(root)["likelihood", "r"].jobs == 1


def test_answers_of_fig_4_are_three_prompts_with_eight_frames(tmp_path):
    """All 32 frames, the likelier and the unlikelier 16: of these a question shows each frame with probability 1/2."""
    cost = lines(configured(tmp_path, **CHANGES))["bins", "lmm"]
    assert cost.frames == pytest.approx(10 * (8 + 24 * (1 - 0.5**10)))
    assert cost.tokens == pytest.approx(10 * START + 100 * 2 * START + 3 * 100 * S)
    assert (cost.jobs, cost.naive_frames) == (1, 100 * 3 * 8)
    assert cost.naive_tokens == pytest.approx(3 * 100 * (START + S))
    assert cost.naive_flops > cost.flops > 0


@pytest.mark.parametrize(
    ("likelihood", "stages"),
    [({"percents": []}, {"likelihood"}), ({"samples": 0}, set()), ({}, {"likelihood", "bins"})],
)
def test_what_is_off_is_not_counted(tmp_path, likelihood, stages):
    root = configured(tmp_path, **{**CHANGES, "likelihood": {"samples": 4, **likelihood}})
    assert {stage for stage, _ in lines(root)} & {"likelihood", "bins"} == stages


def test_seeds_of_one_setting_are_measured_and_other_settings_are_not(tmp_path):
    runs = {"r": {}, "s1": {"seed": 1}, "long": {"train": {"picks": 8}}, "s2": {"seed": 2}}
    selectors = ["initial/long", "refocus/s1", "refocus/long", "refocus/r"]
    use = {"datasets": [], "runs": list(runs), "selectors": selectors}
    assert likely_runs(configured(tmp_path, runs=runs, use=use)) == ["s1", "r"]


def test_haystacks_are_counted_before_they_are_drawn(tmp_path):
    """Frames decoded, embedded and looked at by the policy, and nothing answered."""
    changes = {
        "use": {"datasets": [], "benchmarks": [], "haystacks": ["niah"], "selectors": ["topk", "refocus/r"]},
        "benchmarks": {"niah": {"format": "jsonl", "videos": "<results>/niah", "shards": 4}},
        "scorers": {"siglip": {"path": "google/siglip-so400m-patch14-384"}},
        "embed": {"model": "siglip"},
        "niah": {"lengths": [64, 512], "depths": 3, "videos": 2},
    }
    root = configured(tmp_path, **changes)
    found, frames = lines(root), 3 * 2 * (64 + 512)
    assert set(found) == {("decode", "niah"), ("embed", "siglip"), ("select", "r")}
    assert {cost.frames for cost in found.values()} == {frames}
    assert found["embed", "siglip"].disk_bytes == 2 * 1152 * frames
