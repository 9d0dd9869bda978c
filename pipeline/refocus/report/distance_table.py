"""Table 3 of the paper: how far apart the selection distributions of different questions lie."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from refocus.config.tables import TablesSettings
from refocus.core.errors import UsageError
from refocus.evaluate.distances import POSITIONS, Distances, Metric, mean_distances, on_grid, pairwise
from refocus.qa.records import Question, by_clip
from refocus.report.columns import Column, columns_of
from refocus.report.harness import intervals, world_mark
from refocus.report.published import Published, published_distance
from refocus.report.results import BenchmarkData, Results, result_rows
from refocus.report.table_files import Cell, Table
from refocus.select.likelihood import Likelihood, LikelihoodTable, read_likelihoods
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
    """Policy x metric x pairs against duration groups (paper Table 3); several runs of one setting have their mean too.

    Args:
        likelihoods: tables of `refocus likelihood`.
    Returns:
        None where there are none.
    Raises:
        UsageError: one is of a benchmark whose questions are not given.
    """
    found: dict[str, dict[str, LikelihoodTable]] = {}
    for made in map(read_likelihoods, likelihoods):
        if made.benchmark not in results.benchmarks:
            raise UsageError(
                f"there are likelihoods of {made.selector} on {made.benchmark}, but not its question table"
            )
        found.setdefault(made.benchmark, {})[made.selector] = made
    if not found:
        return None
    groups = {name: _groups(results.benchmarks[name]) for name in sorted(found)}
    columns = list(dict.fromkeys(column.group for own in groups.values() for column in own))
    body = []
    for benchmark, own in groups.items():
        data = results.benchmarks[benchmark]
        for row in result_rows(found[benchmark], results.variants):
            runs = [found[benchmark][selector].rows for selector in row.selectors]
            apart = {column.group: _distances(data.questions, runs, column, settings) for column in own}
            in_paper = settings.published and row.kind == "refocus" and not data.is_world
            printed = published_distance if in_paper else lambda metric, group: None
            for metric, name in METRICS.items():
                for pairs in ("different videos", "same video"):
                    across = pairs == "different videos"
                    cells = [
                        _cell(apart[group][metric], across, printed(metric, group)) if group in apart else Cell()
                        for group in columns
                    ]
                    body.append(((benchmark, row.name, name, pairs), tuple(cells)))
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
    questions: Sequence[Question], runs: Sequence[Mapping[str, Likelihood]], column: Column, settings: TablesSettings
) -> dict[Metric, Distances]:
    """Of the questions of a group that all runs know, each pair's distance averaged over the runs."""
    of_group = [q for q in questions if all(q.qa_id in run for run in runs) and column.keep(q)]
    asked = about_drawn_videos(of_group, settings.distance_videos, settings.distance_seed)
    if not asked:
        return dict.fromkeys(METRICS, Distances(None, None))
    videos = [question.clip_id for question in asked]
    grids = [np.stack([on_grid(run[question.qa_id].marginal) for question in asked]) for run in runs]
    made = {}
    for metric in METRICS:
        apart = np.mean([pairwise(run, metric) for run in grids], axis=0)
        made[metric] = mean_distances(apart, videos, **intervals(settings))
    return made


def about_drawn_videos(questions: Sequence[Question], videos: int | None, seed: int) -> list[Question]:
    """The questions about at most `videos` clips, drawn by lot (None: about all), in their order."""
    drawn = set(sorted(by_clip(questions), key=lambda clip_id: question_seed(seed, clip_id))[:videos])
    return [question for question in questions if question.clip_id in drawn]


def _cell(distances: Distances, across: bool, paper: Published | None) -> Cell:
    score = distances.across if across else distances.within
    return Cell(plain=score, paper=paper.value if paper and across else None, why="no pairs")
