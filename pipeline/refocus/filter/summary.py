"""What the filter did, in numbers: kept and dropped per data set and category, the histogram, the paper's share."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

PAPER_KEPT, PAPER_OF = 98_000, 962_000
BIN = 0.01
TOP = 1.15  # margins lie in [−1, 1]: at least 8 of them have an unbiased variance of at most 8/7
FLAGS = ("duplicate", "leaked", "too_short", "no_reward", "not_finite")


@dataclass(frozen=True)
class Decided:
    """Some questions, and the variances (n,) of those that the threshold decides."""

    questions: int
    values: np.ndarray


@dataclass
class Tally:
    """Questions counted one batch at a time; holds eight bytes per question beyond the counts."""

    datasets: dict[str, Counter] = field(default_factory=dict)
    categories: dict[str, Counter] = field(default_factory=dict)
    total: Counter = field(default_factory=Counter)
    _values: dict[str, list[np.ndarray]] = field(default_factory=dict)

    def add(
        self,
        datasets: pa.ChunkedArray,
        categories: pa.ChunkedArray,
        flags: np.ndarray,
        kept: np.ndarray,
        values: np.ndarray,
    ) -> None:
        """Counts a batch of n questions.

        Args:
            datasets, categories: (n,) names.
            flags: (n,) text, empty for questions whose variance decides.
            kept: (n,) bool. values: (n,) their variances.
        """
        outcomes = {"questions": np.ones(len(kept), bool), "kept": kept, "dropped": ~kept}
        outcomes |= {flag: flags == flag for flag in FLAGS}
        self.total.update({name: int(mask.sum()) for name, mask in outcomes.items()})
        for column, counters in ((datasets, self.datasets), (categories, self.categories)):
            names, codes = _encoded(column)
            for outcome, mask in outcomes.items():
                for name, count in zip(names, np.bincount(codes[mask], minlength=len(names)).tolist(), strict=True):
                    counters.setdefault(name, Counter())[outcome] += count
        names, codes = _encoded(datasets)
        for code, name in enumerate(names):
            self._values.setdefault(name, []).append(values[(codes == code) & (flags == "")])

    def decided(self) -> dict[str, Decided]:
        """Per data set its questions and the variances of those that the threshold decides."""
        return {
            name: Decided(self.datasets[name]["questions"], np.concatenate([np.zeros(0), *parts]))
            for name, parts in self._values.items()
        }

    def summary(self, tau: float) -> dict[str, Any]:
        """Everything as plain values, ready for JSON."""
        values = np.concatenate([np.zeros(0), *(part.values for part in self.decided().values())])
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


def _encoded(column: pa.ChunkedArray) -> tuple[list[str], np.ndarray]:
    """The distinct names of a column and each row's place among them."""
    encoded = pc.dictionary_encode(column.combine_chunks(), null_encoding="encode")
    return encoded.dictionary.to_pylist(), encoded.indices.to_numpy()
