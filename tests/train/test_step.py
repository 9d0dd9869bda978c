"""What one step does to the policy, option by option."""

import dataclasses

import pytest
import torch
from refocus.train.reward_model import Rewards
from refocus.train.run_log import read

from tests.support.tiny_policy import build_policy
from tests.support.tiny_training import COUNTS, SETTINGS, LateFrames, build_trainer


@dataclasses.dataclass
class Undecided(LateFrames):
    """Gives all candidates of some questions the same reward the first `times` times it sees them in a call."""

    questions: tuple[str, ...] = ()
    times: int = 1
    seen: dict[str, int] = dataclasses.field(default_factory=dict)

    def __call__(self, asked, subsets) -> Rewards:
        rewards = super().__call__(asked, subsets)
        for row, question in enumerate(asked):
            self.seen[question.qa_id] = self.seen.get(question.qa_id, 0) + 1
            if question.qa_id in self.questions and self.seen[question.qa_id] <= self.times:
                rewards.reward[row] = 0.5
        return rewards


def one_step(folder, reward_model=None, steps=1, **changes):
    """A trainer after its first steps, their metrics and their groups by question."""
    runtime = SETTINGS.runtime.model_copy(update=changes.pop("runtime", {}))
    settings = SETTINGS.model_copy(update={"max_steps": steps, "runtime": runtime, **changes})
    trainer = build_trainer(folder, settings, reward_model=reward_model)
    trainer.run()
    lines, groups = (read(folder / "out" / name) for name in ("metrics.jsonl", "groups.jsonl"))
    return trainer, lines, {(group["step"], group["qa_id"]): group for group in groups}


def same(one, two):
    states = one.policy.state_dict(), two.policy.state_dict()
    return all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def asked_first(folder):
    """The questions of the first step."""
    return sorted(question for _, question in one_step(folder)[2])


def test_redrawn_groups_get_candidates_of_their_own_and_others_keep_theirs(tmp_path):
    """Equal rewards are drawn again with another seed, however the batch is cut; groups that differ are untouched."""
    first, second = asked_first(tmp_path / "asked")[:2]
    base = one_step(tmp_path / "keep", Undecided(COUNTS, questions=(first,)))[2]
    found = []
    for size in (1, 8):
        reward_model = Undecided(COUNTS, questions=(first,))
        _, lines, groups = one_step(
            tmp_path / str(size), reward_model, zero_variance="resample", runtime={"clips_per_micro_batch": size}
        )
        found.append(groups)
        assert lines[0]["reward/redrawn"] == pytest.approx(1 / len(groups))
        assert lines[0]["reward/frac_zero_std"] == 0 and lines[0]["groups"] == len(groups)
        assert reward_model.seen[first] == 2 and reward_model.seen[second] == 1
    assert found[0] == found[1]
    assert found[0][0, first]["picks"] != base[0, first]["picks"]
    assert set(base[0, first]["advantage"]) == {0.0} and len(set(found[0][0, first]["advantage"])) > 1
    assert all(found[0][key]["picks"] == base[key]["picks"] for key in base if key != (0, first))


def test_right_or_wrong_rewards_are_one_or_zero_and_a_group_of_equals_teaches_nothing(tmp_path):
    """`reward: correct` learns from the answers alone; margins of the same subsets differ."""
    margins = one_step(tmp_path / "margin")[2]
    groups = one_step(tmp_path / "correct", reward="correct")[2]
    assert {key: group["picks"] for key, group in groups.items()} == {
        key: group["picks"] for key, group in margins.items()
    }
    for key, group in groups.items():
        assert group["reward"] == [float(reward > 0.5) for reward in margins[key]["reward"]]
        assert any(group["advantage"]) == (len(set(group["reward"])) > 1)
    assert len({tuple(sorted(set(group["reward"]))) for group in groups.values()}) > 1, "groups of both kinds"


def test_a_failed_reward_fails_whatever_is_learned_from():
    rewards = Rewards(torch.tensor([[0.5, torch.nan]]), torch.tensor([[True, True]]))
    assert rewards.learned_from("correct").nan_to_num(-9).tolist() == [[1.0, -9.0]]
    assert rewards.learned_from("margin") is rewards.reward


