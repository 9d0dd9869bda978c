"""Figure 4: accuracy from over-k % and under-k % of the frames by likelihood, relative to that from all frames."""

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from refocus.evaluate.intervals import Interval
from refocus.evaluate.scoring import Score
from refocus.report import style
from refocus.report.bins import BinGroup
from refocus.report.table_files import Cell, Table
from refocus.select.likelihood_bins import ALL, Bin

RING: dict[str, Any] = {"markersize": 10, "markerfacecolor": "none", "color": "black"}
LINES: dict[str, tuple[Any, str]] = {"over": ("--", style.BLUE), "under": ("-", style.VERMILION)}


def draw_bins(groups: Sequence[BinGroup], samples: int, frames: int, note: str = "") -> Figure:
    """A panel per group: the ratio to the baseline in %, with what the evidence in view alone would give as rings."""
    figure = style.new(1.0 + 3.4 * max(1, len(groups)), 4.3)
    if not groups:
        style.say(figure, "nothing was answered")
        return figure
    lmms = {group.lmm for group in groups}
    every = figure.subplots(1, len(groups), squeeze=False, sharey=True)[0]
    for axes, group in zip(every, groups, strict=True):
        _panel(axes, group)
        n = len(next(iter(group.answered[Bin(ALL)].values())))
        where = f"{group.lmm}: {group.name}" if len(lmms) > 1 else group.name
        axes.set_title(f"{where} (n = {n})\nall frames: {100 * group.value(Bin(ALL)):.0f} % right")
        axes.set_xlabel("k, % of the frames")
    every[0].set_ylim(bottom=0)
    every[0].set_ylabel("accuracy, % of that from all frames")
    handles = [
        Line2D([], [], color=colour, linestyle=line, marker="o", label=f"{side}-k %: {words}")
        for (side, (line, colour)), words in zip(
            LINES.items(), ("without the k % unlikeliest", "only the k % unlikeliest"), strict=True
        )
    ]
    handles.append(Line2D([], [], color="black", linestyle=":", label="evenly spaced over all frames"))
    if any(group.by_evidence for group in groups):
        label = "if only the evidence in view mattered"
        handles.append(Line2D([], [], marker="o", linestyle="none", label=label, **RING))
    figure.legend(handles=handles, loc="outside lower center", ncols=2)
    world = f" ({note})" if note else ""
    figure.suptitle(f"Fig. 4: {frames} frames by likelihood, {samples} samples per question{world}")
    return figure


def _panel(axes: Axes, group: BinGroup) -> None:
    base = group.value(Bin(ALL))
    axes.axhline(100, color="black", linestyle=":", linewidth=1.2)
    for side, (line, colour) in LINES.items():
        shown = [Bin(side, percent) for percent in group.percents]
        values = [100 * group.value(one) / base if base else float("nan") for one in shown]
        axes.plot(group.percents, values, line, marker="o", color=colour, linewidth=2)
        expected = [group.predicted(one) for one in shown]
        rings = [(k, 100 * value / base) for k, value in zip(group.percents, expected, strict=True) if value and base]
        axes.plot([k for k, _ in rings], [value for _, value in rings], "o", **RING)
    axes.set_xlim(0, 100)
    axes.set_xticks(range(0, 101, 20))


def bins_table(groups: Sequence[BinGroup], note: str = "") -> Table:
    """What the figure is drawn from, and which readings of its symmetry hold."""
    body, everything = [], Bin(ALL)
    for group in groups:
        for one in [everything, *(Bin(side, percent) for side in LINES for percent in group.percents)]:
            gain = Cell(why="–") if one == everything else _cell(group.difference(one, everything))
            n = sum(map(len, group.shown[one].values()))
            shares = [_share(share, n) for share in (group.coverage(one), group.predicted(one))]
            cells = (_cell(group.score(one)), gain, *shares)
            name = "all frames" if one == everything else f"{one.side}-{one.percent} %"
            body.append(((group.lmm, group.name, name), cells))
    notes = [
        "over-k %: evenly spaced over all frames but the k % unlikeliest; under-k %: over the k % unlikeliest",
        "against all frames: points, paired by question; in brackets: " + _level(groups) + "interval over videos",
        "evidence in view: questions all of whose evidence is among the frames shown; by evidence alone: the accuracy "
        "if it depended on nothing else (from its means over all rows with and without all evidence in view)",
    ]
    for group in groups:
        words = "; ".join(f"{claim}: {answer}" for claim, answer in group.checks().items())
        notes.append(f"{group.lmm}, {group.name}: {words}")
    columns = (
        ("accuracy", "accuracy, %"),
        ("against_all", "against all frames"),
        ("coverage", "evidence in view, %"),
        ("predicted", "by evidence alone, %"),
    )
    title = "Fig. 4: accuracy by the frames' likelihood" + (f" ({note})" if note else "")
    return Table(title, ("LMM", "questions", "frames from"), columns, tuple(body), tuple(notes))


def _level(groups: Sequence[BinGroup]) -> str:
    return f"{groups[0].level:.0%} " if groups else ""


def _cell(found: Interval | None) -> Cell:
    if found is None:
        return Cell()
    return Cell(Score(found.value, found.low, found.high, found.questions), interval=found.low != found.high)


def _share(share: float | None, n: int) -> Cell:
    return Cell(why="–") if share is None else Cell(Score(share, None, None, n))
