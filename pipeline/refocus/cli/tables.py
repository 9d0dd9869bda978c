"""`refocus tables`: the paper's tables, and the synthetic world's, from all answers."""

import argparse
from pathlib import Path

from refocus.cli.flags import add_settings, read_settings
from refocus.config.tables import TablesSettings
from refocus.config.variants import from_json
from refocus.core.errors import UsageError
from refocus.core.results_folder import SELECTION_COST

HELP = "make the tables from all answers"
DESCRIPTION = """\
In:  the question tables of the benchmarks and their answers (files, or folders that hold them at any depth).
Out: table1 (groups of each benchmark), table2 (Video-MMMU, if it is among them), table3 (distances of selection
     distributions, with --likelihoods), table4 (by number of frames) and, where the synthetic world is among the
     benchmarks, world (with as many frames as table 1) and world_frames (by number of frames and kind); each as .csv,
     .md and .tex. With --costs, selectors says what selecting cost beside what it reached.
     Beside each figure: the gains over uniform sampling and over the best selector without training in the same
     harness, questions without video, short clips, and the paper's number where it has one.
Paper: tables 1 to 4.

  refocus tables --qa qa/videomme.parquet qa/mlvu.parquet --answers answers --n-frames 32 --out tables
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the flags."""
    parser.add_argument(
        "--qa", type=Path, nargs="+", required=True, metavar="QA.parquet", help="question tables of the benchmarks"
    )
    parser.add_argument(
        "--answers", type=Path, nargs="+", required=True, metavar="PATH", help="files of answers, or folders"
    )
    parser.add_argument(
        "--costs", type=Path, nargs="+", default=[], metavar="PATH", help="cost.json of selections, or folders"
    )
    parser.add_argument(
        "--likelihoods",
        type=Path,
        nargs="+",
        default=[],
        metavar="LIKELIHOOD.parquet",
        help="tables of `refocus likelihood`",
    )
    parser.add_argument(
        "--variants",
        metavar="JSON",
        help="which runs are seeds of one setting (the rules say it; default: all of them)",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the tables")
    add_settings(parser, TablesSettings)


def run(args: argparse.Namespace) -> None:
    """Writes every table there is something for."""
    from refocus.report.results import Results
    from refocus.report.table_set import write_tables
    from refocus.select.cost import read_selection_cost

    settings = read_settings(args, TablesSettings)
    results = Results.read(args.qa, args.answers, from_json(args.variants)).counted_by(settings.extractor)
    if not results.frames:
        raise UsageError("there are no answers in " + ", ".join(map(str, args.answers)))
    n = settings.n_frames or results.frames[-1]
    if n not in results.frames:
        raise UsageError(f"--n-frames {n}: nothing was answered with {n} frames, only {results.frames}")
    costs = [
        file for path in args.costs for file in (sorted(path.rglob(SELECTION_COST.name)) if path.is_dir() else [path])
    ]
    write_tables(results, n, settings, args.out, [read_selection_cost(file) for file in costs], args.likelihoods)
