"""The curves of a run, drawn from metrics.jsonl."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from refocus.core.files import atomic

INK, SOFT, ACCENT, SECOND = "#1f2933", "#c3cbd3", "#0072B2", "#D55E00"  # as in refocus.report.style
WINDOW = 0.05  # of the run, for the running mean


def draw(lines: Sequence[Mapping[str, Any]], folder: Path) -> None:
    """Writes curves.png and curves.svg: reward, entropy, held-back accuracy, groups, gradient, seconds."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    with plt.rc_context({"font.size": 9, "axes.edgecolor": SOFT, "axes.titlesize": 10, "axes.titlelocation": "left"}):
        figure, axes = plt.subplots(2, 3, figsize=(11, 5.6), constrained_layout=True)
        _noisy(axes[0, 0], lines, "reward/mean", "Reward: mean margin of the sampled subsets")
        _noisy(axes[0, 1], lines, "policy/entropy_share", "Policy entropy, % of log|A|", 100)
        axes[0, 1].set_ylim(0, 105)
        _validation(axes[0, 2], lines)
        _noisy(axes[1, 0], lines, "reward/group_std", "Std of rewards within a group")
        _noisy(axes[1, 1], lines, "grad_norm", "Gradient norm before clipping")
        _phases(axes[1, 2], lines)
        for axis in axes.flat:
            axis.set_xlabel("step", color=INK)
            axis.spines[["top", "right"]].set_visible(False)
            axis.grid(axis="y", color=SOFT, linewidth=0.5, alpha=0.6)
            axis.tick_params(colors=INK)
        figure.supxlabel(f"thick: mean over the last {WINDOW:.0%} of the run; thin: every step", color=INK, fontsize=8)
        for kind in ("png", "svg"):
            with atomic(folder / f"curves.{kind}") as draft:
                figure.savefig(draft, format=kind, dpi=150)
        plt.close(figure)


def running_mean(values: np.ndarray, width: int) -> np.ndarray:
    """Mean over the last `width` values, over fewer at the start."""
    sums = np.concatenate([[0.0], np.cumsum(values)])
    ends = np.arange(1, len(values) + 1)
    starts = np.maximum(ends - width, 0)
    return (sums[ends] - sums[starts]) / (ends - starts)


def series(lines: Sequence[Mapping[str, Any]], name: str) -> tuple[np.ndarray, np.ndarray]:
    """Steps and values of one metric."""
    found = [(line["step"], line[name]) for line in lines if line.get(name) is not None]
    return np.array([step for step, _ in found]), np.array([value for _, value in found], dtype=float)


def _noisy(axis: Any, lines: Sequence[Mapping[str, Any]], name: str, title: str, scale: float = 1) -> None:
    steps, values = series(lines, name)
    values = scale * values
    axis.set_title(title, color=INK)
    if len(steps):
        axis.plot(steps, values, color=SOFT, linewidth=0.8)
        axis.plot(steps, running_mean(values, max(1, round(WINDOW * len(values)))), color=ACCENT, linewidth=1.8)


def _validation(axis: Any, lines: Sequence[Mapping[str, Any]]) -> None:
    axis.set_title("Answers right on held-back videos, %", color=INK)
    for name, label, color in (
        ("validation/accuracy", "policy's frames", ACCENT),
        ("validation/accuracy_uniform", "uniform frames", SECOND),
    ):
        steps, values = series(lines, name)
        if len(steps):
            axis.plot(steps, 100 * values, color=color, linewidth=1.8, marker="o", markersize=3, label=label)
    axis.set_ylim(0, 100)
    if axis.lines:
        axis.legend(frameon=False)
    else:
        axis.text(0.5, 0.5, "no validation slice", ha="center", transform=axis.transAxes, color=INK)


def _phases(axis: Any, lines: Sequence[Mapping[str, Any]]) -> None:
    """Seconds per step, stacked by phase."""
    axis.set_title("Seconds per step", color=INK)
    names = ["features", "prefix", "rollout", "reward", "score", "backward", "update"]
    timed = [line for line in lines if "time/step" in line]
    if not timed:
        return
    width = max(1, round(WINDOW * len(timed)))
    stack = [running_mean(np.array([line.get(f"time/{name}", 0.0) for line in timed]), width) for name in names]
    shades = ["#8A8A8A", "#0072B2", "#56B4E9", "#D55E00", "#CC79A7", "#009E73", "#E69F00"]
    axis.stackplot([line["step"] for line in timed], stack, labels=names, colors=shades, linewidth=0)
    axis.set_ylim(0, 1.6 * max(float(np.sum(stack, axis=0).max()), 1e-9))
    axis.legend(frameon=False, fontsize=7, ncols=3, loc="upper left")
