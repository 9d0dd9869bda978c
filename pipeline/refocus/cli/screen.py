"""`refocus screen`: which questions of the training pool are duplicates, or about a benchmark's videos."""

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

HELP = "copies among training sets, and training videos that a benchmark has too"
DESCRIPTION = """
WHAT duplicates  questions about the same video with the same text and options, in one data set or in two; the copy in
                 the file named first stays. Writes duplicates.parquet (qa_id, of, …) and duplicates.json (data set x
                 data set).
WHAT leaks       questions about videos that one of --benchmarks has too, by YouTube id. Writes leaks.parquet and
                 leaks.json (counts per pair, the clips, and for how many videos the id is known at all).

Nothing is dropped here: hand the parquet files to `refocus filter --drop`.

Example: refocus screen duplicates qa/nextqa.parquet qa/llava_video.parquet --out screened
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's flags."""
    parser.add_argument("what", metavar="WHAT", choices=("duplicates", "leaks"), help="duplicates or leaks")
    parser.add_argument(
        "qa", metavar="QA.parquet", nargs="+", type=Path, help="training questions, those to keep first"
    )
    parser.add_argument(
        "--benchmarks", metavar="QA.parquet", nargs="+", type=Path, default=[], help="their questions, for `leaks`"
    )
    parser.add_argument("--out", metavar="DIR", type=Path, required=True, help="where the two files go")


def run(args: argparse.Namespace) -> None:
    """Writes the two files of WHAT and shows the counts."""
    from refocus.core.errors import UsageError

    if args.what == "leaks" and not args.benchmarks:
        raise UsageError("leaks: give the benchmarks' question files with --benchmarks")
    sys.stdout.write(_duplicates(args) if args.what == "duplicates" else _leaks(args))


def _duplicates(args: argparse.Namespace) -> str:
    from refocus.qa.duplicates import SCHEMA, Duplicates
    from refocus.qa.question_pool import open_pool

    found = Duplicates()
    rows = [row for pool in map(open_pool, args.qa) for row in found.find(pool.format, _counted(pool))]
    summary = found.summary()
    _write(args.out, "duplicates", rows, SCHEMA, summary)
    lines = [
        f"{dataset}: {count} of {summary['questions'][dataset]} questions are copies of {of}"
        for dataset, pairs in summary["pairs"].items()
        for of, count in pairs.items()
    ]
    return "".join(f"{line}\n" for line in lines or ["no question occurs twice"])


def _leaks(args: argparse.Namespace) -> str:
    from refocus.qa.leakage import SCHEMA, Leaks
    from refocus.qa.question_pool import open_pool

    found = Leaks()
    for pool in map(open_pool, args.benchmarks):
        found.forbid(pool.format, _counted(pool))
    rows = [row for pool in map(open_pool, args.qa) for row in found.find(pool.format, _counted(pool))]
    summary = found.summary()
    _write(args.out, "leaks", rows, SCHEMA, summary)
    lines = [
        f"{pair['dataset']}: {pair['videos']} videos ({pair['clips']} clips, {pair['questions']} questions) are in "
        f"{pair['benchmark']}, which asks {pair['benchmark_questions']} questions about them"
        for pair in summary["pairs"]
    ]
    lines = lines or ["no training video is known to be a benchmark's"]
    unknown = [name for name, count in summary["sources"].items() if not count["with_youtube_id"]]
    if unknown:
        lines.append(f"without YouTube ids, so not compared: {', '.join(unknown)}")
    return "".join(f"{line}\n" for line in lines)


def _counted(pool: Any) -> Iterable[Any]:
    from refocus.core.progress import bar

    return bar(pool.questions(), desc=f"screen {pool.path.stem}", unit="question")


def _write(out: Path, name: str, rows: list[dict[str, Any]], schema: Any, summary: dict[str, Any]) -> None:
    import pyarrow as pa

    from refocus.core.files import write_json, write_table

    write_table(out / f"{name}.parquet", pa.Table.from_pylist(rows, schema=schema), "screen")
    write_json(out / f"{name}.json", summary)
