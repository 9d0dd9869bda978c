"""What a run shows in the synthetic world: the policy against uniform picks, its controls and the oracle."""

import csv
from collections.abc import Iterator
from pathlib import Path
from statistics import mean

from refocus.config.selectors import kind_of

Scores = dict[str, list[float]]  # kind of selector → accuracy in %, one per training run


def headline(table: Path) -> str:
    """A line for each LMM of `world.csv` (accuracy in %, one number of frames); empty where nothing can be compared.

    With several training runs, the policy's figure is their mean.
    """
    lines = []
    for lmm, frames, scores in _by_lmm(table, "moment"):
        if {"refocus", "uniform"} <= scores.keys():
            lines.append(_line(lmm, frames, scores))
    return "\n".join(lines)


def claims(table: Path) -> str:
    """What the demo and `make evidence` are to show, with what was measured, as a Markdown table per LMM.

    All are means over the training runs, at one number of frames; a comparison the run has no selector for is left out.
    """
    static = {lmm: scores for lmm, _, scores in _by_lmm(table, "static")}
    parts = []
    for lmm, _, scores in _by_lmm(table, "moment"):
        if "refocus" not in scores:
            continue
        ours = mean(scores["refocus"])
        rows = [
            (f"{claim}, points", ours - mean(scores[kind]), least)
            for claim, kind, least in (
                ("beats uniform sampling", "uniform", 25),
                ("beats the policy before RL", "initial", 10),
                ("beats its own picks for another question of the video", "swapped", 10),
            )
            if kind in scores
        ]
        if {"uniform", "oracle"} <= scores.keys() and mean(scores["oracle"]) > mean(scores["uniform"]):
            rows.insert(1, ("share of the way from uniform to the oracle, %", _closed(scores), 75))
        others = static.get(lmm, {})
        if {"refocus", "uniform"} <= others.keys():
            change = mean(others["refocus"]) - mean(others["uniform"])
            rows.append(("loses nothing on questions any frame answers, points", change, 0))
        lines = [f"| {lmm}: the learned policy | measured | at least | |", "|---|---:|---:|---|"]
        lines += [
            f"| {claim} | {value:+.1f} | {least} | {'holds' if value >= least else '**does not hold**'} |"
            for claim, value, least in rows
        ]
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


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


def _line(lmm: str, frames: str, scores: Scores) -> str:
    ours, base = mean(scores["refocus"]), mean(scores["uniform"])
    runs = f" (mean of {len(scores['refocus'])} runs)" if len(scores["refocus"]) > 1 else ""
    text = (
        f"Synthetic world, {frames} frames, accuracy of {lmm} on questions about one moment: {ours:.1f} %{runs} from "
        f"the policy's frames, {base:.1f} % from uniform frames ({ours - base:+.1f} points)"
    )
    if "oracle" not in scores:
        return text + "."
    best = mean(scores["oracle"])
    share = f"; {_closed(scores):.0f} % of the way from uniform to oracle" if best > base else ""
    return f"{text}, {best:.1f} % from the oracle's{share}."
