"""Evidence recall of every selector, drawn as the accuracies are."""

from matplotlib.figure import Figure

from refocus.report import style
from refocus.report.accuracy_figure import covered_by_mean
from refocus.report.accuracy_panels import AccuracyPanel, Bars, draw_panels
from refocus.report.recall_set import RecallSet

TITLES = {"recall": "moments found", "coverage": "all moments found"}


def draw_recall(data: RecallSet, frames: int) -> Figure:
    """Recall at so many picks, a panel per group, and coverage beside it where questions need several moments."""
    groups = [group for group in data.groups if group.sought]
    shown = [
        (group, measure)
        for group in groups
        for measure in TITLES
        if measure == "recall" or any(len(one.spans_s) > 1 for one in group.sought)
    ]
    if not shown:
        figure = style.new(7, 1.5)
        style.say(figure, "nothing says when the answers can be seen")
        return figure
    panels = [
        AccuracyPanel(
            f"{group.name}: {TITLES[measure]}\n(n = {len(group.sought)})",
            sum(one.by_chance(frames) for one in group.sought) / len(group.sought) if measure == "recall" else None,
        )
        for group, measure in shown
    ]
    rows = [row for row in data.rows if not covered_by_mean(row, data.rows)]
    bars = [Bars(row.name, row.kind, [data.score(m, group, row, frames) for group, m in shown]) for row in rows]
    world = " (synthetic world)" if data.is_world else ""
    title = f"Evidence recall at {frames} picks{world}; no LMM is asked"
    return draw_panels(title, panels, {"": bars}, data.level, "found, %", "frames drawn without looking, expected")
