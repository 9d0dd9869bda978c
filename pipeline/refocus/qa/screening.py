"""Which training questions are copies of others, or about a benchmark's videos: tables, counts, a report."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from refocus.core.counted import counted
from refocus.core.files import write_json, write_table
from refocus.core.progress import bar
from refocus.core.results_folder import DUPLICATES, DUPLICATES_SUMMARY, LEAKS, LEAKS_SUMMARY
from refocus.qa import duplicates, leakage
from refocus.qa.question_pool import QuestionPool, open_pool
from refocus.qa.records import Question


def write_duplicates(out: Path, questions: Sequence[Path]) -> list[str]:
    """Writes the copies among question files, of which those that come first stay, and counts by pair of data sets.

    Returns:
        What was found, a line for each pair.
    """
    found = duplicates.Duplicates()
    rows = [row for pool in map(open_pool, questions) for row in found.find(pool.format, _counted(pool))]
    summary = found.summary()
    write_table(DUPLICATES.inside(out), pa.Table.from_pylist(rows, schema=duplicates.SCHEMA), "screen")
    write_json(DUPLICATES_SUMMARY.inside(out), summary)
    return list(_copies(summary)) or ["no question occurs twice"]


def write_leaks(out: Path, questions: Sequence[Path], benchmarks: Sequence[Path]) -> list[str]:
    """Writes the questions about videos that a benchmark has too, by YouTube id, and counts by pair.

    Returns:
        What was found, a line for each pair, and what could not be compared.
    """
    found = leakage.Leaks()
    for pool in map(open_pool, benchmarks):
        found.forbid(pool.format, _counted(pool))
    rows = [row for pool in map(open_pool, questions) for row in found.find(pool.format, _counted(pool))]
    summary = found.summary()
    write_table(LEAKS.inside(out), pa.Table.from_pylist(rows, schema=leakage.SCHEMA), "screen")
    write_json(LEAKS_SUMMARY.inside(out), summary)
    lines = list(_shared_videos(summary)) or ["no training video is known by its YouTube id to be a benchmark's"]
    unknown = [name for name, count in summary["sources"].items() if not count["with_youtube_id"]]
    if unknown:
        lines.append(f"without YouTube ids, so compared by their paths alone: {', '.join(unknown)}")
    return [*lines, *_same_paths(summary)]


def _copies(summary: dict[str, Any]) -> Iterator[str]:
    for dataset, pairs in summary["pairs"].items():
        for of, count in pairs.items():
            yield f"{dataset}: {count} of {summary['questions'][dataset]} questions are copies of {of}"


def _shared_videos(summary: dict[str, Any]) -> Iterator[str]:
    for pair in summary["pairs"]:
        yield (
            f"{pair['dataset']}: {pair['videos']} videos ({pair['clips']} clips, {pair['questions']} questions) are in "
            f"{pair['benchmark']}, which asks {pair['benchmark_questions']} questions about them"
        )


def _same_paths(summary: dict[str, Any]) -> Iterator[str]:
    for pair in summary["same_paths"]:
        count = summary["sources"][pair["dataset"]]["videos"]
        yield (
            f"{pair['dataset']}: {pair['videos']} of {counted(count, 'video')} have the path of one in "
            f"{pair['benchmark']}: if they are the same files, it tests what was trained on (nothing is left out)"
        )


def _counted(pool: QuestionPool) -> Iterable[Question]:
    return bar(pool.questions(), desc=f"screen {pool.path.stem}", unit="question")
