"""What another threshold would have kept: pairs per data set over a range of τ, as a table and as text."""

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from refocus.core.files import write_text
from refocus.core.results_folder import SENSITIVITY_CSV, SENSITIVITY_MD
from refocus.filter.summary import PAPER_KEPT, PAPER_OF, Decided, tau_for_share

TAUS = tuple(round(0.05 * step, 2) for step in range(1, 11))
ALL = "all"


@dataclass(frozen=True)
class SensitivityRow:
    """How many of a data set's questions have a variance strictly above `tau`; `share` is of all its questions."""

    dataset: str
    tau: float
    questions: int
    kept: int

    @property
    def share(self) -> float:
        return self.kept / self.questions if self.questions else 0.0


def sensitivity(decided: Mapping[str, Decided], tau: float) -> list[SensitivityRow]:
    """The pairs kept at every τ of `TAUS` and at `tau`, for each data set and for `all` of them.

    Args:
        decided: by data set, its questions and the variances that decide; questions whose variance cannot decide count
            as questions and are kept by no τ.
    """
    rows = []
    for name, part in {**dict(sorted(decided.items())), ALL: everything(decided)}.items():
        ordered = np.sort(part.values)
        for value in sorted({*TAUS, tau}):
            kept = len(ordered) - int(np.searchsorted(ordered, value, side="right"))
            rows.append(SensitivityRow(name, value, part.questions, kept))
    return rows


def everything(decided: Mapping[str, Decided]) -> Decided:
    """All data sets as one."""
    values = np.concatenate([np.zeros(0), *(part.values for part in decided.values())])
    return Decided(sum(part.questions for part in decided.values()), values)


def write_sensitivity(out: Path, decided: Mapping[str, Decided], tau: float) -> None:
    """Writes `sensitivity.csv` (one row per data set and τ) and `sensitivity.md` (one line per τ)."""
    rows = sensitivity(decided, tau)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["dataset", "tau", "questions", "kept", "share"])
    writer.writerows([row.dataset, f"{row.tau:g}", row.questions, row.kept, f"{row.share:.6f}"] for row in rows)
    write_text(SENSITIVITY_CSV.inside(out), text.getvalue())
    write_text(SENSITIVITY_MD.inside(out), "\n".join(_page(rows, decided, tau)))


def _page(rows: list[SensitivityRow], decided: Mapping[str, Decided], tau: float) -> list[str]:
    """The table with one column per data set, and the τ that would have kept the paper's share."""
    share = PAPER_KEPT / PAPER_OF
    parts = {**dict(sorted(decided.items())), ALL: everything(decided)}
    lines = [
        "# Pairs kept by other thresholds",
        "",
        "Questions whose margins have a variance strictly above tau, and their share of all questions of the data set.",
        "",
        "| tau | " + " | ".join(parts) + " |",
        "|---|" + "---:|" * len(parts),
    ]
    for value in sorted({row.tau for row in rows}):
        cells = [f"{row.kept:,} ({row.share:.1%})" for row in rows if row.tau == value]
        mark = f"**{value:g}** (this run)" if value == tau else f"{value:g}"
        lines.append(f"| {mark} | " + " | ".join(cells) + " |")
    found = [tau_for_share(part.values, part.questions, share) for part in parts.values()]
    cells = ["none" if value is None else f"{value:.4f}" for value in found]
    lines.append(f"| tau that keeps {share:.1%} | " + " | ".join(cells) + " |")
    return [
        *lines,
        "",
        f"The paper kept {PAPER_KEPT // 1000}K of {PAPER_OF // 1000}K questions ({share:.1%}) with tau 0.21.",
    ]
