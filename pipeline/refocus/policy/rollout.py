"""Algorithm 2: sampling frame subsets without gradient, and scoring given subsets in one parallel pass with gradient.

q questions · n candidates · k picks · t frames of the longest clip · d width
"""

import dataclasses
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from refocus.policy.heads import entropy, log_policy
from refocus.policy.network import ClipState, PolicyNetwork, QuestionState

NO_FRAME = -1


@dataclasses.dataclass(frozen=True)
class Rollout:
    """Sampled subsets in the order they were picked, `NO_FRAME` once a clip has no frame left."""

    picks: Tensor  # (q, n, k) long
    logp: Tensor  # (q, n, k) log-probabilities the sampler saw; 0 for NO_FRAME


@dataclasses.dataclass(frozen=True)
class Scored:
    """Given subsets under the current policy; zeros where the pick is `NO_FRAME`."""

    logp: Tensor  # (q, n, k)
    entropy: Tensor  # (q, n, k) nats over the frames still available (Eq. 6)
    available: Tensor  # (q, n, k) how many frames were


@torch.no_grad()
def rollout(
    policy: PolicyNetwork,
    clips: ClipState,
    questions: QuestionState,
    n_candidates: int,
    n_frames: int,
    seeds: Sequence[int],
    temperature: float = 1.0,
    mode: str = "sample",
) -> Rollout:
    """Picks `n_frames` frames for `n_candidates` candidates of every question, one step of the backbone per pick.

    A question's candidates depend on its own seed only, not on what else is in the batch.

    Args:
        seeds: one per question.
        mode: "sample", or "greedy" for the likeliest frame at each step.
    """
    clips, questions = clips.detach(), questions.detach()
    q, n = len(seeds), n_candidates
    noise = torch.stack([_uniform(seed, n, n_frames) for seed in seeds]).to(policy.device)  # (q, n, k)
    keys, values = clips.keys[questions.clip], clips.values[questions.clip]  # (q, t, d)
    available = clips.mask[questions.clip][:, None].repeat(1, n, 1)  # (q, n, t)
    latent = questions.latent[:, None].expand(q, n, -1)
    state = questions.state
    picks, logps = [], []
    for step in range(n_frames):
        logp = log_policy(policy.heads.scores(keys, latent), available, temperature)  # (q, n, t)
        pick = logp.argmax(-1) if mode == "greedy" else _draw(logp, noise[..., step])
        left = available.any(-1)
        logps.append(logp.gather(-1, pick[..., None]).squeeze(-1).masked_fill(~left, 0.0))
        picks.append(pick.masked_fill(~left, NO_FRAME))
        if not policy.config.replacement:
            available.scatter_(-1, pick[..., None], False)
        if step + 1 < n_frames:
            value = values.gather(1, pick[..., None].expand(q, n, values.shape[-1]))
            latent, after = policy.backbone.step(
                value.flatten(0, 1), state, want_state=step + 2 < n_frames, reuse=step > 0
            )
            latent = latent.unflatten(0, (q, n))
            if after is not None:
                state = after
    return Rollout(torch.stack(picks, -1), torch.stack(logps, -1))


def score(
    policy: PolicyNetwork, clips: ClipState, questions: QuestionState, picks: Tensor, temperature: float = 1.0
) -> Scored:
    """Log-probabilities and entropies of given subsets, teacher-forced in one pass, differentiable.

    Gradients reach the prefix through the keys, the values that are fed back, and the state.

    Args:
        picks: (q, n, k) long in pick order, distinct within a candidate; `NO_FRAME` at the end where frames ran out.
    """
    logp, real = distributions(policy, clips, questions, picks, temperature)
    chosen = logp.gather(-1, picks.clamp(min=0)[..., None]).squeeze(-1)
    available = (logp.detach() > -torch.inf).sum(-1)
    return Scored(chosen.masked_fill(~real, 0.0), entropy(logp).masked_fill(~real, 0.0), available)


def distributions(
    policy: PolicyNetwork, clips: ClipState, questions: QuestionState, picks: Tensor, temperature: float = 1.0
) -> tuple[Tensor, Tensor]:
    """The categorical of every step: log-probabilities (q, n, k, t), and which steps are real (q, n, k)."""
    q, n, k = picks.shape
    real = picks != NO_FRAME
    picks = picks.clamp(min=0)
    keys, values = clips.keys[questions.clip], clips.values[questions.clip]
    t, d = keys.shape[1:]
    latents = questions.latent[:, None, None].expand(q, n, 1, d)
    if k > 1:
        fed = values.gather(1, picks[..., :-1].flatten(1)[..., None].expand(q, n * (k - 1), d))
        hidden, _ = policy.backbone(fed.view(q * n, k - 1, d), questions.state, want_state=False)
        latents = torch.cat([latents, hidden.view(q, n, k - 1, d)], 2)
    logits = policy.heads.scores(keys, latents.reshape(q, n * k, d)).view(q, n, k, t)
    available = clips.mask[questions.clip][:, None, None]
    if not policy.config.replacement:
        taken = F.one_hot(picks, t) * real[..., None]  # (q, n, k, t)
        available = available & ((taken.cumsum(2) - taken) == 0)
    return log_policy(logits, available.expand(q, n, k, t), temperature), real


def _uniform(seed: int, n: int, k: int) -> Tensor:
    return torch.rand(n, k, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def _draw(logp: Tensor, noise: Tensor) -> Tensor:
    """Inverse-transform sampling: (…, t) and (…) uniform in [0, 1) -> (…), never a frame of probability zero."""
    cumulative = logp.double().exp().cumsum(-1)
    total = cumulative[..., -1:]
    pick = (cumulative <= noise[..., None] * total).sum(-1)
    last = (logp > -torch.inf).long().cumsum(-1).argmax(-1)  # rounding can only overshoot to beyond it
    return torch.minimum(pick, last)
