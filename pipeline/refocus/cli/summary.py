"""`refocus summary`: what a finished run shows, printed."""

import argparse
import sys
from pathlib import Path

from refocus.core.results_folder import FIGURES, TABLES

HELP = "print what a finished run shows: the tables, and where the figures are"
DESCRIPTION = """\
In:  the folder of the tables and the folder of the figures.
Out: on standard output, the synthetic world's table where there is one, table 1, and the paths of the figures.

  refocus summary --tables results/tables --figures results/figures
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the flags."""
    parser.add_argument(
        "--tables", type=Path, default=TABLES.at("results"), help="folder of the tables (default: %(default)s)"
    )
    parser.add_argument(
        "--figures",
        type=Path,
        default=FIGURES.at("results"),
        metavar="DIR",
        help="folder of the figures (default: %(default)s)",
    )


def run(args: argparse.Namespace) -> None:
    """Prints the tables that matter."""
    from refocus.report.summary import summary

    sys.stdout.write(summary(args.tables, args.figures) + "\n")
