"""Accuracy of every selector with its interval, group by group."""

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure

from refocus.evaluate.scoring import accuracy
from refocus.qa.records import Question
from refocus.report.accuracy_panels import AccuracyPanel, Bars, chance, draw_panels
from refocus.report.harness import world_mark
from refocus.report.results import WORLD_GROUPS, Pooled, ResultRow, Results


def draw_accuracy(results: Results, frames: int, level: float = 0.95) -> Figure:
    """A panel per group: what a question depends on in the synthetic world, benchmarks elsewhere; a block per LMM."""
    groups = _groups(results)
    rows = [row for row in results.rows if not covered_by_mean(row, results.rows)]
    blocks: dict[str, list[Bars]] = {}
    lost = [0] * len(groups)  # the most of any row, of each group
    for lmm in results.lmms:
        blocks[lmm] = []
        for row in rows:
            made = [group.results(results, lmm, row, frames) for group in groups]
            lost = [max(gone, len(part.lost)) for gone, part in zip(lost, made, strict=True)]
            scores = [accuracy(part.counted, level=level) for part in made]
            blocks[lmm].append(Bars(row.name, row.kind, scores))
    panels = [
        AccuracyPanel(f"{group.name}\n(n = {len(group.asked)}{_but(gone)})", chance(group.asked))
        for group, gone in zip(groups, lost, strict=True)
    ]
    return draw_panels(f"{', '.join(results.lmms)}, {frames} frames{world_mark(results)}", panels, blocks, level)


def _but(lost: int) -> str:
    return f", of which up to {lost} without video are not counted" if lost else ""


def covered_by_mean(row: ResultRow, rows: Sequence[ResultRow]) -> bool:
    """Whether a row's mean over runs is drawn instead of it."""
    return len(row.selectors) == 1 and any(
        len(other.selectors) > 1 and row.selectors[0] in other.selectors for other in rows
    )


@dataclass(frozen=True)
class _Group:
    """Questions with bars of their own: those of some benchmarks whose category begins like this."""

    name: str
    asked: Sequence[Question]
    benchmarks: Sequence[str]
    prefix: str = ""

    def results(self, results: Results, lmm: str, row: ResultRow, frames: int) -> Pooled:
        """A row's results; nothing where it was not run on all of them."""
        pooled = results.pooled(lmm, row, self.benchmarks, frames)
        return pooled.of(lambda outcome: outcome.category.startswith(self.prefix))


def _groups(results: Results) -> list[_Group]:
    """By what must be seen where all benchmarks are of the synthetic world, else a group per benchmark."""
    benchmarks = results.benchmarks
    if not all(benchmark.is_world for benchmark in benchmarks.values()):
        return [_Group(name, benchmark.questions, [name]) for name, benchmark in benchmarks.items()]
    every = [question for benchmark in benchmarks.values() for question in benchmark.questions]
    groups = [
        _Group(name, [q for q in every if q.category.startswith(prefix)], list(benchmarks), prefix)
        for prefix, name in WORLD_GROUPS.items()
    ]
    return [group for group in groups if group.asked]
