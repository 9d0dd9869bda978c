"""`refocus replay`: the rewards of a finished run under other settings of the objective."""

import argparse
import sys
from pathlib import Path

from refocus.cli.flags import add_settings, read_settings
from refocus.config.train import TrainSettings

HELP = "a run's log of groups under other settings of the advantage, without any model"
DESCRIPTION = """\
In:  groups.jsonl of a training run.
Out: a CSV with a line per step: reward, spread, the advantages these settings give, and how far they are from the
     logged ones. It does not say what would have been learned: later groups come from the policy that was trained.

  refocus replay results/train/demo/groups.jsonl --advantage-scale batch --out replay.csv
"""
KEYS = ("advantage_scale", "advantage_eps", "advantage_ddof", "advantage_std_floor", "zero_variance")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the flags."""
    parser.add_argument("groups", type=Path, metavar="GROUPS.jsonl", help="log of groups")
    parser.add_argument("--out", type=Path, metavar="FILE.csv", help="where to write (default: standard output)")
    add_settings(parser, TrainSettings, only=KEYS)


def run(args: argparse.Namespace) -> None:
    """Writes or prints the table."""
    settings = read_settings(args, TrainSettings)
    from refocus.core.files import write_text
    from refocus.core.progress import bar
    from refocus.train.replay import read_groups, replay, to_csv

    lines = read_groups(args.groups)
    steps = len({line["step"] for line in lines})
    text = to_csv(bar(replay(lines, settings), desc="replay", unit="step", total=steps))
    if args.out:
        write_text(args.out, text)
    else:
        sys.stdout.write(text)
