"""Sampling and scoring frame subsets (Algorithm 2, Eq. 6, Eq. 10)."""

import numpy as np
import pytest
import torch
from refocus.core.errors import UsageError
from refocus.policy.rollout import NO_FRAME, _draw, distributions, rollout, score

from tests.support.tiny_policy import PROMPTS, build_features, build_policy

CLIP = [0, 1, 1]


@pytest.fixture(scope="module")
def policy():
    return build_policy()


@pytest.fixture(scope="module")
def asked(policy):
    clips = policy.prefix(build_features(policy, [6, 11]))
    return clips, policy.ask(clips, CLIP, PROMPTS)


def test_picks_are_distinct_and_inside_their_clip(policy, asked):
    """No frame twice in a candidate, none from the padding."""
    picks = rollout(policy, *asked, 32, 6, seeds=[1, 2, 3]).picks
    assert picks.shape == (3, 32, 6)
    for question, frames in enumerate(picks):
        assert frames.max() < [6, 11, 11][question]
        assert all(len(set(candidate.tolist())) == 6 for candidate in frames)


def test_the_sampler_and_the_parallel_pass_agree(policy, asked):
    """Log-probabilities step by step equal those of one teacher-forced pass, to 1e-9 in float64."""
    drawn = rollout(policy, *asked, 8, 5, seeds=[1, 2, 3], temperature=0.7)
    scored = score(policy, *asked, drawn.picks, temperature=0.7)
    assert drawn.logp.min() < -1
    torch.testing.assert_close(scored.logp, drawn.logp, rtol=0, atol=1e-9)
    assert scored.available.tolist() == [[[t - i for i in range(5)]] * 8 for t in (6, 11, 11)]


def test_candidates_depend_on_their_own_seed_only(policy):
    """The same question with the same seed gets the same picks in another batch."""
    features = build_features(policy, [6, 11])
    clips = policy.prefix(features)
    together = rollout(policy, clips, policy.ask(clips, CLIP, PROMPTS), 4, 5, seeds=[7, 8, 9]).picks
    alone = policy.prefix(features[:1])
    picks = rollout(policy, alone, policy.ask(alone, [0], PROMPTS[:1]), 4, 5, seeds=[7]).picks
    assert torch.equal(picks[0], together[0])
    assert not torch.equal(together[1], together[2])


def test_sampling_follows_the_policy(policy, asked):
    """First picks of many candidates have the categorical's frequencies."""
    drawn = rollout(policy, *asked, 4000, 1, seeds=[1, 2, 3])
    logp, _ = distributions(policy, *asked, drawn.picks[:, :1])
    share = torch.nn.functional.one_hot(drawn.picks[:, :, 0], 11).double().mean(1)
    assert (share - logp[:, 0, 0].exp()).abs().max() < 0.03


def test_running_out_of_frames_ends_a_subset(policy, asked):
    """More picks than frames: every frame once, then NO_FRAME with nothing to learn from."""
    drawn = rollout(policy, *asked, 3, 8, seeds=[1, 2, 3])
    assert (drawn.picks[0, :, 6:] == NO_FRAME).all() and (drawn.picks[1:] != NO_FRAME).all()
    assert sorted(drawn.picks[0, 0, :6].tolist()) == list(range(6))
    scored = score(policy, *asked, drawn.picks)
    torch.testing.assert_close(scored.logp, drawn.logp, rtol=0, atol=1e-9)
    assert scored.entropy[0, :, 6:].abs().max() == 0
    scored.logp.sum().backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in policy.parameters())


def test_greedy_takes_the_likeliest_frame(policy, asked):
    """Every pick is the argmax of its step."""
    drawn = rollout(policy, *asked, 1, 4, seeds=[0, 0, 0], mode="greedy")
    logp, _ = distributions(policy, *asked, drawn.picks)
    assert torch.equal(logp.argmax(-1), drawn.picks)


