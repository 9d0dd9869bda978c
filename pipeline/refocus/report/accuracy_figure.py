"""Accuracy of every selector with its interval, group by group."""

from collections.abc import Callable

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from refocus.evaluate.scoring import Outcome, Score, accuracy
from refocus.qa.records import Question
from refocus.report import style
from refocus.report.results import WORLD_GROUPS, ResultRow, Results

GROUPS = {
    "sequence/": "questions on two moments",
    "moment/": "moment-dependent questions",
    "static/": "static questions",
}


def draw_accuracy(results: Results, frames: int, level: float = 0.95) -> Figure:
    """Bars per selector and group: what a question depends on in the synthetic world, benchmarks elsewhere.

    A dotted line marks what guessing gives.
    """
    groups = _groups(results)
    rows = [row for row in results.rows if not _covered(row, results.rows)]
    colours = _colours(rows)
    figure = style.new(1.6 + 0.62 * len(groups) * (len(rows) + 1), 4.3 * len(results.lmms))
    for lmm, axes in zip(results.lmms, figure.subplots(len(results.lmms), 1, squeeze=False).flat, strict=True):
        for place, (questions, keep) in enumerate(groups.values()):
            left = place * (len(rows) + 1)
            named = place == 0
            chance = sum(1 / len(q.options) for q in questions if q.options) / max(1, len(questions))
            line = {"color": "black", "linestyle": ":", "linewidth": 1.2, "label": "guessing" if named else None}
            axes.hlines(chance, left - 0.5, left + len(rows) - 0.5, **line)
            for number, row in enumerate(rows):
                counted = [
                    o for name in results.benchmarks for o in results.outcomes(lmm, row, name, frames) if keep(o)
                ]
                _bar(axes, left + number, row, colours[row], accuracy(counted, level=level), named)
        centres = [place * (len(rows) + 1) + (len(rows) - 1) / 2 for place in range(len(groups))]
        names = [f"{name}\n(n = {len(questions)})" for name, (questions, _) in groups.items()]
        axes.set_xticks(centres, names)
        axes.tick_params(axis="x", length=0)
        axes.grid(axis="x", visible=False)
        axes.set(ylim=(0, 1.08), yticks=[0, 0.2, 0.4, 0.6, 0.8, 1.0], ylabel="accuracy")
        axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
        world = " (synthetic world, held-out videos)" if all(b.is_world for b in results.benchmarks.values()) else ""
        axes.set_title(f"{lmm}, {frames} frames{world}")
    return figure


def _bar(axes: Axes, x: float, row: ResultRow, colour: str, score: Score | None, named: bool) -> None:
    """One selector's bar with its interval and its value in percent above."""
    if score is None:
        axes.text(x, 0.02, "not run", ha="center", va="bottom", rotation=90, color=style.GREY)
        return
    low = score.value if score.low is None else score.low
    high = score.value if score.high is None else score.high
    axes.bar(
        x,
        score.value,
        0.82,
        color=colour,
        label=row.name if named else None,
        yerr=[[max(0.0, score.value - low)], [max(0.0, high - score.value)]],
        capsize=3,
        error_kw={"linewidth": 1.2},
    )
    axes.text(x, high + 0.015, f"{100 * score.value:.0f}", ha="center", va="bottom", fontsize=9)


def _colours(rows: list[ResultRow]) -> dict[ResultRow, str]:
    """A colour per kind of selector, paler for every further row of the kind."""
    made: dict[ResultRow, str] = {}
    for row in rows:
        place = sum(other.kind == row.kind for other in made)
        made[row] = style.paler(style.KIND_COLOURS.get(row.kind, style.ORANGE), 0.75**place)
    return made


def _covered(row: ResultRow, rows: list[ResultRow]) -> bool:
    """Whether a row's mean over runs is drawn instead of it."""
    return len(row.selectors) == 1 and any(
        len(other.selectors) > 1 and row.selectors[0] in other.selectors for other in rows
    )


def _groups(results: Results) -> dict[str, tuple[list[Question], Callable[[Outcome], bool]]]:
    """Questions of each group of bars and which results belong to it."""
    if all(benchmark.is_world for benchmark in results.benchmarks.values()):
        every = [question for benchmark in results.benchmarks.values() for question in benchmark.questions]
        groups = {
            GROUPS[prefix]: ([q for q in every if q.category.startswith(prefix)], _by_category(prefix))
            for prefix in WORLD_GROUPS
        }
        return {name: group for name, group in groups.items() if group[0]}
    return {
        name: (list(benchmark.questions), _by_id(benchmark.questions)) for name, benchmark in results.benchmarks.items()
    }


def _by_category(prefix: str) -> Callable[[Outcome], bool]:
    return lambda outcome: outcome.category.startswith(prefix)


def _by_id(questions: tuple[Question, ...]) -> Callable[[Outcome], bool]:
    known = {question.qa_id for question in questions}

    def keep(outcome: Outcome) -> bool:
        return outcome.qa_id in known

    return keep
