"""The numbers of one step, from the records of its groups; `docs/metrics.md` says what each means."""

import dataclasses
import math
import resource
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from scipy.special import digamma
from torch import Tensor

from refocus.policy.rollout import Rollout, Scored
from refocus.qa.records import Question
from refocus.train.objective import Objective
from refocus.train.reward_model import Rewards

NEIGHBOUR = 3


@dataclasses.dataclass(frozen=True)
class Group:
    """One question's candidates at one step, in plain numbers: what is gathered from all processes and logged."""

    qa_id: str
    n_frames: int
    picks: list[list[int]]
    reward: list[float]
    correct: list[bool]
    advantage: list[float]
    logp: list[float]
    sampler_logp: list[float]
    entropy: float
    entropy_share: float
    redrawn: int
    counts: bool
    ratio: list[float]
    clipped: float
    last_ratio: list[float] = dataclasses.field(default_factory=list)

    def with_last(self, last: "Group") -> "Group":
        """This group of the first update with what the last update made of it."""
        return dataclasses.replace(self, last_ratio=last.ratio, clipped=last.clipped)

    def to_log(self) -> dict[str, Any]:
        """The line of the replay log."""
        return {
            "qa_id": self.qa_id,
            "picks": self.picks,
            "reward": [round(value, 6) for value in self.reward],
            "advantage": [round(value, 6) for value in self.advantage],
            "logp": [round(value, 6) for value in self.logp],
        }


def groups_of(
    questions: Sequence[Question],
    n_frames: dict[str, int],
    drawn: Rollout,
    rewards: Rewards,
    scored: Scored,
    advantage: Tensor,
    redrawn: Sequence[int],
    goal: Objective,
) -> list[Group]:
    """The records of a micro-batch."""
    share = scored.entropy.detach() / scored.available.clamp(min=2).log()
    columns = {
        "picks": drawn.picks,
        "reward": rewards.reward,
        "correct": rewards.correct,
        "advantage": advantage,
        "logp": scored.logp.detach().sum(-1),
        "sampler_logp": drawn.logp.sum(-1),
        "entropy": scored.entropy.detach().mean((1, 2)),
        "entropy_share": share.mean((1, 2)),
        "counts": goal.counts,
        "ratio": goal.ratio,
        "clipped": goal.clipped,
    }
    values = {name: column.tolist() for name, column in columns.items()}
    return [
        Group(
            qa_id=question.qa_id,
            n_frames=n_frames[question.clip_id],
            redrawn=redrawn[row],
            **{name: value[row] for name, value in values.items()},
        )
        for row, question in enumerate(questions)
    ]


def summarise(groups: Sequence[Group]) -> dict[str, float]:
    """Means over the groups of a step."""
    reward = np.array([group.reward for group in groups])
    advantage = np.array([group.advantage for group in groups])
    ratio = np.array([group.ratio for group in groups])
    last = np.array([group.last_ratio for group in groups])
    gap = np.array([group.logp for group in groups]) - np.array([group.sampler_logp for group in groups])
    finite = np.isfinite(reward)
    spread = [float(np.std(row[ok])) if ok.any() else 0.0 for row, ok in zip(reward, finite, strict=True)]
    same = [bool(ok.sum() == 0 or row[ok].max() == row[ok].min()) for row, ok in zip(reward, finite, strict=True)]
    return {
        "reward/mean": _mean(reward[finite]),
        "reward/std": float(reward[finite].std()) if finite.any() else 0.0,
        "reward/min": float(reward[finite].min()) if finite.any() else 0.0,
        "reward/max": float(reward[finite].max()) if finite.any() else 0.0,
        "reward/group_std": _mean(spread),
        "reward/frac_zero_std": _mean(same),
        "reward/redrawn": _mean([group.redrawn > 0 for group in groups]),
        "reward/failed": float((~finite).mean()),
        "reward/answered_right": _mean([right for group in groups for right in group.correct]),
        "advantage/abs_max": float(np.abs(advantage).max()),
        "policy/entropy": _mean([group.entropy for group in groups]),
        "policy/entropy_share": _mean([group.entropy_share for group in groups]),
        "policy/ratio_mean": float(ratio.mean()),
        "policy/ratio_max": float(ratio.max()),
        "policy/last_ratio_mean": float(last.mean()),
        "policy/last_ratio_max": float(last.max()),
        "policy/clipped": _mean([group.clipped for group in groups]),
        "policy/logp_gap": float(np.abs(gap).mean()),
        "select/frames": _mean([len(picks) for group in groups for picks in group.picks]),
        "select/distinct_frames": _mean([len({f for picks in group.picks for f in picks}) for group in groups]),
        "select/temporal_entropy": _mean(
            [temporal_entropy(picks, group.n_frames) for group in groups for picks in group.picks]
        ),
        "groups": float(sum(group.counts for group in groups)),
    }


def temporal_entropy(picks: Sequence[int], frames: int, k: int = NEIGHBOUR) -> float:
    """Kozachenko-Leonenko estimate of the differential entropy of picks as fractions of the clip, in nats.

    Uses the k-th nearest neighbour, or the furthest there is; 0 would be uniform, and one pick has none (0). Picks of
    the same frame lie somewhere within it: no neighbour counts as nearer than where all picks spread over one frame's
    time, so a subset of one frame alone has the entropy of that time, -log(frames).
    """
    n = len(picks)
    k = min(k, n - 1)
    if k < 1:
        return 0.0
    times = (np.array(picks) + 0.5) / frames
    distance = np.sort(np.abs(times[:, None] - times), axis=1)[:, k]
    offset = digamma(n) - digamma(k) + math.log(2)
    return float(offset + np.log(np.maximum(distance, math.exp(-offset) / frames)).mean())


def peak_memory_gb(device: torch.device) -> float:
    """Peak memory of this process: the GPU's where it uses one, else resident memory."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**30
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**30


def _mean(values: Any) -> float:
    values = np.asarray(values, dtype=float)
    return float(values.mean()) if values.size else 0.0
