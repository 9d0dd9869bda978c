"""What a run shows in the synthetic world: the policy against uniform picks, its controls and the oracle."""

import csv
from collections.abc import Iterator
from pathlib import Path
from statistics import mean

from refocus.config.selectors import kind_of

Scores = dict[str, list[float]]  # kind of selector → accuracy in %, one per training run

ASKED = {"sequence": "questions about two moments", "moment": "questions about one moment"}  # by column of `world.csv`


def headline(table: Path) -> str:
    """A line for each LMM of `world.csv` (accuracy in %, one number of frames) and for questions on two moments and on
    one; empty where nothing can be compared.

    With several training runs, the policy's figure is their mean.
    """
    lines = []
    for column, words in ASKED.items():
        for lmm, frames, scores in _by_lmm(table, column):
            if {"refocus", "uniform"} <= scores.keys():
                lines.append(_line(lmm, frames, words, scores))
    return "\n".join(lines)


def _by_lmm(table: Path, column: str) -> Iterator[tuple[str, str, Scores]]:
    """LMM, number of frames and the scores of a column of `world.csv`."""
    with table.open(encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle))
    for lmm in dict.fromkeys(row["LMM"] for row in rows):
        scores: Scores = {}
        for row in rows:
            if row["LMM"] == lmm and row.get(column):
                scores.setdefault(kind_of(row["selector"]), []).append(float(row[column]))
        yield lmm, rows[0]["frames"], scores


def _closed(scores: Scores) -> float:
    """How much of the distance between uniform and oracle the policy covers, in %."""
    base, best = mean(scores["uniform"]), mean(scores["oracle"])
    return 100 * (mean(scores["refocus"]) - base) / (best - base)


def _line(lmm: str, frames: str, asked: str, scores: Scores) -> str:
    ours, base = mean(scores["refocus"]), mean(scores["uniform"])
    runs = f" (mean of {len(scores['refocus'])} runs)" if len(scores["refocus"]) > 1 else ""
    text = (
        f"Synthetic world, {frames} frames, accuracy of {lmm} on {asked}: {ours:.1f} %{runs} from "
        f"the policy's frames, {base:.1f} % from uniform frames ({ours - base:+.1f} points)"
    )
    if "oracle" not in scores:
        return text + "."
    best = mean(scores["oracle"])
    share = f"; {_closed(scores):.0f} % of the way from uniform to oracle" if best > base else ""
    return f"{text}, {best:.1f} % from the oracle's{share}."
