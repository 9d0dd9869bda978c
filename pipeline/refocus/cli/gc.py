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
    from refocus.frames.gc import remove, survey

    if args.delete and LOCKS.is_dir() and any(LOCKS.iterdir()):
        raise RefocusError(f"snakemake is at work here ({LOCKS} is not empty): wait, or run `snakemake --unlock`")
    kept: dict[Path, set[str]] = {}
    for overlays in args.configfile or [default_overlays()]:
        root = load([args.base, *overlays])
        kept.setdefault(STORE.at(root.results), set()).update(all_kept(root))
    for store, wanted in kept.items():
        found = survey(store, wanted)
        for entry in found.garbage:
            sys.stdout.write(f"{size(entry.bytes):>10}  {entry.files:>7} files  {entry.path}\n")
        for path in found.unknown:
            sys.stdout.write(f"{'left alone':>10}  {'':>13}  {path} (not made by refocus, or a link)\n")
        if args.delete:
            remove(store, found.garbage)
        total, rest = (size(sum(entry.bytes for entry in entries)) for entries in (found.garbage, found.kept))
        verb = "removed" if args.delete else "could be removed (--delete)"
        sys.stdout.write(f"{store}: {total} in {len(found.garbage)} entries {verb}, {rest} stay\n")


def size(count: int) -> str:
    """Bytes as people read them."""
    amount, units = float(count), ["B", "kB", "MB", "GB", "TB", "PB"]
    while amount >= 1000 and len(units) > 1:
        amount, units = amount / 1000, units[1:]
    return f"{amount:.0f} {units[0]}" if units[0] == "B" else f"{amount:.1f} {units[0]}"
