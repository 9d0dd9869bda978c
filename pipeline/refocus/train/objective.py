"""The objective of Algorithm 1: group-normalised advantages, importance ratio, entropy bonus (Eq. 2, 6, 7).

q questions (groups) · n candidates · k picks
"""

import dataclasses

import torch
from torch import Tensor

from refocus.config.train import TrainSettings


@dataclasses.dataclass(frozen=True)
class Objective:
    """Per group, to be summed over groups and divided by how many of them count."""

    value: Tensor  # (q,) J of each group, differentiable; 0 where the group does not count
    counts: Tensor  # (q,) bool
    ratio: Tensor  # (q, n) pi / pi_old of whole subsets, detached
    clipped: Tensor  # (q,) share of the ratios the objective uses that lie outside the clipping range


def advantages(rewards: Tensor, settings: TrainSettings, batch_std: float | None = None) -> Tensor:
    """A_j = (r_j - mean) / (max(std, floor) + eps) over a group's valid candidates, two passes in float32 or wider.

    Args:
        rewards: (q, n), NaN where a candidate's reward failed.
        batch_std: std of the batch's centred rewards, for `advantage_scale: batch`.
    Returns:
        (q, n); 0 for failed candidates and in groups of equal rewards.
    """
    wide = rewards.to(torch.promote_types(rewards.dtype, torch.float32))
    valid = wide.isfinite()
    centred = centre(wide)
    if settings.advantage_scale == "none":
        return centred
    if settings.advantage_scale == "batch":
        if batch_std is None:
            raise ValueError("advantage_scale: batch needs the std of the batch's rewards")
        return centred / (max(batch_std, settings.advantage_std_floor) + settings.advantage_eps or 1.0)
    degrees = (valid.sum(-1, keepdim=True) - settings.advantage_ddof).clamp(min=1)
    std = (centred.square().sum(-1, keepdim=True) / degrees).sqrt()
    scale = std.clamp(min=settings.advantage_std_floor) + settings.advantage_eps
    return centred / scale.masked_fill(scale == 0, 1.0)  # 0 without eps and floor: then every centred reward is 0


def centre(rewards: Tensor) -> Tensor:
    """Rewards minus their group's mean over valid candidates, exactly 0 for failed ones and in groups of equals."""
    valid = rewards.isfinite()
    filled = rewards.masked_fill(~valid, 0.0)
    mean = filled.sum(-1, keepdim=True) / valid.sum(-1, keepdim=True).clamp(min=1)
    return (filled - mean).masked_fill(~valid | ~varied(rewards)[:, None], 0.0)


def varied(rewards: Tensor) -> Tensor:
    """(q, n) -> (q,) whether a group's valid rewards differ at all, by maximum and minimum."""
    valid = rewards.isfinite()
    high = rewards.masked_fill(~valid, -torch.inf).amax(-1)
    low = rewards.masked_fill(~valid, torch.inf).amin(-1)
    return high > low


def batch_std(centred: Tensor, rewards: Tensor, settings: TrainSettings) -> float:
    """Std of all centred rewards of a batch, for `advantage_scale: batch`."""
    n = int(rewards.isfinite().sum()) - settings.advantage_ddof
    return float((centred.square().sum() / max(n, 1)).sqrt())


def objective(
    logp: Tensor, entropy: Tensor, old_logp: Tensor, advantage: Tensor, rewards: Tensor, settings: TrainSettings
) -> Objective:
    """J(theta) of Eq. 2 for each group.

    The ratio is taken in log space between two parallel passes, so it is exactly 1 on the first update. At ratio 1 the
    value and the gradient with `ratio_level: step` are those of `trajectory`: a candidate's term is the sum of the
    ratios of its steps minus k - 1. `geo_mean` is the k-th root of the subset's ratio; its gradient is 1/k of theirs.

    Args:
        logp, entropy, old_logp: (q, n, k) of the sampled picks.
        advantage, rewards: (q, n).
    """
    valid = rewards.isfinite()
    log_ratio = logp - old_logp.detach()
    whole = log_ratio.detach().sum(-1).clamp(-settings.ratio_clamp, settings.ratio_clamp).exp()
    if settings.ratio_level == "trajectory":
        log_ratio = log_ratio.sum(-1, keepdim=True)
    elif settings.ratio_level == "geo_mean":
        log_ratio = log_ratio.mean(-1, keepdim=True)
    ratio = log_ratio.clamp(-settings.ratio_clamp, settings.ratio_clamp).exp()
    gain = ratio * advantage[..., None]
    clipped = torch.zeros_like(ratio)
    if settings.clip_eps is not None:
        inside = ratio.clamp(1 - settings.clip_eps, 1 + settings.clip_eps)
        clipped = (ratio != inside).to(ratio.dtype)
        gain = torch.minimum(gain, inside * advantage[..., None])
    gain = gain.sum(-1) - (gain.shape[-1] - 1) * advantage
    n_valid = valid.sum(-1).clamp(min=1)
    value = (gain * valid).sum(-1) / n_valid + settings.entropy_weight * entropy.mean((1, 2))
    counts = valid.any(-1)
    if settings.zero_variance != "keep":
        counts = counts & varied(rewards)
    return Objective(torch.where(counts, value, 0.0), counts, whole, clipped.mean((1, 2)))
