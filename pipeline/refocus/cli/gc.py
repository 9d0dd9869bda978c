"""`refocus gc`: what no current configuration refers to in the store."""

import argparse
import sys
from pathlib import Path

from refocus.cli.flags import add_base
from refocus.core.errors import RefocusError
from refocus.core.project import default_overlays
from refocus.core.results_folder import STORE

HELP = "list, and with --delete remove, what no configuration refers to in the store"
DESCRIPTION = """
Everything expensive lies in <results>/store under a fingerprint of what it depends on, and stays there when a setting
changes. This lists what is left over, with sizes. Nothing is removed without --delete, and nothing outside the store
ever is. --configfile takes the overlays of one configuration, as snakemake does; give it once for every configuration
whose results are to stay. Without it, the default with config.yaml of this folder over it alone counts.

Example: refocus gc --configfile config/paper.yaml --configfile config/paper.yaml mine.yaml
"""
LOCKS = Path(".snakemake/locks")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's flags."""
    add_base(parser)
    parser.add_argument(
        "--configfile",
        nargs="+",
        action="append",
        type=Path,
        metavar="YAML",
        help="overlays of one configuration; may be repeated",
    )
    parser.add_argument("--delete", action="store_true", help="remove what is listed (default: only list it)")


def run(args: argparse.Namespace) -> None:
    """Lists or removes."""
    from refocus.config.identity import all_kept
    from refocus.config.overlay import load
    from refocus.frames.store_survey import listed, remove, survey, total

    if args.delete and LOCKS.is_dir() and any(LOCKS.iterdir()):
        raise RefocusError(f"snakemake is at work here ({LOCKS} is not empty): wait, or run `snakemake --unlock`")
    kept: dict[Path, set[str]] = {}
    for overlays in args.configfile or [default_overlays()]:
        root = load([args.base, *overlays])
        kept.setdefault(STORE.at(root.results), set()).update(all_kept(root))
    for store, wanted in kept.items():
        found = survey(store, wanted)
        sys.stdout.writelines(f"{line}\n" for line in listed(found))
        if args.delete:
            remove(store, found.garbage)
        sys.stdout.write(total(store, found, removed=args.delete) + "\n")
