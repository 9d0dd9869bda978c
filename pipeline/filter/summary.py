"""What the filter did, in numbers: kept and dropped per data set and category, the histogram, the paper's share."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np

PAPER_KEPT, PAPER_OF = 98_000, 962_000
BIN = 0.01
TOP = 1.15  # margins lie in [−1, 1]: at least 8 of them have an unbiased variance of at most 8/7
FLAGS = ("duplicate", "leaked", "too_short", "no_reward", "not_finite")


@dataclass
class Tally:
    """Questions counted one batch at a time; holds eight bytes per question beyond the counts."""

    datasets: dict[str, Counter] = field(default_factory=dict)
    categories: dict[str, Counter] = field(default_factory=dict)
    total: Counter = field(default_factory=Counter)
    _values: list[np.ndarray] = field(default_factory=list)

    def add(
        self, datasets: list[str], categories: list[str], flags: list[str], kept: np.ndarray, values: np.ndarray
    ) -> None:
        """Counts a batch. `flags` is empty for questions whose variance decides; `values` are their variances."""
        for dataset, category, flag, keep in zip(datasets, categories, flags, kept.tolist(), strict=True):
            outcome = "kept" if keep else "dropped"
            for counter in (
                self.total,
                self.datasets.setdefault(dataset, Counter()),
                self.categories.setdefault(category, Counter()),
            ):
                counter.update(["questions", outcome, *([flag] if flag else [])])
        self._values.append(values[np.array([not flag for flag in flags], bool)])

    def values(self) -> np.ndarray:
        """Variances of all questions that the threshold decides."""
        return np.concatenate([np.zeros(0), *self._values])

    def summary(self, tau: float) -> dict[str, Any]:
        """Everything as plain values, ready for JSON."""
        values = self.values()
        edges = np.round(np.arange(0, TOP + BIN / 2, BIN), 2)
        counts, _ = np.histogram(values, edges)
        questions = self.total["questions"]
        return {
            **_counts(self.total),
            "tau": tau,
            "datasets": {name: _counts(counter) for name, counter in sorted(self.datasets.items())},
            "categories": {name: _counts(counter) for name, counter in sorted(self.categories.items())},
            "histogram": {"edges": edges.tolist(), "counts": counts.tolist()},
            "paper": {
                "kept": PAPER_KEPT,
                "questions": PAPER_OF,
                "share": PAPER_KEPT / PAPER_OF,
                "tau_for_share": tau_for_share(values, questions, PAPER_KEPT / PAPER_OF),
            },
        }


def tau_for_share(values: np.ndarray, questions: int, share: float) -> float | None:
    """The threshold that keeps, by strict comparison, at most this share of all questions, as near to it as ties let.

    None where even keeping every question with a usable variance would not reach the share.
    """
    wanted = round(questions * share)
    if wanted > len(values):
        return None
    if wanted == len(values):
        return 0.0 if not len(values) or values.min() > 0 else float(values.min())
    return float(np.sort(values)[::-1][wanted])


def _counts(counter: Counter) -> dict[str, Any]:
    questions = counter["questions"]
    return {
        "questions": questions,
        "kept": counter["kept"],
        "dropped": counter["dropped"],
        "kept_share": counter["kept"] / questions if questions else 0.0,
        **{flag: counter[flag] for flag in FLAGS},
    }
