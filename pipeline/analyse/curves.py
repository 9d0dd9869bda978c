"""Training at a glance: reward, policy entropy, temporal entropy (Fig. 6) and answer accuracy of every run."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from pipeline.analyse import style
from pipeline.errors import RefocusError


@dataclass(frozen=True)
class Panel:
    """One quantity over training steps, with a second one drawn dashed for comparison."""

    key: str
    title: str
    beside: str | None = None
    beside_label: str = ""


PANELS = (
    Panel("reward/mean", "mean margin of the sampled subsets (Eq. 5)"),
    Panel("policy/entropy_share", "policy entropy / log |A|"),
    Panel("select/temporal_entropy", "temporal entropy of the picks, nats (Fig. 6)"),
    Panel("validation/accuracy", "answer accuracy on held-back videos", "validation/accuracy_uniform", "uniform"),
)


def read_metrics(path: Path) -> list[dict]:
    """The lines of metrics.jsonl.

    Raises:
        RefocusError: it is missing or a line is not JSON.
    """
    try:
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, ValueError) as error:
        raise RefocusError(f"{path} is not a file of metrics: {error}") from None


def draw_curves(runs: Mapping[str, Sequence[dict]], note: str = "") -> Figure:
    """One panel per quantity, one colour per run; noisy series also get a running mean."""
    figure = style.new(10, 6)
    for panel, axes in zip(PANELS, figure.subplots(2, 2).flat, strict=True):
        for (name, lines), colour in zip(runs.items(), _colours(len(runs)), strict=True):
            steps, values = _series(lines, panel.key)
            noisy = len(values) > 40
            if noisy:
                axes.plot(steps, values, color=colour, alpha=0.3)
                axes.plot(steps, _smooth(values), color=colour, linewidth=2, label=name)
            else:
                axes.plot(steps, values, "o-", color=colour, markersize=3, label=name)
            if panel.beside:
                steps, values = _series(lines, panel.beside)
                axes.plot(steps, values, color=colour, linestyle="--", alpha=0.8, label=f"{name}: {panel.beside_label}")
        axes.set_title(panel.title)
        axes.set_xlabel("training step")
        if any(len(_series(lines, panel.key)[0]) for lines in runs.values()):
            axes.legend(loc="best", fontsize=9)
        else:
            axes.text(0.5, 0.5, "not recorded", transform=axes.transAxes, ha="center", color=style.GREY)
    figure.suptitle("Training" + (f" ({note})" if note else ""))
    return figure


def _series(lines: Sequence[dict], key: str) -> tuple[list[int], list[float]]:
    points = [(line["step"], line[key]) for line in lines if isinstance(line.get(key), (int, float)) and "step" in line]
    return [step for step, _ in points], [value for _, value in points]


def _smooth(values: Sequence[float]) -> np.ndarray:
    """Running mean over a tenth of the series, cut off at both ends."""
    width = max(3, len(values) // 20)
    sums = np.concatenate([[0.0], np.cumsum(values)])
    places = np.arange(len(values))
    low, high = np.maximum(places - width, 0), np.minimum(places + width + 1, len(values))
    return (sums[high] - sums[low]) / (high - low)


def _colours(count: int) -> list[str]:
    return [style.SERIES[index % len(style.SERIES)] for index in range(count)]
