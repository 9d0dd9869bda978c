"""`refocus plan`: what a configuration costs, before it runs."""

import argparse
import json
import sys

from refocus.cli.flags import add_configuration, add_settings, read_settings
from refocus.config.plan import PlanSettings

HELP = "frames, tokens, FLOP, GPU-hours, disk and jobs of every stage, before anything runs"
DESCRIPTION = """
Counts what every stage of a configuration has to do, with what is shared computed once (as refocus does) and naively.
Questions per clip are those of the ingested tables, clips' lengths those of decoded shards, of the clips' bounds or of
some videos' headers; what is not there yet comes from plan.sources in the configuration. Models' shapes are read from
their folders, or are the published ones. Everything that is assumed is listed below the tables. Needs no GPU, decodes
and computes nothing.

Example: refocus plan --configfile config/paper.yaml --gpu "NVIDIA H100" --tflops 700 --efficiency 0.4
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's flags."""
    add_configuration(parser)
    parser.add_argument("--json", action="store_true", help="write everything as JSON")
    add_settings(parser, PlanSettings)


def run(args: argparse.Namespace) -> None:
    """Shows the plan."""
    from refocus.config.overlay import load
    from refocus.plan.estimate import make_plan
    from refocus.plan.plan_page import lines, plain

    root = load([args.base, *args.configfile])
    args.settings = args.settings or root.plan.canonical()
    plan = make_plan(root, read_settings(args, PlanSettings))
    text = json.dumps(plain(plan), indent=2, ensure_ascii=False) if args.json else "\n".join(lines(plan))
    sys.stdout.write(text + "\n")
