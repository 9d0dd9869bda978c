"""`refocus evidence`: a page with what a finished run of the synthetic world showed, made from its files alone."""

import argparse
from pathlib import Path

from refocus.cli.flags import add_configuration

HELP = "write a page about a finished run of the synthetic world"
DESCRIPTION = """\
In:  the results of a configuration; its runs are training seeds of one setting.
Out: a Markdown page: what every selector reaches on which questions, with paired differences to the best that needs no
     training; what must be shown and whether it is; pictures; the filter's rates, seconds and memory per stage.

  refocus evidence --configfile config/evidence.yaml --out docs/evidence.md
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the flags."""
    add_configuration(parser)
    parser.add_argument("--results", type=Path, metavar="DIR", help="results of the run (default: what they say)")
    parser.add_argument(
        "--out", type=Path, required=True, metavar="PAGE.md", help="the page; figures go into a folder of its name"
    )


def run(args: argparse.Namespace) -> None:
    """Writes the page and copies the figures it shows."""
    from refocus.config.overlay import load
    from refocus.core.files import write_text
    from refocus.report.evidence import copy_figures, page
    from refocus.report.selector_figure import draw_selectors
    from refocus.report.study import Study
    from refocus.report.style import save

    root = load([args.base, *args.configfile])
    study = Study(root, args.results or Path(root.results))
    options = f" --configfile {' '.join(map(str, args.configfile))}" if args.configfile else ""
    commands = [f"snakemake --cores all{options}", f"python -m refocus evidence{options} --out {args.out}"]
    folder, drawn = args.out.with_suffix(""), draw_selectors(study)
    figures = save(drawn, folder, "selectors", ["png"], root.figures.dpi) if drawn else []
    text = page(study, commands, [*figures, *copy_figures(study.folder, folder)])
    if (args.out.parent / "study.md").is_file():
        text += "\n\nWhich of the paper's claims hold in another world: [study.md](study.md)."
    write_text(args.out, text + "\n")
