"""`refocus check`: whether a results folder holds what was written."""

import argparse
import json
import os
import sys
from pathlib import Path

from refocus.cli.flags import local_path
from refocus.core.errors import UsageError

HELP = "whether every file of a results folder is what was written, by the digests that it holds"
DESCRIPTION = """\
In:  a results folder, and what Snakemake noted of the jobs that made it. Everything is read, nothing is written.
Out: files that are damaged, with what to do about each; files that are whole but rest on something else than is there
     now; a row per kind with the number of files, their size, and what they were compared with; files that carry no
     digest, and why; files that no stage writes.
     Tables have checksums of their own, frames in their shards, policies in SHA256SUMS, checkpoints in state.json,
     logs of training in the checkpoints, videos of the synthetic world in the indexes; of every file up to a megabyte
     that a job read, Snakemake noted the SHA-256. Selections are compared with the stored frames, answers with the
     selections. docs/reliability.md says what is found and what is not.
Status 0 if all is right, 1 if something is damaged or outdated, or nothing could be compared, 2 for wrong arguments.

  refocus check results
  refocus check /archive/results --directory ~/refocus --workers 8
"""
MOST_WORKERS = 8  # threads, where nothing is said: more do not help one disk


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the flags."""
    parser.add_argument("results", type=local_path, metavar="RESULTS", help="the folder, also a copy of it")
    parser.add_argument(
        "--directory", type=Path, default=Path(), metavar="DIR", help="the folder snakemake was run in (default: here)"
    )
    parser.add_argument(
        "--workers", type=int, metavar="N", help=f"threads (default: one per core, at most {MOST_WORKERS})"
    )
    parser.add_argument("--all", action="store_true", help="list every file of the long lists by name")
    parser.add_argument("--json", action="store_true", help="print JSON instead of text")


def run(args: argparse.Namespace) -> int:
    """Prints what was found; 1 where something is not right."""
    from refocus.doctor.intact.page import lines, plain
    from refocus.doctor.intact.survey import survey

    if not args.results.is_dir():
        raise UsageError(f"{args.results}: no such folder")
    if args.workers is not None and args.workers < 1:
        raise UsageError(f"--workers takes a positive number, not {args.workers}")
    workers = args.workers or min(MOST_WORKERS, len(os.sched_getaffinity(0)))
    found = survey(args.results, args.directory, workers)
    if args.json:
        sys.stdout.write(json.dumps(plain(found), ensure_ascii=False, indent=2) + "\n")
    else:
        sys.stdout.writelines(f"{line}\n" for line in lines(found, args.all))
    return 0 if found.is_right else 1
