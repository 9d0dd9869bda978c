"""Table 3 of the paper: how far apart the selection distributions of different questions lie."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from refocus.config.selectors import kind_of
from refocus.config.tables import TablesSettings
from refocus.core.errors import UsageError
from refocus.evaluate.distances import POSITIONS, Distances, Metric, mean_distances, on_grid
from refocus.qa.records import Question
from refocus.report.columns import Column, columns_of
from refocus.report.harness import intervals, world_mark
from refocus.report.published import Published, published_distance
from refocus.report.results import BenchmarkData, Results
from refocus.report.table_files import Cell, Table
from refocus.select.marginals import read_marginals

METRICS: dict[Metric, str] = {
    "js": "Jensen-Shannon divergence, nats",
    "kl": "symmetric KL divergence, nats",
    "wasserstein": f"Wasserstein distance, frames of {POSITIONS}",
}
NOTES = (
    "distributions of Eq. 10, on a common grid of 512 parts of the video; symmetric KL: mean of both directions",
    "different videos: pairs of questions about different videos of a group, as in the paper; n: number of pairs",
    "a selector that ignores question and video is at 0; Jensen-Shannon is at most 0.69",
    "in square brackets: {level:.0%} interval (bootstrap over videos)",
)


def table3(results: Results, marginals: Iterable[Path], settings: TablesSettings) -> Table | None:
    """Policy x metric x pairs against duration groups (paper Table 3).

    Args:
        marginals: tables of selection distributions.
    Returns:
        None where there are none.
    Raises:
        UsageError: one is of a benchmark whose questions are not given.
    """
    tables = sorted(map(read_marginals, marginals), key=lambda made: made[:2])
    for benchmark, selector, _ in tables:
        if benchmark not in results.benchmarks:
            raise UsageError(f"there are distributions of {selector} on {benchmark}, but not its question table")
    by_name = {benchmark: _groups(results.benchmarks[benchmark]) for benchmark, _, _ in tables}
    columns = list(dict.fromkeys(column.group for groups in by_name.values() for column in groups))
    body = []
    for benchmark, selector, found in tables:
        data, groups = results.benchmarks[benchmark], by_name[benchmark]
        apart = {column.group: _distances(data.questions, found, column, settings) for column in groups}
        in_paper = settings.published and kind_of(selector) == "refocus" and not data.is_world
        printed = published_distance if in_paper else lambda metric, group: None
        for metric, name in METRICS.items():
            for pairs in ("different videos", "same video"):
                across = pairs == "different videos"
                cells = [
                    _cell(apart[group][metric], across, printed(metric, group)) if group in apart else Cell()
                    for group in columns
                ]
                body.append(((benchmark, selector, name, pairs), tuple(cells)))
    if not body:
        return None
    title = f"Table 3: mean distance between selection distributions{world_mark(results)}"
    notes = tuple(note.format(level=settings.confidence_level) for note in NOTES)
    labels = ("benchmark", "policy", "metric", "pairs")
    return Table(title, labels, tuple((group, group) for group in columns), tuple(body), notes)


def _groups(benchmark: BenchmarkData) -> list[Column]:
    """A benchmark's groups; where it has none, the whole."""
    columns = columns_of(benchmark)
    return columns[:-1] or columns


def _distances(
    questions: Sequence[Question], found: Mapping[str, np.ndarray], column: Column, settings: TablesSettings
) -> dict[Metric, Distances]:
    asked = [question for question in questions if question.qa_id in found and column.keep(question)]
    grids = np.array([on_grid(found[question.qa_id]) for question in asked]).reshape(len(asked), POSITIONS)
    videos = [question.clip_id for question in asked]
    return {metric: mean_distances(grids, videos, metric, **intervals(settings)) for metric in METRICS}


def _cell(distances: Distances, across: bool, paper: Published | None) -> Cell:
    score = distances.across if across else distances.within
    return Cell(plain=score, paper=paper.value if paper and across else None, why="no pairs")
