"""`refocus report`: results as pages for a browser, in one folder that needs nothing from outside."""

import argparse
import shlex
from pathlib import Path

from refocus.cli.flags import add_configuration

HELP = "write the results as pages for a browser, with a gallery of questions"
DESCRIPTION = """\
In:  a results folder, finished or not, and the configuration it was made with.
Out: a folder with index.html (tables to sort, figures, training curves, the rules, configuration, provenance) and
     gallery.html (questions with the frames every selector picked, answers, likelihood, evidence, margins). It opens
     from the disk, in any browser, and loads nothing from elsewhere. What is missing is named on the pages.

  refocus report results --out report
  refocus report results/evidence --configfile config/evidence.yaml --questions 100 --out report
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the flags."""
    add = parser.add_argument
    add("results", type=Path, nargs="?", metavar="RESULTS", help="results folder (default: the configuration's)")
    add_configuration(parser)
    add("--configuration", metavar="JSON", help="the whole configuration (the rules say it), in place of --configfile")
    add("--questions", type=int, default=200, metavar="N", help="most questions in the gallery (default: %(default)s)")
    add("--out", type=Path, required=True, metavar="DIR", help="the folder, new or an earlier report")


def run(args: argparse.Namespace) -> None:
    """Writes the folder and says how large it is."""
    import logging

    from refocus.config.overlay import check, load
    from refocus.config.parsing import parse_json
    from refocus.core.errors import UsageError
    from refocus.report.pages.site import write_report

    if args.questions < 0:
        raise UsageError("--questions takes 0 or more")
    default, root = load([args.base]), load([args.base, *args.configfile])
    if args.configuration:
        root = check(parse_json(args.configuration, "--configuration"))
    results = args.results or Path(root.results)
    made = write_report(root, default, results, args.out, args.questions, _commands(args, results))
    log = logging.getLogger(__name__)
    log.info("gallery: %s", made.rule)
    for what in made.missing:
        log.info("not there: %s", what)
    log.info("%s: %.1f MB", args.out / "index.html", made.size / 1e6)


def _commands(args: argparse.Namespace, results: Path) -> list[str]:
    """What makes the results and their report; none where the rules make it, which say no files."""
    if args.configuration:
        return []
    options = shlex.join(["--configfile", *map(str, args.configfile)]) if args.configfile else ""
    report = f"refocus report {shlex.quote(str(results))} {options}".rstrip()
    return [f"snakemake --cores all {options}".rstrip(), f"{report} --out {shlex.quote(str(args.out))}"]
