"""`refocus run`: the whole workflow in the current folder, from a checkout or from an installed package."""

import argparse
import contextlib
import io
import os
import sys
from collections.abc import Iterable, Sequence

from refocus.core.errors import UsageError
from refocus.core.project import default_overlays, overlay_file, project_root

HELP = "run the whole workflow in the current folder; takes what snakemake takes"
DESCRIPTION = """
Starts Snakemake on the project's own workflow. Everything after `run` is Snakemake's (`snakemake --help` lists it), and
what it names lies in the current folder, where results go too. The project's config.yaml is the base of every
configuration; over it come the files of --configfile, else config.yaml of the current folder if there is one. A file
config/… that is not there means the project's overlay of that name. Profiles are looked for in profiles/ of the current
folder, then in the project's; profiles/default is used unasked. All cores are taken unless words or profile say
otherwise.

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
    # -P: a select.py in the current folder is the user's, not the standard library's
    os.execv(sys.executable, [sys.executable, "-P", "-m", "snakemake", *unsaid(words), *words])


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


def unsaid(words: Sequence[str]) -> list[str]:
    """What words and profile leave open: all cores of this machine, and config.yaml of the current folder.

    Raises:
        ModuleNotFoundError: Snakemake is not installed.
        UsageError: a configuration stands where Snakemake expects files to make.
    """
    from snakemake.cli import parse_args

    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        try:
            _, args = parse_args(words)
        except SystemExit:  # --help, or words that Snakemake is about to refuse itself
            return []
    for target in args.targets:
        if str(target).endswith((".yaml", ".yml")):
            raise UsageError(f"{target}: nothing makes this; a configuration stands behind --configfile")
    overlays = [] if args.configfile else [str(path) for path in default_overlays()]
    local = args.executor in (None, "local", "dryrun") and args.cores is None and args.jobs is None
    return (["--configfile", *overlays] if overlays else []) + (["--cores", "all"] if local else [])
