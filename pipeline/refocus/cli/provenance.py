"""`refocus provenance`: where a result comes from."""

import argparse
import json
import sys
from pathlib import Path

HELP = "where a result comes from: the jobs behind it, back to annotations, videos and models"
DESCRIPTION = """\
In:  a file that the workflow made, named as the workflow names it, and what Snakemake noted of its jobs.
Out: the rules behind it, the last first: their files, when they ran, by which version, commit and processor (as their
     logs say), what they were told; then the sources that no job made, with their digests; and what does not fit: files
     that were changed after their job, or are older than what they were made of. Then the exit status is 1.

  refocus provenance results/tables/table1.csv
  refocus provenance results/train/demo/policy/model.safetensors --json
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the flags."""
    parser.add_argument("file", metavar="FILE", help="a result, from the folder that snakemake was run in")
    parser.add_argument(
        "--directory", type=Path, default=Path(), metavar="DIR", help="the folder snakemake was run in (default: here)"
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of text")


def run(args: argparse.Namespace) -> int:
    """Prints the chain; 1 where something does not fit."""
    from refocus.doctor.job_records import JobRecords
    from refocus.doctor.provenance import lines, trace

    chain = trace(args.file, JobRecords(args.directory))
    if args.json:
        sys.stdout.write(json.dumps(chain.plain(), ensure_ascii=False, indent=2) + "\n")
    else:
        sys.stdout.writelines(f"{line}\n" for line in lines(chain))
    return 1 if chain.problems else 0
