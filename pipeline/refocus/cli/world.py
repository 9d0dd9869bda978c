"""`refocus world`: renders the synthetic world."""

import argparse
from pathlib import Path

from refocus.cli.flags import add_settings, read_settings
from refocus.config.world import WorldSettings

HELP = "render the synthetic world: real video files and question files in four real formats"
DESCRIPTION = """Writes a world of short videos in which shapes appear for a second or two, and questions about them.

In:  nothing but the settings; everything is drawn from the seed.
Out: OUT/nextqa, OUT/llava_video (training), OUT/videomme, OUT/mlvu (held out): annotation files and H.264 videos;
     OUT/truth/<benchmark>.parquet: when the evidence of each question is visible; OUT/world.json: what was written.

Example: refocus world --out results/world --seed 0
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's flags."""
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write the world into")
    add_settings(parser, WorldSettings)


def run(args: argparse.Namespace) -> None:
    """Renders the world."""
    from refocus.world.build_world import build

    build(read_settings(args, WorldSettings), args.out)
