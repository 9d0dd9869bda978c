"""Figure 2: how the margins' variance is distributed, and what the filter keeps."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from matplotlib.figure import Figure

from refocus.core import parquet
from refocus.core.errors import RefocusError
from refocus.core.results_folder import FILTER_SUMMARY, VARIANCE
from refocus.qa.records import read_columns
from refocus.report import style
from refocus.report.results import WORLD_GROUPS

LARGEST = 16 / 15  # unbiased variance of 16 margins, half of them -1 and half +1
COLOURS = {"sequence/": style.VERMILION, "moment/": style.BLUE, "static/": style.ORANGE}


def read_variances(folder: Path, qa: Sequence[Path] = ()) -> tuple[pd.DataFrame, dict]:
    """The questions that have a variance, and the filter's summary.

    Args:
        folder: what `refocus filter` wrote.
        qa: question tables that say the questions' categories.
    Returns:
        A table of qa_id, variance and category ('' where no table has it), and the content of summary.json.
    Raises:
        RefocusError: the folder is not the filter's, or a question table cannot be read.
    """
    try:
        found = parquet.read_table(VARIANCE.inside(folder), columns=["qa_id", "variance"]).to_pandas().dropna()
        summary = json.loads(FILTER_SUMMARY.inside(folder).read_text(encoding="utf-8"))
    except (OSError, ValueError, KeyError) as error:
        raise RefocusError(f"{folder} does not hold the filter's variance.parquet and summary.json: {error}") from None
    nothing = pa.table({"qa_id": pa.array([], pa.string()), "category": pa.array([], pa.string())})
    categories = pa.concat_tables([nothing, *(read_columns(path, nothing.column_names) for path in qa)]).to_pandas()
    joined = found.merge(categories.drop_duplicates("qa_id"), on="qa_id", how="left")
    return joined.fillna({"category": ""}), summary


def draw_variance(variances: pd.DataFrame, summary: Mapping, bins: int = 50) -> Figure:
    """Histogram of Var(m) with tau marked.

    Args:
        variances: a row per question, with its variance and category; where the categories are the synthetic world's,
            questions are told apart by what must be seen to answer them.
    """
    figure = style.new(7.5, 4.2)
    axes = figure.subplots()
    tau, kept, total = summary["tau"], summary["kept"], summary["questions"]
    groups = _groups(variances)
    top = max(LARGEST, *(max(values, default=0) for _, values, _ in groups))
    edges = np.linspace(0, top, bins + 1)
    values = [values for _, values, _ in groups]
    labels = [f"{label} ({len(values):,})" if label else "" for label, values, _ in groups]
    axes.hist(
        values,
        bins=edges.tolist(),
        stacked=True,
        color=[c for *_, c in groups],
        label=labels,
        edgecolor="white",
        linewidth=0.4,
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


def _groups(variances: pd.DataFrame) -> list[tuple[str, list[float], str]]:
    """Label, variances and colour of each group of questions."""
    categories = variances["category"]
    if len(categories) and categories.str.startswith(tuple(WORLD_GROUPS)).all():
        return [
            (name, variances.loc[categories.str.startswith(prefix), "variance"].tolist(), COLOURS[prefix])
            for prefix, name in reversed(WORLD_GROUPS.items())
        ]
    return [("", variances["variance"].tolist(), style.BLUE)]
