"""The objective: Algorithm 1 and Eq. 2 as a loop, and every option's defining property."""

import math

import numpy as np
import pytest
import torch
from refocus.config.train import TrainSettings
from refocus.train.objective import advantages, batch_std, centre, objective, varied

PLAIN = TrainSettings(entropy_weight=0.0)


def draw(q=3, n=5, k=4, seed=0):
    generator = torch.Generator().manual_seed(seed)
    rand = lambda *shape: torch.rand(*shape, generator=generator, dtype=torch.float64)  # noqa: E731
    logp = (-rand(q, n, k) * 3).requires_grad_()
    return logp, rand(q, n, k), logp.detach() + 0.3 * (rand(q, n, k) - 0.5), rand(q, n) * 2 - 1


def test_objective_is_the_papers_loop():
    """Eq. 2 written out: ratios of products, group advantages with eps, entropy as a mean; value and gradient."""
    logp, entropy, old, rewards = draw()
    settings = TrainSettings(entropy_weight=0.05)
    ours = objective(logp, entropy, old, advantages(rewards, settings), rewards, settings).value.mean()
    total = 0.0
    for v in range(3):
        r = rewards[v].numpy()
        group = 0.0
        for j in range(5):
            advantage = (r[j] - r.mean()) / (r.std() + 1e-4)
            group = group + torch.exp(logp[v, j]).prod() / torch.exp(old[v, j]).prod() * advantage
        bonus = np.mean([entropy[v, j, i].item() for j in range(5) for i in range(4)])
        total = total + group / 5 + 0.05 * bonus
    torch.testing.assert_close(ours, total / 3)
    for a, b in zip(torch.autograd.grad(ours, logp), torch.autograd.grad(total / 3, logp), strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize(("level", "share"), [("trajectory", 1), ("step", 1), ("geo_mean", 1 / 4)])
def test_first_update_is_the_policy_gradient(level, share):
    """At pi = pi_old the ratio is exactly 1 and the gradient is that of the mean of A log pi (of a step: geo_mean)."""
    logp, entropy, _, rewards = draw()
    settings = TrainSettings(entropy_weight=0.0, ratio_level=level)
    advantage = advantages(rewards, settings)
    goal = objective(logp, entropy, logp.detach(), advantage, rewards, settings)
    assert (goal.ratio == 1).all()
    torch.testing.assert_close(goal.value, advantage.mean(1))
    expected = share * torch.autograd.grad((advantage * logp.sum(-1)).mean(1).sum(), logp)[0]
    torch.testing.assert_close(torch.autograd.grad(goal.value.sum(), logp)[0], expected)


def test_the_geometric_mean_is_the_root_of_the_products():
    """(pi / pi_old)^(1/k), the same whatever the number of picks; the reported ratio stays the whole subset's."""
    logp, entropy, old, rewards = draw()
    settings = TrainSettings(entropy_weight=0.0, ratio_level="geo_mean")
    advantage = advantages(rewards, settings)
    goal = objective(logp, entropy, old, advantage, rewards, settings)
    whole = (logp - old).sum(-1).exp()
    torch.testing.assert_close(goal.value, (whole ** (1 / 4) * advantage).mean(1))
    torch.testing.assert_close(goal.ratio, whole.detach())


def test_the_std_has_a_floor():
    """Groups that hardly differ are divided by the floor, others by their own std; in a batch the same."""
    rewards = torch.tensor([[0.50, 0.51, 0.49, 0.50], [-1.0, 1.0, -1.0, 1.0]], dtype=torch.float64)
    settings = TrainSettings(advantage_std_floor=0.1, advantage_eps=0.0)
    a = advantages(rewards, settings)
    torch.testing.assert_close(a[0], (rewards[0] - 0.5) / 0.1)
    torch.testing.assert_close(a[1], rewards[1])
    batch = settings.model_copy(update={"advantage_scale": "batch"})
    torch.testing.assert_close(advantages(rewards, batch, 0.01), centre(rewards) / 0.1)


@pytest.mark.parametrize("level", ["trajectory", "step", "geo_mean"])
def test_the_share_of_clipped_ratios_is_reported(level):
    """Of what the objective uses: subsets, or steps; 0 without a clipping range."""
    logp, entropy, old, rewards = draw()
    settings = TrainSettings(ratio_level=level, clip_eps=0.05)
    log_ratio = (logp - old).detach()
    used = {"trajectory": log_ratio.sum(-1), "step": log_ratio, "geo_mean": log_ratio.mean(-1)}[level].exp()
    goal = objective(logp, entropy, old, advantages(rewards, settings), rewards, settings)
    torch.testing.assert_close(goal.clipped, ((used < 0.95) | (used > 1.05)).double().flatten(1).mean(1))
    assert 0 < goal.clipped.mean() < 1
    free = objective(logp, entropy, old, rewards, rewards, TrainSettings(ratio_level=level))
    assert (free.clipped == 0).all()


def test_advantages_are_standardised_within_groups():
    """Mean 0, std 1 (up to eps) per group, at either count of degrees of freedom."""
    rewards = draw()[3]
    for ddof in (0, 1):
        settings = TrainSettings(advantage_ddof=ddof, advantage_eps=0.0)
        a = advantages(rewards, settings).numpy()
        np.testing.assert_allclose(a.mean(1), 0, atol=1e-12)
        np.testing.assert_allclose(a.std(1, ddof=ddof), 1)
    assert torch.equal(advantages(rewards, TrainSettings(advantage_scale="none")), centre(rewards))
    for ddof in (0, 1):
        std = batch_std(centre(rewards), rewards, PLAIN.model_copy(update={"advantage_ddof": ddof}))
        assert std == pytest.approx(centre(rewards).numpy().std(ddof=ddof), rel=1e-12)
    std = batch_std(centre(rewards), rewards, PLAIN)
    torch.testing.assert_close(
        advantages(rewards, TrainSettings(advantage_scale="batch"), std), centre(rewards) / (std + 1e-4)
    )


def test_equal_rewards_give_exactly_no_advantage():
    """Residues of rounding are not blown up by a tiny std: a saturated group has advantage 0, not noise."""
    rewards = torch.full((2, 16), 0.1)
    rewards[1, 3] = -0.4
    a = advantages(rewards, PLAIN)
    assert (a[0] == 0).all() and (a[1] != 0).all()
    assert varied(rewards).tolist() == [False, True]


@pytest.mark.parametrize("scale", ["group", "batch", "none"])
def test_equal_rewards_without_eps_and_floor_give_no_advantage(scale):
    """Advantage 0 instead of 0 / 0, in a batch of nothing else and beside a group that differs."""
    settings = TrainSettings(advantage_eps=0.0, advantage_std_floor=0.0, advantage_scale=scale)
    equal = torch.full((2, 4), 0.3)
    assert (advantages(equal, settings, batch_std(centre(equal), equal, settings)) == 0).all()
    mixed = torch.stack([equal[0], torch.tensor([-1.0, 1.0, -1.0, 1.0])])
    a = advantages(mixed, settings, batch_std(centre(mixed), mixed, settings))
    assert (a[0] == 0).all() and a[1].abs().min() >= 1


def test_zero_variance_groups_keep_their_entropy_bonus_or_do_not_count():
    """`keep`: only the bonus remains. `mask`, and `resample` for what stayed equal: value 0, not counted."""
    logp, entropy, _, _ = draw(q=1)
    rewards = torch.ones(1, 5, dtype=torch.float64)
    for choice, value, counts in (
        ("keep", 0.5 * entropy.mean(), True),
        ("mask", torch.tensor(0.0).double(), False),
        ("resample", torch.tensor(0.0).double(), False),
    ):
        settings = TrainSettings(entropy_weight=0.5, zero_variance=choice)
        goal = objective(logp, entropy, logp, advantages(rewards, settings), rewards, settings)
        torch.testing.assert_close(goal.value[0], value)
        assert goal.counts.tolist() == [counts]


def test_a_failed_reward_drops_its_candidate_only():
    """NaN in one candidate: the others are normalised among themselves, and its gradient is 0."""
    logp, entropy, old, rewards = draw()
    rewards[1, 2] = math.nan
    goal = objective(logp, entropy, old, advantages(rewards, PLAIN), rewards, PLAIN)
    keep = [0, 1, 3, 4]
    alone = objective(
        logp[1:2, keep],
        entropy[1:2, keep],
        old[1:2, keep],
        advantages(rewards[1:2, keep], PLAIN),
        rewards[1:2, keep],
        PLAIN,
    )
    torch.testing.assert_close(goal.value[1:2], alone.value)
    grad = torch.autograd.grad(goal.value.sum(), logp)[0]
    assert grad.isfinite().all() and (grad[1, 2] == 0).all()


def test_a_group_of_failures_does_not_count():
    """All candidates failed: nothing to learn, nothing counted."""
    logp, entropy, old, rewards = draw(q=1)
    rewards[:] = math.nan
    goal = objective(logp, entropy, old, advantages(rewards, PLAIN), rewards, PLAIN)
    assert not goal.counts.any() and goal.value.item() == 0


def test_ratios_are_clamped_and_clipped():
    """The log-ratio stops at +-20; with clip_eps the gradient vanishes outside the range on the gaining side."""
    logp = torch.zeros(1, 2, 1, dtype=torch.float64, requires_grad=True)
    rewards = torch.tensor([[1.0, -1.0]], dtype=torch.float64)
    advantage = advantages(rewards, PLAIN)
    far = objective(logp, logp.detach(), logp.detach() - 50, advantage, rewards, PLAIN)
    torch.testing.assert_close(far.ratio, torch.full((1, 2), math.exp(20.0), dtype=torch.float64))
    settings = TrainSettings(entropy_weight=0.0, clip_eps=0.2)
    goal = objective(logp, logp.detach(), logp.detach() - 0.5, advantage, rewards, settings)
    grad = torch.autograd.grad(goal.value.sum(), logp)[0].flatten()
    assert grad[0] == 0 and grad[1] < 0
