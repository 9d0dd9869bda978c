"""One line on what a run shows: the learned policy beside uniform sampling and the oracle, in the synthetic world."""

import csv
from pathlib import Path
from statistics import mean


def verdict(table: Path) -> str:
    """A line for each LMM of `world.csv` (accuracy in %, one number of frames); empty where nothing can be compared.

    With several training runs, the policy's figure is their mean.
    """
    with table.open(encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle))
    lines = []
    for lmm in dict.fromkeys(row["LMM"] for row in rows):
        scores: dict[str, list[float]] = {}
        for row in rows:
            if row["LMM"] == lmm and row["moment"]:
                scores.setdefault(row["selector"].split("/")[0], []).append(float(row["moment"]))
        if {"refocus", "uniform"} <= scores.keys():
            lines.append(_line(lmm, rows[0]["frames"], scores))
    return "\n".join(lines)


def _line(lmm: str, frames: str, scores: dict[str, list[float]]) -> str:
    ours, base = mean(scores["refocus"]), mean(scores["uniform"])
    runs = f" (mean of {len(scores['refocus'])} runs)" if len(scores["refocus"]) > 1 else ""
    text = (
        f"Synthetic world, {frames} frames, moment-dependent questions: with frames picked by the learned policy {lmm} "
        f"answers {ours:.1f} %{runs}, with uniform ones {base:.1f} % ({ours - base:+.1f} points)"
    )
    if "oracle" not in scores:
        return text + "."
    best = mean(scores["oracle"])
    share = f"; {100 * (ours - base) / (best - base):.0f} % of the way from uniform to oracle" if best > base else ""
    return f"{text}, with the oracle's {best:.1f} %{share}."
