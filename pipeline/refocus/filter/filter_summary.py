"""What the filter did, in numbers: kept and dropped per data set and category, the histogram, the paper's share."""

from typing import Any

import numpy as np
import pandas as pd

PAPER_KEPT, PAPER_OF = 98_000, 962_000
BIN = 0.01
TOP = 1.15  # margins lie in [−1, 1]: at least 8 of them have an unbiased variance of at most 8/7
FLAGS = ("duplicate", "leaked", "too_short", "no_reward", "not_finite")


def summarise(questions: pd.DataFrame, tau: float) -> dict[str, Any]:
    """Everything as plain values, ready for JSON.

    Args:
        questions: a row for each: dataset, category, flag (empty where the variance decides), kept, variance.
    """
    values = decided(questions)
    edges = np.round(np.arange(0, TOP + BIN / 2, BIN), 2)
    counts, _ = np.histogram(values, edges)
    outcomes = pd.DataFrame({"kept": questions["kept"], "dropped": ~questions["kept"]}).assign(
        questions=True, **{flag: questions["flag"] == flag for flag in FLAGS}
    )
    return {
        **_counts(outcomes.sum()),
        "tau": tau,
        "datasets": _counts_by(questions["dataset"], outcomes),
        "categories": _counts_by(questions["category"], outcomes),
        "histogram": {"edges": edges.tolist(), "counts": counts.tolist()},
        "paper": {
            "kept": PAPER_KEPT,
            "questions": PAPER_OF,
            "share": PAPER_KEPT / PAPER_OF,
            "tau_for_share": tau_for_share(values, len(questions), PAPER_KEPT / PAPER_OF),
        },
    }


def as_text(summary: dict[str, Any]) -> str:
    """Kept and dropped per data set and category, as the lines that `refocus filter` prints."""
    lines = []
    for title in ("datasets", "categories"):
        lines.append(f"{title:<32}{'questions':>11}{'kept':>9}{'share':>8}")
        for name, row in summary[title].items():
            lines.append(f"  {name or '(none)':<30}{row['questions']:>11}{row['kept']:>9}{row['kept_share']:>8.1%}")
    flags = ", ".join(f"{flag} {summary[flag]}" for flag in FLAGS if summary[flag])
    paper = summary["paper"]
    tau = "no tau" if paper["tau_for_share"] is None else f"tau {paper['tau_for_share']:.4f}"
    lines.append(
        f"kept {summary['kept']} of {summary['questions']} ({summary['kept_share']:.1%}) with a variance above "
        f"{summary['tau']:g}" + (f"; dropped without a look at it: {flags}" if flags else "")
    )
    if summary["skipped"]:
        reasons = ", ".join(f"{reason} {count}" for reason, count in summary["skipped"].items())
        lines.append(f"the reward pass could not use: {reasons}")
    lines.append(f"the paper kept 98K of 962K ({paper['share']:.1%}); here {tau} would keep that share")
    return "\n".join(lines) + "\n"


def decided(questions: pd.DataFrame) -> np.ndarray:
    """The variances that the threshold decides."""
    return questions.loc[questions["flag"] == "", "variance"].to_numpy()


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


def _counts_by(names: pd.Series, outcomes: pd.DataFrame) -> dict[str, dict[str, Any]]:
    return {str(name): _counts(row) for name, row in outcomes.groupby(names).sum().iterrows()}


def _counts(row: pd.Series) -> dict[str, Any]:
    questions, kept = int(row["questions"]), int(row["kept"])
    return {
        "questions": questions,
        "kept": kept,
        "dropped": int(row["dropped"]),
        "kept_share": kept / questions if questions else 0.0,
        **{flag: int(row[flag]) for flag in FLAGS},
    }
