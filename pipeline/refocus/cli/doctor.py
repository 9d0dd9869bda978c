"""`refocus doctor`: what is missing, unreadable or suspicious, before anything runs."""

import argparse
import json
import sys

from refocus.cli.flags import add_configuration
from refocus.core.errors import UsageError

HELP = "what is missing, unreadable or suspicious, before anything runs"
DESCRIPTION = """
Goes through the data sets, benchmarks and models a configuration uses and lists what would fail or cost questions:
annotation files, rejected rows by reason, videos that are missing, empty, cut off or no videos at all, archives that
were not unpacked, shards, model folders, disk space. Each data root is walked once; of each source the headers of
doctor.probe videos, and of all files below 64 KiB, are read. Nothing is decoded and nothing is written.

With --sample N, the stored frames of N clips per source, where there are any, are compared with a plain decode of their
videos, as `refocus verify-frames` does it. That takes as long as decoding every frame of those videos twice.

Status 1 if more than doctor.max_missing_share of a source's questions have no usable video, if more than
doctor.max_rejected_share of its rows are rejected (doctor.sources sets other limits for single sources), if a stored
frame is not what a plain decode of its video gives, or if something is certain to end the run.

Example: refocus doctor --configfile config/paper.yaml --probe all --sample 100
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's flags."""
    add_configuration(parser)
    parser.add_argument("--probe", metavar="N|all", help="videos per source whose headers are read (doctor.probe)")
    parser.add_argument(
        "--sample", metavar="N", type=int, default=0, help="compare stored frames of N clips per source with the videos"
    )
    parser.add_argument("--json", action="store_true", help="write everything as JSON")


def run(args: argparse.Namespace) -> int:
    """Shows the findings.

    Returns:
        1 if a limit is exceeded or the run cannot succeed, else 0.
    """
    from refocus.config.overlay import load
    from refocus.doctor.diagnose import diagnose

    if args.sample < 0:
        raise UsageError(f"--sample takes a number of clips, not {args.sample}")
    root = load([args.base, *args.configfile])
    found = diagnose(root, _number(args.probe, root.doctor.probe), args.sample)
    text = json.dumps(found.plain(), indent=2, ensure_ascii=False) if args.json else "\n".join(found.lines())
    sys.stdout.write(text.encode("utf-8", "replace").decode() + "\n")  # file names need not be Unicode
    return 1 if found.fails else 0


def _number(text: str | None, default: int) -> int | None:
    if text is None:
        return default
    if text == "all":
        return None
    if not text.isascii() or not text.isdigit():
        raise UsageError(f"--probe takes a number or 'all', not {text!r}")
    return int(text)
