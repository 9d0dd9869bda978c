"""Figure 2: how the margins' variance is distributed, and what the filter keeps."""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from matplotlib.figure import Figure

from refocus.core.errors import RefocusError
from refocus.core.results_folder import FILTER_SUMMARY, VARIANCE
from refocus.report import style

LARGEST = 16 / 15  # unbiased variance of 16 margins, half of them -1 and half +1


def read_variances(folder: Path) -> tuple[dict[str, float], dict]:
    """Variance by qa_id (questions that have one) and the filter's summary.

    Raises:
        RefocusError: the folder is not the filter's.
    """
    try:
        table = pq.read_table(VARIANCE.inside(folder), columns=["qa_id", "variance"])
        summary = json.loads(FILTER_SUMMARY.inside(folder).read_text(encoding="utf-8"))
    except (OSError, ValueError, KeyError) as error:
        raise RefocusError(f"{folder} does not hold the filter's variance.parquet and summary.json: {error}") from None
    values = zip(table["qa_id"].to_pylist(), table["variance"].to_pylist(), strict=True)
    return {qa_id: value for qa_id, value in values if value is not None}, summary


def draw_variance(
    variances: Mapping[str, float], summary: Mapping, categories: Mapping[str, str] | None = None, bins: int = 50
) -> Figure:
    """Histogram of Var(m) with tau marked.

    Args:
        categories: category by qa_id; where they are the synthetic world's, moment-dependent and static questions are
            told apart.
    """
    figure = style.new(7.5, 4.2)
    axes = figure.subplots()
    tau, kept, total = summary["tau"], summary["kept"], summary["questions"]
    groups = _groups(variances, categories or {})
    top = max(LARGEST, *(max(values, default=0) for _, values, _ in groups))
    edges = np.linspace(0, top, bins + 1)
    values = [values for _, values, _ in groups]
    labels = [f"{label} ({len(values):,})" if label else None for label, values, _ in groups]
    axes.hist(
        values, bins=edges, stacked=True, color=[c for *_, c in groups], label=labels, edgecolor="white", linewidth=0.4
    )
    axes.axvline(tau, color="black", linestyle="--", linewidth=1.4)
    share = kept / total if total else 0.0
    text = f"τ = {tau:g}\nkept {kept:,} of {total:,}\n({share:.1%}) →"
    axes.annotate(
        text, (tau, 0.97), xycoords=("data", "axes fraction"), xytext=(6, 0), textcoords="offset points", va="top"
    )
    axes.set(xlabel="reward variance Var(m) over the 16 frame subsets", ylabel="questions", xlim=(0, top))
    world = len(groups) > 1
    axes.set_title("Reward variance of the question pool" + (" (synthetic world)" if world else ""))
    if world:
        axes.legend(loc="upper right")
    return figure


def _groups(variances: Mapping[str, float], categories: Mapping[str, str]) -> list[tuple[str, list[float], str]]:
    known = [categories.get(qa_id, "") for qa_id in variances]
    if known and all(category.startswith(("moment/", "static/")) for category in known):
        return [
            (label, [v for v, c in zip(variances.values(), known, strict=True) if c.startswith(prefix)], colour)
            for label, prefix, colour in (
                ("static", "static/", style.ORANGE),
                ("moment-dependent", "moment/", style.BLUE),
            )
        ]
    return [("", list(variances.values()), style.BLUE)]
