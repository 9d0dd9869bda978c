"""Table 3 of the paper: how far apart the selection distributions of different questions lie."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from refocus.config.selectors import kind_of
from refocus.config.tables import TablesSettings
from refocus.core.errors import UsageError
from refocus.evaluate.distances import POSITIONS, Distances, Metric, mean_distances, on_grid
from refocus.qa.records import Question, by_clip
from refocus.report.columns import Column, columns_of
from refocus.report.harness import intervals, world_mark
from refocus.report.published import Published, published_distance
from refocus.report.results import BenchmarkData, Results
from refocus.report.table_files import Cell, Table
from refocus.select.likelihood import Likelihood, read_likelihoods
from refocus.select.selector import question_seed

METRICS: dict[Metric, str] = {
    "js": "Jensen-Shannon divergence, nats",
    "kl": "symmetric KL divergence, nats",
    "wasserstein": f"Wasserstein distance, frames of {POSITIONS}",
}
NOTES = (
    "distributions of Eq. 10, on a common grid of 512 parts of the video; symmetric KL: mean of both directions",
    "{videos}",
    "different videos: pairs of questions about different videos of a group, as in the paper; n: number of pairs",
    "a selector that ignores question and video is at 0; Jensen-Shannon is at most 0.69",
    "in square brackets: {level:.0%} interval (bootstrap over videos)",
)


def table3(results: Results, likelihoods: Iterable[Path], settings: TablesSettings) -> Table | None:
    """Policy x metric x pairs against duration groups (paper Table 3).

    Args:
        likelihoods: tables of `refocus likelihood`.
    Returns:
        None where there are none.
    Raises:
        UsageError: one is of a benchmark whose questions are not given.
    """
    tables = sorted(map(read_likelihoods, likelihoods), key=lambda made: (made.benchmark, made.selector))
    for made in tables:
        if made.benchmark not in results.benchmarks:
            raise UsageError(
                f"there are likelihoods of {made.selector} on {made.benchmark}, but not its question table"
            )
    by_name = {made.benchmark: _groups(results.benchmarks[made.benchmark]) for made in tables}
    columns = list(dict.fromkeys(column.group for groups in by_name.values() for column in groups))
    body = []
    for made in tables:
        data, groups = results.benchmarks[made.benchmark], by_name[made.benchmark]
        apart = {column.group: _distances(data.questions, made.rows, column, settings) for column in groups}
        in_paper = settings.published and kind_of(made.selector) == "refocus" and not data.is_world
        printed = published_distance if in_paper else lambda metric, group: None
        for metric, name in METRICS.items():
            for pairs in ("different videos", "same video"):
                across = pairs == "different videos"
                cells = [
                    _cell(apart[group][metric], across, printed(metric, group)) if group in apart else Cell()
                    for group in columns
                ]
                body.append(((made.benchmark, made.selector, name, pairs), tuple(cells)))
    if not body:
        return None
    title = f"Table 3: mean distance between selection distributions{world_mark(results)}"
    lot = settings.distance_videos
    videos = f"at most {lot} videos of each group, drawn by lot" if lot else "all videos"
    notes = tuple(note.format(level=settings.confidence_level, videos=videos) for note in NOTES)
    labels = ("benchmark", "policy", "metric", "pairs")
    return Table(title, labels, tuple((group, group) for group in columns), tuple(body), notes)


def _groups(benchmark: BenchmarkData) -> list[Column]:
    """A benchmark's groups; where it has none, the whole."""
    columns = columns_of(benchmark)
    return columns[:-1] or columns


def _distances(
    questions: Sequence[Question], found: Mapping[str, Likelihood], column: Column, settings: TablesSettings
) -> dict[Metric, Distances]:
    of_group = [question for question in questions if question.qa_id in found and column.keep(question)]
    asked = about_drawn_videos(of_group, settings.distance_videos, settings.distance_seed)
    grids = np.array([on_grid(found[question.qa_id].marginal) for question in asked]).reshape(len(asked), POSITIONS)
    videos = [question.clip_id for question in asked]
    return {metric: mean_distances(grids, videos, metric, **intervals(settings)) for metric in METRICS}


def about_drawn_videos(questions: Sequence[Question], videos: int | None, seed: int) -> list[Question]:
    """The questions about at most `videos` clips, drawn by lot (None: about all), in their order."""
    drawn = set(sorted(by_clip(questions), key=lambda clip_id: question_seed(seed, clip_id))[:videos])
    return [question for question in questions if question.clip_id in drawn]


def _cell(distances: Distances, across: bool, paper: Published | None) -> Cell:
    score = distances.across if across else distances.within
    return Cell(plain=score, paper=paper.value if paper and across else None, why="no pairs")
