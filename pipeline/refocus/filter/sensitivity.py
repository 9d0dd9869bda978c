"""What another threshold would have kept: pairs per data set over a range of τ, as a table and as text."""

from pathlib import Path

import numpy as np
import pandas as pd

from refocus.core.files import write_text
from refocus.core.results_folder import SENSITIVITY_CSV, SENSITIVITY_MD
from refocus.filter.filter_summary import PAPER_KEPT, PAPER_OF, decided, tau_for_share

TAUS = tuple(round(0.05 * step, 2) for step in range(1, 11))
ALL = "all"


def sensitivity(questions: pd.DataFrame, tau: float) -> pd.DataFrame:
    """The pairs kept at every τ of `TAUS` and at `tau`, for each data set and for `all` of them.

    Args:
        questions: as `summarise` takes them; those whose variance cannot decide count and are kept by no τ.
    Returns:
        A row per data set and τ: dataset, tau, questions, kept, and share, the part of the questions that is kept.
    """
    rows = []
    for name, part in _parts(questions).items():
        ordered = np.sort(decided(part))
        for value in sorted({*TAUS, tau}):
            rows.append((name, value, len(part), len(ordered) - int(np.searchsorted(ordered, value, side="right"))))
    table = pd.DataFrame(rows, columns=["dataset", "tau", "questions", "kept"])
    return table.assign(share=table["kept"] / table["questions"].clip(lower=1))


def write_sensitivity(out: Path, questions: pd.DataFrame, tau: float) -> None:
    """Writes `sensitivity.csv` (one row per data set and τ) and `sensitivity.md` (one line per τ)."""
    table = sensitivity(questions, tau)
    text = table.assign(tau=table["tau"].map("{:g}".format), share=table["share"].map("{:.6f}".format))
    write_text(SENSITIVITY_CSV.inside(out), text.to_csv(index=False, lineterminator="\n"))
    write_text(SENSITIVITY_MD.inside(out), "\n".join(_page(table, questions, tau)))


def _parts(questions: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The questions of every data set, and all of them."""
    return {**{str(name): part for name, part in questions.groupby("dataset")}, ALL: questions}


def _page(table: pd.DataFrame, questions: pd.DataFrame, tau: float) -> list[str]:
    """The table with one column per data set, and the τ that would have kept the paper's share."""
    share = PAPER_KEPT / PAPER_OF
    parts = _parts(questions)
    lines = [
        "# Pairs kept by other thresholds",
        "",
        "Questions whose margins have a variance strictly above tau, and their share of all questions of the data set.",
        "",
        "| tau | " + " | ".join(parts) + " |",
        "|---|" + "---:|" * len(parts),
    ]
    for value, rows in table.groupby("tau"):
        cells = [f"{kept:,} ({part:.1%})" for kept, part in zip(rows["kept"], rows["share"], strict=True)]
        mark = f"**{value:g}** (this run)" if value == tau else f"{value:g}"
        lines.append(f"| {mark} | " + " | ".join(cells) + " |")
    found = [tau_for_share(decided(part), len(part), share) for part in parts.values()]
    cells = ["none" if value is None else f"{value:.4f}" for value in found]
    lines.append(f"| tau that keeps {share:.1%} | " + " | ".join(cells) + " |")
    return [
        *lines,
        "",
        f"The paper kept {PAPER_KEPT // 1000}K of {PAPER_OF // 1000}K questions ({share:.1%}) with tau 0.21.",
    ]
