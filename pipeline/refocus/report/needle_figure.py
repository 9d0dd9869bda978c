"""Figure 5: V-NIAH maps, needle depth by length of the video, one per selector."""

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from refocus.report import style
from refocus.report.accuracy_panels import family_of
from refocus.report.needle_maps import Grid, found, shown_rows
from refocus.report.recall_set import RecallSet
from refocus.report.selector_names import readable

DARK = 0.55  # share found above which the cell is light and its figure black


def draw_needles(data: RecallSet, cells: Grid, frames: int) -> Figure:
    """Uniform, the best selector without training and ours: each cell the share of needles that were found, in %."""
    rows = shown_rows(data, cells, frames)
    figure = style.new(1.2 + max(3.4, 0.75 * len(cells.lengths)) * max(1, len(rows)), 1.9 + 0.36 * cells.depths)
    if not rows:
        style.say(figure, "nothing was picked in the haystacks")
        return figure
    every = figure.subplots(1, len(rows), sharey=True, squeeze=False)[0]
    for axes, row, name in zip(every, rows, readable([row.name for row in rows]), strict=True):
        _map(axes, found(data, cells, row, frames))
        score = data.score("recall", cells.whole, row, frames)
        share = f": {100 * score.value:.0f} % found" if score else ""
        best = "best without training, " if family_of(row.kind) == "without training" else ""
        axes.set_title(f"{best}{name}{share}")
        axes.set_xticks(range(len(cells.lengths)), [str(length) for length in cells.lengths])
        axes.set_xlabel("frames of the video")
    edges = [100 * depth / cells.depths for depth in range(cells.depths + 1)]
    every[0].set_yticks(np.arange(cells.depths + 1) - 0.5, [f"{edge:g}" for edge in edges])
    every[0].set_ylabel("depth of the needle, % of the video")
    expected = [100 * np.mean([one.by_uniform(frames) for one in column.sought]) for column in cells.columns]
    by_length = ", ".join(f"{share:.1f} % at {n}" for share, n in zip(expected, cells.lengths, strict=True))
    whole = 100 * np.mean([one.by_uniform(frames) for one in cells.whole.sought])
    world = " (synthetic world)" if data.is_world else ""
    figure.suptitle(
        f"V-NIAH (Fig. 5): needles shown by one of {frames} picks, % of {len(cells.whole.sought)}{world}\n"
        f"evenly spaced frames, by arithmetic: {by_length} frames, {whole:.1f} % in all",
        fontsize=10,
    )
    return figure


def _map(axes: Axes, shares: np.ndarray) -> None:
    axes.imshow(np.ma.masked_invalid(shares), cmap=matplotlib.colormaps["cividis"], vmin=0, vmax=1, aspect="auto")
    for (depth, column), share in np.ndenumerate(shares):
        if not np.isnan(share):
            ink = "black" if share > DARK else "white"
            axes.text(column, depth, f"{100 * share:.0f}", ha="center", va="center", fontsize=9, color=ink)
    axes.grid(False)