def test_gradient_reaches_everything_that_is_trained(policy):
    """Log-probabilities of subsets move the connector, every layer, the heads and the start token's row."""
    policy.zero_grad()
    clips = policy.prefix(build_features(policy, [7]))
    asked = policy.ask(clips, [0], PROMPTS[:1])
    picks = rollout(policy, clips, asked, 4, 3, seeds=[0]).picks
    score(policy, clips, asked, picks).logp.sum().backward()
    still = [name for name, p in policy.named_parameters() if p.requires_grad and (p.grad is None or not p.grad.any())]
    assert still == []
    assert policy.backbone.embedding.weight.grad[policy.config.start_of_frame].any()


def test_value_feedback_matters(policy, asked):
    """What was picked first changes the distribution of the second pick beyond removing that frame."""
    logp, _ = distributions(policy, *asked, torch.tensor([[[0, 2], [1, 2]]] * 3))
    rest = [3, 4, 5]
    assert (logp[:, 0, 1, rest].softmax(-1) - logp[:, 1, 1, rest].softmax(-1)).abs().max() > 1e-4


def test_picking_for_a_clip(policy):
    """Distinct frames, fewer where there are fewer, the same from images as from features; scores go with them."""
    policy = build_policy(dtype=torch.float32)
    images = np.random.default_rng(0).integers(0, 255, (5, 32, 32, 3), dtype=np.uint8)
    made = policy.pick(images, PROMPTS, 9, [1, 2, 3])
    assert [sorted(order) for order in made.order.tolist()] == [list(range(5))] * 3
    fewer = policy.pick(policy.encode(images), PROMPTS, 3, [1, 2, 3])
    assert fewer.order.equal(made.order[:, :3]) and fewer.score.equal(made.score[:, :3])
    shares = policy.marginals(images, PROMPTS, 2, [1, 2, 3], samples=16)
    torch.testing.assert_close(shares.sum(1), torch.ones(3))
    best = policy.pick(images, PROMPTS, 2, [1, 2, 3], mode="top_marginal", samples=16)
    assert best.order.equal(shares.topk(2).indices) and best.score.equal(shares.topk(2).values.log())
    with pytest.raises(UsageError, match="mode"):
        policy.pick(images, PROMPTS, 2, [1, 2, 3], mode="best")
    with pytest.raises(UsageError, match="seeds"):
        policy.pick(images, PROMPTS, 2, [1])


def test_the_first_step_ranks_all_frames_before_any_pick_is_fed_back():
    """It begins with greedy's first pick, falls in probability, and does not move with the value head; greedy does."""
    policy = build_policy(dtype=torch.float32)
    features = build_features(policy, [9])[0]

    def ask(mode: str):
        return policy.pick(features, PROMPTS, 4, [1, 2, 3], mode=mode)

    first, greedy = ask("first_step"), ask("greedy")
    assert first.order[:, 0].equal(greedy.order[:, 0]) and first.score[:, 0].equal(greedy.score[:, 0])
    assert (first.score.diff(dim=1) <= 0).all()
    with torch.no_grad():
        policy.heads.value.weight.mul_(-3)
    assert ask("first_step").order.equal(first.order)
    assert not torch.allclose(ask("greedy").score[:, 1:], greedy.score[:, 1:])


def test_replacement_is_a_variant_of_the_model():
    """The released class may pick a frame again; sampler and parallel pass still agree."""
    policy = build_policy(replacement=True)
    clips = policy.prefix(build_features(policy, [3]))
    asked = policy.ask(clips, [0], PROMPTS[:1])
    drawn = rollout(policy, clips, asked, 4, 9, seeds=[0])
    assert max(len(candidate) - len(set(candidate)) for candidate in drawn.picks[0].tolist()) > 0
    torch.testing.assert_close(score(policy, clips, asked, drawn.picks).logp, drawn.logp, rtol=0, atol=1e-9)


def test_no_draw_takes_a_frame_of_probability_zero():
    """At both ends of the noise's range, where a comparison or a rounding could let one in."""
    logp = torch.tensor([0.0, 0.5, 0.0, 0.5, 0.0]).log()
    noise = torch.tensor([0.0, 0.5, 1 - 2**-53, 1.0], dtype=torch.float64)
    assert _draw(logp.expand(4, 5), noise).tolist() == [1, 3, 3, 3]
