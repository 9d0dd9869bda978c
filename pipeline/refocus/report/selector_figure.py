"""What selector reaches what, drawn: a row per selector, a panel per group of questions."""

from matplotlib.artist import Artist
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from refocus.config.selectors import KINDS, kind_of
from refocus.report import style
from refocus.report.contrast import Side
from refocus.report.selector_table import sides
from refocus.report.study import QuestionSet, Study

FAMILIES = {"learned": style.BLUE, "without training": style.ORANGE, "controls": style.GREY, "oracle": style.GREEN}
CONTROLS = ("uniform", "random", "uniform-seen", "initial", "swapped")


def draw_selectors(study: Study) -> Figure | None:
    """Accuracy with its interval over videos; dotted: what guessing gives. None where nothing was answered."""
    rows = [side for side in sides(study) if study.score(side) is not None]
    if not rows:
        return None
    figure = style.new(3.2 + 3.0 * len(study.groups), 1.5 + 0.27 * len(rows))
    panels = figure.subplots(1, len(study.groups), squeeze=False, sharey=True).flat
    for axes, group in zip(panels, study.groups, strict=True):
        for place, side in enumerate(rows):
            score = study.score(side, group)
            if score is None:
                continue
            axes.barh(place, 100 * score.value, 0.72, color=FAMILIES[_family(side)])
            if score.low is not None and score.high is not None:
                axes.plot([100 * score.low, 100 * score.high], [place, place], color="black", linewidth=1.2)
            axes.text(103, place, f"{100 * score.value:.0f}", va="center", fontsize=9)
        axes.axvline(100 * _chance(study, group), color="black", linestyle=":", linewidth=1.2)
        axes.set(xlim=(0, 112), xticks=[0, 25, 50, 75, 100], xlabel="accuracy, %", title=group.name)
        axes.grid(axis="y", visible=False)
    names = [side.name.strip("`").replace("**", "") for side in rows]
    figure.axes[0].set_yticks(range(len(rows)), names)
    figure.axes[0].set_ylim(len(rows) - 0.5, -0.5)
    handles: list[Artist] = [Patch(color=colour, label=name) for name, colour in FAMILIES.items()]
    handles.append(Line2D([], [], color="black", linestyle=":", label="guessing"))
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))
    figure.suptitle(f"{study.root.main_n_frames} frames, by what must be seen to answer (synthetic world)")
    return figure


def _family(side: Side) -> str:
    kind = kind_of(side.selectors[0])
    if kind == "oracle" or kind in CONTROLS:
        return "oracle" if kind == "oracle" else "controls"
    return "learned" if KINDS[kind].of_run else "without training"


def _chance(study: Study, group: QuestionSet) -> float:
    """Share of right answers that guessing gives on a group."""
    counted = {o.qa_id for run in study.outcomes(study.by("uniform"), group.keep) for o in run}
    asked = [q for b in study.results.benchmarks.values() for q in b.questions if q.qa_id in counted and q.options]
    return sum(1 / len(question.options) for question in asked) / max(1, len(asked))
