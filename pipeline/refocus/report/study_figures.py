"""A study's pictures: small multiples of accuracy by T', and of training for each comparison."""

from statistics import mean

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from refocus.report import style
from refocus.report.entropy_figure import draw_temporal_entropy
from refocus.report.study import Comparison, Study
from refocus.report.training_figure import PANELS, Panel, draw_curves

NOTE = "synthetic world"
BESIDE = (
    Panel("validation/reward", "margin on held-back videos (dashed: uniform)", "validation/reward_uniform"),
    Panel("reward/group_std", "std of rewards within a group"),
)


def draw_study(study: Study) -> dict[str, Figure]:
    """Every picture there is something for, by name."""
    figures = {}
    if study.runs:
        figures["fig6_temporal_entropy"] = draw_temporal_entropy(study.runs, study.variants, NOTE)
    if any(study.accuracy(f"refocus/{run}", study.frames(v)) is not None for v in study.direct for run in v.runs):
        figures["accuracy"] = _accuracy(study)
    for comparison in study.comparisons:
        if study.rows(comparison):
            figures[comparison.picture] = _training(study, comparison)
    return figures


def _accuracy(study: Study) -> Figure:
    """One set of axes per T': accuracy by number of frames answered with."""
    figure = style.new(3.4 * len(study.direct), 3.4)
    for axes, variant in zip(
        figure.subplots(1, len(study.direct), squeeze=False, sharey=True).flat, study.direct, strict=True
    ):
        for name, colour in (("oracle", style.GREEN), ("uniform", style.GREY)):
            _line(axes, study, [name], name, colour)
        _line(axes, study, [f"refocus/{run}" for run in variant.runs if run in study.runs], "learned", style.BLUE)
        axes.axvline(study.frames(variant), color="black", linestyle=":", linewidth=1)
        axes.set_title(f"trained at T' = {study.frames(variant)}")
        axes.set(xlabel="frames answered with", xscale="log", ylim=(0, 103))
        axes.set_xticks(study.root.answer.n_frames, [str(n) for n in study.root.answer.n_frames])
        axes.minorticks_off()
    figure.axes[0].set_ylabel("accuracy, %")
    figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    figure.suptitle(f"Held-out questions that depend on a moment ({NOTE})")
    return figure


def _line(axes: Axes, study: Study, selectors: list[str], label: str, colour: str) -> None:
    """The mean over selectors by number of frames, and a dot for each where there are several."""
    points: dict[int, list[float]] = {}
    for n in study.root.answer.n_frames:
        found = [value for selector in selectors if (value := study.accuracy(selector, n)) is not None]
        if found:
            points[n] = found
    axes.plot(list(points), [mean(values) for values in points.values()], "o-", color=colour, label=label, markersize=3)
    if len(selectors) > 1:
        dots = [(n, value) for n, values in points.items() for value in values]
        axes.plot([n for n, _ in dots], [value for _, value in dots], ".", color=colour, alpha=0.5)


def _training(study: Study, comparison: Comparison) -> Figure:
    """Both sides over training: the mean of the seeds, shaded from the lowest to the highest."""
    sides = (comparison.base, comparison.variant)
    runs = {run: study.runs[run] for side in sides for run in side.runs if run in study.runs}
    return draw_curves(runs, sides, NOTE, (*PANELS, *BESIDE))