def test_what_stays_equal_is_left_out_after_so_many_tries(tmp_path):
    """Bounded, counted, and not part of the mean: the update is that of the other groups alone."""
    stuck = asked_first(tmp_path / "asked")[0]
    reward_model = Undecided(COUNTS, questions=(stuck,), times=99)
    tried, lines, groups = one_step(tmp_path / "tried", reward_model, zero_variance="resample", resample_tries=3)
    assert reward_model.seen[stuck] == 1 + 3
    assert lines[0]["groups"] == len(groups) - 1
    assert lines[0]["reward/frac_zero_std"] == pytest.approx(1 / len(groups))
    reward_model = Undecided(COUNTS, questions=(stuck,), times=99)
    assert same(tried, one_step(tmp_path / "masked", reward_model, zero_variance="mask")[0])


def test_the_entropy_bonus_alone_moves_the_policy_towards_uniform(tmp_path):
    """With nothing to choose between rewards: no gradient without the bonus, more entropy with it."""
    every = tuple(f"q{clip}-{number}" for clip in range(len(COUNTS)) for number in range(3))
    rates = {"lr_new": 1e-2, "lr_pretrained": 1e-3, "weight_decay": 0.0, "batch": 15, "clips_per_batch": None}
    for beta in (0.0, 1.0):
        reward_model = Undecided(COUNTS, questions=every, times=10**6)
        trainer, lines, _ = one_step(tmp_path / str(beta), reward_model, steps=4, entropy_weight=beta, **rates)
        if beta:
            assert min(line["grad_norm"] for line in lines) > 0
            assert lines[-1]["policy/entropy_share"] > lines[0]["policy/entropy_share"] + 0.05
        else:
            assert {line["grad_norm"] for line in lines} == {0.0}
            fresh = build_trainer(tmp_path / "fresh").policy.state_dict()
            assert all(torch.equal(tensor, fresh[name]) for name, tensor in trainer.policy.state_dict().items())


def test_entropy_and_every_other_mean_are_those_of_the_questions_alone(tmp_path):
    """In a batch with longer clips or by itself: padding frames are not available, and parts are not averaged."""
    lines = [one_step(tmp_path / str(size), runtime={"clips_per_micro_batch": size})[1][0] for size in (1, 8)]
    for name, value in lines[0].items():
        if not name.startswith(("time/", "tokens", "memory/")):
            assert lines[1][name] == pytest.approx(value, abs=1e-12), name


def test_a_second_update_leaves_the_first_ones_policy(tmp_path):
    """K=2: the first update's ratio is 1, the last one's is not; a narrow clipping range changes the second update."""
    rates = {"lr_new": 1e-2, "lr_pretrained": 1e-2, "lr_warmup": 0.0}
    once, _, _ = one_step(tmp_path / "once", **rates)
    clipped, _, _ = one_step(tmp_path / "once-clipped", clip_eps=1e-3, **rates)
    assert same(once, clipped)
    twice, lines, _ = one_step(tmp_path / "twice", updates=2, **rates)
    assert lines[0]["policy/ratio_max"] == 1 and abs(lines[0]["policy/last_ratio_max"] - 1) > 1e-3
    assert lines[0]["policy/clipped"] == 0 and not same(once, twice)
    narrow, lines, _ = one_step(tmp_path / "narrow", updates=2, clip_eps=1e-3, **rates)
    assert 0 < lines[0]["policy/clipped"] <= 1 and not same(twice, narrow)


def test_bfloat16_arithmetic_trains_float32_weights(tmp_path):
    """Ratios stay exactly 1, the sampler's gap is small but there; weights and moments stay float32 and move."""
    settings = SETTINGS.model_copy(update={"precision": "bfloat16", "max_steps": 2, "picks": 3})
    policy = build_policy(dtype=torch.float32)
    before = {name: tensor.clone() for name, tensor in policy.state_dict().items()}
    trainer = build_trainer(tmp_path, settings, policy=policy)
    trainer.run()
    lines = read(tmp_path / "out" / "metrics.jsonl")
    assert {line["policy/ratio_max"] for line in lines} == {1.0}
    assert 1e-6 < lines[-1]["policy/logp_gap"] < 0.5
    moved = [name for name, tensor in policy.state_dict().items() if not torch.equal(tensor, before[name])]
    assert len(moved) > len(before) / 2
    assert {t.dtype for t in (*policy.state_dict().values(), *trainer.optimiser.tensors().values())} == {torch.float32}
