"""`refocus niah`: renders needles in haystacks (V-NIAH), as a benchmark."""

import argparse
from pathlib import Path

from refocus.cli.flags import add_settings, read_settings
from refocus.config.niah import NiahSettings

HELP = "render visual needles in haystacks: videos with one moment put in at a chosen depth"
DESCRIPTION = """\
In:  nothing but the settings; everything is drawn from the seed by the synthetic world.
Out: OUT/questions.jsonl, a table for `refocus ingest jsonl` that says when each needle is visible, and its videos.
     Every video shows shapes for a second or two; the question is about a shape put in at a depth of its own.
Paper: V-NIAH, section 4.2 and Figure 5; `refocus recall --niah-settings` draws the maps.

  refocus niah --out results/niah --lengths '[64, 512]'
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the flags."""
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the table and the videos")
    add_settings(parser, NiahSettings)


def run(args: argparse.Namespace) -> None:
    """Renders the videos."""
    from refocus.world.haystacks import build

    build(read_settings(args, NiahSettings), args.out)
