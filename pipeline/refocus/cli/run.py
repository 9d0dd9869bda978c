"""`refocus run`: the whole workflow in the current folder, from a checkout or from an installed package."""

import argparse
import contextlib
import io
import os
import sys
from collections.abc import Iterable, Sequence

from refocus.core.project import overlay_file, project_root

HELP = "run the whole workflow in the current folder; takes what snakemake takes"
DESCRIPTION = """
Starts Snakemake on the project's own workflow. Everything after `run` is Snakemake's (`snakemake --help` lists it), and
what it names lies in the current folder, where results go too. config.yaml of the project is the base of every overlay;
config/… also names the project's overlays. Profiles are looked for in profiles/ of the current folder, then in the
project's: profiles/default is used unasked. Takes all cores unless told otherwise.

  refocus run                                     the synthetic world on this machine, in minutes
  refocus run -n --configfile mine.yaml           the plan of your own configuration
  refocus run --cores 8 --configfile config/paper.yaml mine.yaml
  refocus run --workflow-profile slurm --configfile mine.yaml
"""
TAKES_ALL = True


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """No flags of its own."""


def run(args: argparse.Namespace) -> None:
    """Becomes Snakemake, so that signals and the exit status are its own."""
    words = ["--snakefile", str(project_root() / "Snakefile"), *overlay_words(args.words)]
    if not says_cores(words):
        words = ["--cores", "all", *words]
    os.execv(sys.executable, [sys.executable, "-m", "snakemake", *words])


def overlay_words(words: Iterable[str]) -> list[str]:
    """The words with `config/…` after --configfile as the project's overlay where the current folder has none."""
    found, in_list = [], False
    for word in words:
        flag, equals, value = word.partition("=")
        if word.startswith("-"):
            in_list = flag in ("--configfile", "--configfiles")
            found.append(f"{flag}={overlay_file(value)}" if in_list and equals else word)
        else:
            found.append(str(overlay_file(word)) if in_list else word)
    return found


def says_cores(words: Sequence[str]) -> bool:
    """Whether the words, or a profile they lead to, say where jobs run and how many at a time.

    Raises:
        ModuleNotFoundError: Snakemake is not installed.
    """
    from snakemake.cli import parse_args

    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        try:
            _, args = parse_args(words)
        except SystemExit:  # --help, or words that Snakemake is about to refuse itself
            return True
    return args.cores is not None or args.jobs is not None or args.executor not in (None, "local", "dryrun")
