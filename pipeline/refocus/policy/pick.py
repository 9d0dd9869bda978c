"""Using a policy: the frames of one clip for some questions, and how often each frame is chosen (Eq. 10)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from refocus.core.errors import UsageError
from refocus.lmm.prompts import Prompt
from refocus.policy.network import ClipState, PolicyNetwork, QuestionState
from refocus.policy.rollout import distributions, rollout

MODES = ("sample", "greedy", "first_step", "top_marginal")


@dataclass(frozen=True)
class PickedFrames:
    """Distinct frames of one clip for each of q questions, k = min(n_frames, t) of them in the order of picking."""

    order: Tensor  # (q, k) long
    score: Tensor  # (q, k) log-probability of each pick; of its frame at the first step or under Eq. 10 in those modes


@dataclass(frozen=True)
class FrameLikelihood:
    """Of every frame of a clip, for each of q questions."""

    frequency: Tensor  # (q, t) share of the draws that pick it
    marginal: Tensor  # (q, t) Eq. 10; rows sum to one


@torch.no_grad()
def read_clip(policy: PolicyNetwork, features: Tensor | np.ndarray) -> ClipState:
    """What all questions about a clip start from, so that whoever keeps it reads the frames once.

    Args:
        features: (t, p, c) from `encode`, or uint8 images (t, h, w, 3).
    """
    if isinstance(features, np.ndarray):
        features = policy.encode(features)
    return policy.prefix([features])


@torch.no_grad()
def pick(
    policy: PolicyNetwork,
    clip: ClipState | Tensor | np.ndarray,
    prompts: Sequence[Prompt],
    n_frames: int,
    seeds: Sequence[int],
    mode: str = "sample",
    temperature: float = 1.0,
    samples: int = 64,
) -> PickedFrames:
    """Picks frames of one clip for some questions (Algorithm 2); one prefix serves all of them.

    Args:
        clip: from `read_clip`, or what that takes: features (t, p, c), or uint8 images (t, h, w, 3).
        seeds: one per question; equal seeds give equal picks.
        mode: "sample" draws once, "greedy" takes the likeliest frame at each step, "first_step" the likeliest frames
            at the first step, before any pick is fed back, "top_marginal" the frames with the highest probability of
            Eq. 10 over `samples` draws of `n_frames`.
    Raises:
        UsageError: mode is none of these, or seeds and prompts differ in number.
    """
    if mode not in MODES:
        raise UsageError(f"select.mode must be one of {', '.join(MODES)}, not {mode!r}")
    if mode == "top_marginal":
        share = marginals(policy, clip, prompts, n_frames, seeds, samples, temperature)
        top = share.topk(min(n_frames, share.shape[1]), dim=1)
        return PickedFrames(top.indices, top.values.log())
    clips, questions = _read(policy, clip, prompts, seeds)
    n_frames = min(n_frames, clips.mask.shape[1])
    if mode == "first_step":
        no_pick_yet = torch.zeros(len(prompts), 1, 1, dtype=torch.long, device=clips.keys.device)
        logp, _ = distributions(policy, clips, questions, no_pick_yet, temperature)
        likeliest = logp[:, 0, 0].topk(n_frames, dim=1)  # (q, k)
        return PickedFrames(likeliest.indices, likeliest.values)
    made = rollout(policy, clips, questions, 1, n_frames, seeds, temperature, mode)
    return PickedFrames(made.picks[:, 0], made.logp[:, 0])


@torch.no_grad()
def likelihood(
    policy: PolicyNetwork,
    clip: ClipState | Tensor | np.ndarray,
    prompts: Sequence[Prompt],
    n_frames: int,
    seeds: Sequence[int],
    samples: int = 64,
    temperature: float = 1.0,
) -> FrameLikelihood:
    """How often each frame is picked over `samples` draws of `n_frames`, and p_{v,q} of Eq. 10 over the same draws."""
    clips, questions = _read(policy, clip, prompts, seeds)
    n_frames = min(n_frames, clips.mask.shape[1])
    picks = rollout(policy, clips, questions, samples, n_frames, seeds, temperature).picks  # (q, n, k)
    logp, real = distributions(policy, clips, questions, picks, temperature)
    chosen = F.one_hot(picks.clamp(min=0), logp.shape[-1]) * real[..., None]  # (q, n, k, t)
    marginal = (logp.exp() * real[..., None]).sum(2).div(real.sum(2, keepdim=True)).mean(1)
    return FrameLikelihood(chosen.amax(2).float().mean(1), marginal)


@torch.no_grad()
def step_shares(
    policy: PolicyNetwork,
    clip: ClipState | Tensor | np.ndarray,
    prompts: Sequence[Prompt],
    orders: Sequence[Sequence[int]],
    temperature: float = 1.0,
) -> Tensor:
    """Eq. 10 over the steps of one candidate per question, its picks in their order: what it was drawn from.

    Returns:
        (q, t), rows sum to one.
    """
    clips, questions = _read(policy, clip, prompts, [0] * len(prompts))
    picks = torch.tensor(orders, device=clips.keys.device)[:, None]  # (q, 1, k)
    logp, _ = distributions(policy, clips, questions, picks, temperature)
    return logp.exp().mean(2)[:, 0]


@torch.no_grad()
def marginals(
    policy: PolicyNetwork,
    clip: ClipState | Tensor | np.ndarray,
    prompts: Sequence[Prompt],
    n_frames: int,
    seeds: Sequence[int],
    samples: int = 64,
    temperature: float = 1.0,
) -> Tensor:
    """p_{v,q} of Eq. 10: the step categoricals averaged over steps, then over sampled candidates.

    Returns:
        (q, t), rows sum to one.
    """
    return likelihood(policy, clip, prompts, n_frames, seeds, samples, temperature).marginal


def _read(
    policy: PolicyNetwork, clip: ClipState | Tensor | np.ndarray, prompts: Sequence[Prompt], seeds: Sequence[int]
) -> tuple[ClipState, QuestionState]:
    if len(seeds) != len(prompts):
        raise UsageError(f"{len(prompts)} questions need as many seeds, not {len(seeds)}")
    clips = clip if isinstance(clip, ClipState) else read_clip(policy, clip)
    return clips, policy.ask(clips, [0] * len(prompts), prompts)
