"""Accuracy of every selector with its interval, group by group."""

from collections.abc import Callable, Sequence

from matplotlib.figure import Figure

from refocus.evaluate.scoring import Outcome, accuracy
from refocus.qa.records import Question
from refocus.report.accuracy_panels import AccuracyPanel, Bars, chance, draw_panels
from refocus.report.results import WORLD_GROUPS, ResultRow, Results


def draw_accuracy(results: Results, frames: int, level: float = 0.95) -> Figure:
    """A panel per group: what a question depends on in the synthetic world, benchmarks elsewhere; a block per LMM."""
    groups = _groups(results)
    rows = [row for row in results.rows if not covered_by_mean(row, results.rows)]
    blocks = {}
    for lmm in results.lmms:
        made = {
            row: [o for name in results.benchmarks for o in results.outcomes(lmm, row, name, frames)] for row in rows
        }
        blocks[lmm] = [
            Bars(
                row.name, row.kind, [accuracy(list(filter(keep, counted)), level=level) for _, keep in groups.values()]
            )
            for row, counted in made.items()
        ]
    panels = [AccuracyPanel(f"{name}\n(n = {len(asked)})", chance(asked)) for name, (asked, _) in groups.items()]
    world = " (synthetic world, held-out videos)" if all(b.is_world for b in results.benchmarks.values()) else ""
    return draw_panels(f"{', '.join(results.lmms)}, {frames} frames{world}", panels, blocks)


def covered_by_mean(row: ResultRow, rows: Sequence[ResultRow]) -> bool:
    """Whether a row's mean over runs is drawn instead of it."""
    return len(row.selectors) == 1 and any(
        len(other.selectors) > 1 and row.selectors[0] in other.selectors for other in rows
    )


def _groups(results: Results) -> dict[str, tuple[list[Question], Callable[[Outcome], bool]]]:
    """Questions of each group of bars and which results belong to it."""
    if all(benchmark.is_world for benchmark in results.benchmarks.values()):
        every = [question for benchmark in results.benchmarks.values() for question in benchmark.questions]
        groups = {
            name: ([q for q in every if q.category.startswith(prefix)], _by_category(prefix))
            for prefix, name in WORLD_GROUPS.items()
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
