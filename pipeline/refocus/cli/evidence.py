"""`refocus evidence`: a page with what a finished run of the synthetic world showed, made from its files alone."""

import argparse
from pathlib import Path

HELP = "write a page about a finished run of the synthetic world"
DESCRIPTION = """\
In:  the results folder of a run, and the overlays it was made with.
Out: a Markdown page: the commands, the tables, the filter's rates, seconds and memory per stage; the figures beside it.

  refocus evidence --results results/evidence --configfile config/evidence.yaml --out docs/evidence.md
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the flags."""
    parser.add_argument("--results", type=Path, required=True, metavar="DIR", help="results of the run")
    parser.add_argument(
        "--configfile", type=Path, nargs="*", default=[], metavar="YAML", help="overlays it was made with"
    )
    parser.add_argument(
        "--out", type=Path, required=True, metavar="PAGE.md", help="the page; figures go into a folder of its name"
    )


def run(args: argparse.Namespace) -> None:
    """Writes the page and copies the figures it shows."""
    from refocus.core.files import write_text
    from refocus.report.evidence import copy_figures, page

    figures = copy_figures(args.results, args.out.with_suffix(""))
    text = page(args.results, args.configfile, figures)
    if (args.out.parent / "study.md").is_file():
        text += "\n\nThe effect of T', of a curriculum on it and of the entropy bonus: [study.md](study.md)."
    write_text(args.out, text)
