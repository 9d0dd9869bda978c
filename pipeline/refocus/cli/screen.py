"""`refocus screen`: which questions of the training pool are duplicates, or about a benchmark's videos."""

import argparse
import sys
from pathlib import Path

from refocus.core.errors import UsageError

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
    from refocus.qa.screening import write_duplicates, write_leaks

    if args.what == "leaks" and not args.benchmarks:
        raise UsageError("leaks: give the benchmarks' question files with --benchmarks")
    duplicates = args.what == "duplicates"
    lines = write_duplicates(args.out, args.qa) if duplicates else write_leaks(args.out, args.qa, args.benchmarks)
    sys.stdout.write("\n".join(lines) + "\n")
