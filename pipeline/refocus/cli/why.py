"""`refocus why`: what would run, and because of which key or file."""

import argparse
import subprocess
import sys

from refocus.cli.run import overlay_words, unsaid
from refocus.core.errors import RefocusError
from refocus.core.project import project_root

HELP = "what `refocus run` would run, and why: a line per rule; takes what snakemake takes"
DESCRIPTION = """
Plans what `refocus run` would do with the same words, and says of each rule how many jobs would run and because of
which changed key or file. Nothing is run.

  refocus why
  refocus why --configfile config/paper.yaml mine.yaml
"""
TAKES_ALL = True


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """No flags of its own."""


def run(args: argparse.Namespace) -> None:
    """Prints the lines.

    Raises:
        RefocusError: the workflow cannot be planned; Snakemake's own words go to stderr.
    """
    from refocus.doctor.why import lines, planned

    words = ["--snakefile", str(project_root() / "Snakefile"), "--dry-run", "--nolock", *overlay_words(args.words)]
    command = [sys.executable, "-P", "-m", "snakemake", *unsaid(words), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.stderr.write(done.stdout + done.stderr)
        raise RefocusError("the workflow cannot be planned; the reason stands above")
    sys.stdout.writelines(f"{line}\n" for line in lines(planned(done.stdout + done.stderr)))
