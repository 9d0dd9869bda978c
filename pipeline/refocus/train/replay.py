"""Replay of the log of groups: what other settings of the objective would have made of the same rewards.

q questions (groups) · n candidates
"""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import torch

from refocus.config.train import TrainSettings
from refocus.core.errors import UsageError
from refocus.train.objective import advantages, batch_std, centre, varied
from refocus.train.run_log import read

COLUMNS = (
    "step",
    "groups",
    "reward_mean",
    "reward_group_std",
    "frac_zero_std",
    "advantage_std",
    "advantage_abs_max",
    "advantage_shift",
    "distinct_frames",
)


def replay(lines: Sequence[dict[str, Any]], settings: TrainSettings) -> Iterator[dict[str, float]]:
    """One row per step of the log.

    advantage_shift is the largest difference between an advantage of these settings and the logged one; groups counts
    those that `zero_variance` leaves in. Rewards are logged with six digits, which shows where a group's nearly agree.
    """
    for step, members in groupby(lines, key=lambda line: line["step"]):
        groups = list(members)
        rewards = torch.tensor([group["reward"] for group in groups], dtype=torch.float64)  # (q, n)
        logged = torch.tensor([group["advantage"] for group in groups], dtype=torch.float64)
        std = batch_std(centre(rewards), rewards, settings) if settings.advantage_scale == "batch" else None
        scaled = advantages(rewards, settings, std)
        differs, known = varied(rewards), rewards.isfinite().any(-1)
        counted = known if settings.zero_variance == "keep" else differs
        yield {
            "step": step,
            "groups": int(counted.sum()),
            "reward_mean": float(rewards.nanmean()),
            "reward_group_std": float(np.mean([np.nanstd(row) for row in rewards[known].numpy()] or [0.0])),
            "frac_zero_std": float((~differs).double().mean()),
            "advantage_std": float(scaled.std(correction=0)),
            "advantage_abs_max": float(scaled.abs().max()),
            "advantage_shift": float((scaled - logged).abs().max()),
            "distinct_frames": float(
                np.mean([len({f for picks in group["picks"] for f in picks}) for group in groups])
            ),
        }


def read_groups(path: Path) -> list[dict[str, Any]]:
    """The lines of groups.jsonl.

    Raises:
        UsageError: there are none.
    """
    lines = read(path)
    if not lines or "reward" not in lines[0]:
        raise UsageError(f"{path} holds no groups: it is written by `refocus train` with train.runtime.log_groups")
    return lines


def to_csv(rows: Iterable[dict[str, float]]) -> str:
    """The rows as text, six digits."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: round(value, 6) for name, value in row.items()} for row in rows)
    return text.getvalue()
