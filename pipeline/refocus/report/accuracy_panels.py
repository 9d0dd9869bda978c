"""Accuracies with their intervals, drawn: a row per selector, a panel per group of questions, a block per LMM."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from refocus.config.selectors import KINDS
from refocus.evaluate.intervals import Interval
from refocus.evaluate.scoring import Score
from refocus.qa.records import Question
from refocus.report import style
from refocus.report.selector_names import readable

FAMILIES = {"learned": style.BLUE, "without training": style.ORANGE, "controls": style.GREY, "oracle": style.GREEN}
CONTROLS = ("uniform", "random", "uniform-seen", "initial", "swapped")


@dataclass(frozen=True)
class AccuracyPanel:
    """A group of questions; `chance` is what guessing gives, dotted, or None where nothing is to be drawn."""

    name: str
    chance: float | None


@dataclass(frozen=True)
class Bars:
    """A selector's accuracy in every panel; None where it was not run."""

    name: str
    kind: str
    scores: Sequence[Score | Interval | None]


def draw_panels(
    title: str,
    panels: Sequence[AccuracyPanel],
    blocks: Mapping[str, Sequence[Bars]],
    level: float,
    quantity: str = "accuracy, %",
    dotted: str = "guessing",
) -> Figure:
    """One block of rows for each name in `blocks`.

    Args:
        level: of the intervals. quantity: what is drawn. dotted: what the panels' `chance` is.
    """
    rows = max(map(len, blocks.values()))
    figure = style.new(3.2 + 3.0 * len(panels), 0.9 + len(blocks) * (0.6 + 0.27 * rows))
    grid = figure.subplots(len(blocks), len(panels), squeeze=False, sharey="row", sharex=True)
    for (block, bars), axes_row in zip(blocks.items(), grid, strict=True):
        for place, (panel, axes) in enumerate(zip(panels, axes_row, strict=True)):
            axes.set_title(f"{block}: {panel.name}" if len(blocks) > 1 else panel.name)
            _fill(axes, panel, [(row.kind, row.scores[place]) for row in bars])
        axes_row[0].set_yticks(range(len(bars)), readable([row.name for row in bars]))
        axes_row[0].set_ylim(len(bars) - 0.5, -0.5)
    for axes in grid[-1]:
        axes.set(xlim=(0, 112), xticks=[0, 25, 50, 75, 100], xlabel=quantity)
    shown = {family_of(row.kind) for bars in blocks.values() for row in bars}
    handles: list[Artist] = [Patch(color=FAMILIES[name], label=name) for name in FAMILIES if name in shown]
    handles.append(Line2D([], [], color="black", linewidth=1.2, label=f"{100 * level:g} % confidence interval"))
    if any(panel.chance is not None for panel in panels):
        handles.append(Line2D([], [], color="black", linestyle=":", label=dotted))
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))
    figure.suptitle(title)
    return figure


def _fill(axes: Axes, panel: AccuracyPanel, bars: Sequence[tuple[str, Score | Interval | None]]) -> None:
    for place, (kind, score) in enumerate(bars):
        if score is None:
            axes.text(3, place, "not run", va="center", color=style.GREY, fontsize=9)
            continue
        axes.barh(place, 100 * score.value, 0.72, color=FAMILIES[family_of(kind)])
        if score.low is not None and score.high is not None:
            axes.plot([100 * score.low, 100 * score.high], [place, place], color="black", linewidth=1.2)
        axes.text(103, place, f"{100 * score.value:.0f}", va="center", fontsize=9)
    if panel.chance is not None:
        axes.axvline(100 * panel.chance, color="black", linestyle=":", linewidth=1.2)
    axes.grid(axis="y", visible=False)


def family_of(kind: str) -> str:
    """Which of FAMILIES a kind of selector belongs to."""
    if kind == "oracle":
        return "oracle"
    if kind in CONTROLS:
        return "controls"
    return "learned" if kind in KINDS and KINDS[kind].of_run else "without training"


def chance(questions: Sequence[Question]) -> float:
    """Share of right answers that guessing gives."""
    return sum(1 / len(q.options) for q in questions if q.options) / max(1, len(questions))
