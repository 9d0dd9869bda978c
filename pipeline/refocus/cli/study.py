"""`refocus study`: which of the paper's claims hold, from a configuration with several settings and seeds."""

import argparse
from pathlib import Path

from refocus.cli.flags import add_configuration

HELP = "write the page that puts the paper's claims to the test on several runs"
DESCRIPTION = """\
In:  the results of a configuration whose runs are several settings with some seeds each; runs may still be missing.
Out: a Markdown page with one section per claim: its table, paired differences with intervals over videos, and one
     sentence computed from them (it holds, does not hold, or is open); in a folder of its name, pictures.

  refocus study --configfile config/study.yaml --out docs/study.md
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the flags."""
    add = parser.add_argument
    add_configuration(parser, required=True)
    add("--results", type=Path, metavar="DIR", help="results of the runs (default: what the configuration says)")
    add("--out", type=Path, required=True, metavar="PAGE.md", help="the page; pictures go into a folder of its name")


def run(args: argparse.Namespace) -> None:
    """Writes pictures and page."""
    from refocus.config.overlay import load
    from refocus.core.files import write_text
    from refocus.core.progress import bar
    from refocus.report.study import Study
    from refocus.report.study_figures import draw_study
    from refocus.report.study_page import page
    from refocus.report.style import save

    root = load([args.base, *args.configfile])
    study = Study(root, args.results or Path(root.results))
    options = f"--configfile {' '.join(map(str, args.configfile))}"
    commands = [f"snakemake --cores all {options}", f"python -m refocus study {options} --out {args.out}"]
    pictures = []
    for name, figure in bar(draw_study(study).items(), desc="study", unit="picture"):
        pictures += save(figure, args.out.with_suffix(""), name, ["png"], root.figures.dpi)
    write_text(args.out, page(study, commands, pictures))
