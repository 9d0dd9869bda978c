"""A study's pictures: all claims with their intervals, accuracy by T', and training where settings differ."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from refocus.report import style
from refocus.report.contrast import Contrast, Side
from refocus.report.entropy_figure import draw_temporal_entropy
from refocus.report.study import Study
from refocus.report.study_claims import claims
from refocus.report.training_figure import PANELS, Panel, draw_curves

NOTE = "synthetic world"
RIGHT = Panel(
    "reward/answered_right", "sampled subsets that are answered right, %", percent=True
)  # the same whatever the reward
COLOURS = {"holds": style.GREEN, "does not hold": style.VERMILION, "open": style.GREY}


def draw_study(study: Study) -> dict[str, Figure]:
    """Every picture there is something for, by name: `claims`, and the sections' own, which begin with their letter."""
    figures = {}
    deciding = [(claim.key, c) for claim in claims(study) for c in claim.contrasts if c.decides and c.difference]
    if deciding:
        figures["claims"] = draw_claims(deciding, study.root.tables.confidence_level)
    rewards = [variant for variant in study.variants if set(study.changes(variant)) <= {"reward"}]
    runs = {run: study.runs[run] for variant in rewards for run in variant.runs if run in study.runs}
    if len(rewards) > 1 and runs:
        figures["d-training"] = draw_curves(runs, rewards, NOTE, (RIGHT, *PANELS[1:]))
    if any(study.score(side) for side in _learned(study).values()):
        figures["e-accuracy"] = _accuracy(study)
    sizes = [v for v in study.variants if set(study.changes(v)) <= {"picks", "curriculum"}]
    runs = {run: study.runs[run] for variant in sizes for run in variant.runs if run in study.runs}
    if len(sizes) > 1 and runs:
        figures["e-temporal_entropy"] = draw_temporal_entropy(runs, sizes, NOTE)
    return figures


def draw_claims(contrasts: list[tuple[str, Contrast]], level: float) -> Figure:
    """One line per comparison that decides: the difference in points with its interval, coloured by what it says."""
    figure = style.new(9.5, 1.2 + 0.34 * len(contrasts))
    axes = figure.subplots()
    for place, (_, contrast) in enumerate(contrasts):
        found, colour = contrast.difference, COLOURS.get(contrast.verdict, style.GREY)
        if found is None:
            continue
        if found.low is not None and found.high is not None:
            axes.plot([100 * found.low, 100 * found.high], [place, place], color=colour, linewidth=2.5)
        axes.plot(100 * found.value, place, "o", color=colour, markersize=6)
        if contrast.least:
            axes.plot([100 * contrast.least] * 2, [place - 0.35, place + 0.35], color="black", linewidth=1.2)
    axes.axvline(0, color="black", linewidth=1)
    axes.set_yticks(range(len(contrasts)), [f"({key}) {contrast.what}".replace("`", "") for key, contrast in contrasts])
    axes.set(ylim=(len(contrasts) - 0.5, -0.5), xlabel="difference, points (black tick: what may be lost)")
    axes.grid(axis="y", visible=False)
    for word, colour in COLOURS.items():
        axes.plot([], [], "o-", color=colour, label=word)
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=len(COLOURS))
    figure.suptitle(f"The claims, with {100 * level:g} % intervals over videos ({NOTE})")
    return figure


def _learned(study: Study) -> dict[int, Side]:
    return {n: study.of(variant, f"T' = {n}") for n, variant in study.direct.items()}


def _accuracy(study: Study) -> Figure:
    """One set of axes per T': accuracy by number of frames answered with."""
    sides = _learned(study)
    figure = style.new(max(5.0, 3.4 * len(sides)), 3.4)
    for axes, (picks, learned) in zip(
        figure.subplots(1, len(sides), squeeze=False, sharey=True).flat, sides.items(), strict=True
    ):
        for name, colour in (("oracle", style.GREEN), ("uniform", style.GREY)):
            _line(axes, study, study.by(name), name, colour)
        _line(axes, study, learned, "learned", style.BLUE)
        axes.axvline(picks, color="black", linestyle=":", linewidth=1)
        axes.set_title(f"trained at T' = {picks}")
        axes.set(xlabel="frames answered with", xscale="log", ylim=(0, 103))
        axes.set_xticks(study.root.answer.n_frames, [str(n) for n in study.root.answer.n_frames])
        axes.minorticks_off()
    figure.axes[0].set_ylabel("accuracy, %")
    figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    figure.suptitle(f"Held-out questions about one or two moments ({NOTE})")
    return figure


def _line(axes: Axes, study: Study, side: Side, label: str, colour: str) -> None:
    """The mean over a side's runs by number of frames, and a dot for each where there are several."""
    points = {}
    for n in study.root.answer.n_frames:
        asked = Side(side.name, side.selectors, side.lmm, n)
        score = study.score(asked)
        if score is not None:
            points[n] = (100 * score.value, [100 * value for value in study.seeds(asked)])
    axes.plot(list(points), [value for value, _ in points.values()], "o-", color=colour, label=label, markersize=3)
    if len(side.selectors) > 1:
        dots = [(n, value) for n, (_, values) in points.items() for value in values]
        axes.plot([n for n, _ in dots], [value for _, value in dots], ".", color=colour, alpha=0.5)
