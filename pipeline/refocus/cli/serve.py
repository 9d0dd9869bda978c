"""`refocus serve`: a page on this machine that shows what selectors pick of a video."""

import argparse
import logging

from refocus.cli.flags import add_settings, add_training_free, read_settings, read_training_free
from refocus.config.select import SelectSettings
from refocus.core.errors import UsageError
from refocus.core.extras import require

HELP = "a page on this machine: drop a video, ask, compare what selectors pick"
DESCRIPTION = """\
Opens a page at http://127.0.0.1:7860 for a browser on this machine: drop a video, type a question (with answer options,
if it has any), choose selectors, and see how much each likes every moment and which frames it picks. A click on a pick
plays the video from there. Needs the extra `serve`.

  refocus serve                                                  what `refocus select` picks with, beside uniform
  refocus serve --selector results/train/demo/policy --selector siglip2-aks --selector uniform
  refocus serve --selector mdp3 --selector topk --model google/siglip-so400m-patch14-384 --port 8000

A selector is a name (topk, siglip2-aks, uniform, …; docs/selectors.md) or the folder or hub id of a policy. Those that
are named here are loaded first; others can be added on the page.

Nobody else can reach the page, it loads nothing from the internet and reports nothing. A video is copied to a temporary
folder (TMPDIR), never into memory; the copy is deleted when the page is closed, asks about another video, or this
command ends.
"""

log = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the flags."""
    add = parser.add_argument
    add(
        "--selector",
        action="append",
        default=[],
        metavar="NAME_OR_DIR",
        help="what picks at first; repeat for several (default: as `refocus select`, and uniform)",
    )
    add(
        "--model",
        metavar="DIR_OR_ID",
        help="with --selector: the CLIP or SigLIP that selectors without training ask (default: a small SigLIP 2 from "
        "the hub); alone: a policy",
    )
    add("--port", type=int, default=7860, metavar="N", help="where to listen; 0: a free port (default: %(default)s)")
    add(
        "--host",
        default="127.0.0.1",
        metavar="ADDRESS",
        help="the address to listen at (default: %(default)s, this machine alone). At any other, whoever reaches it "
        "can upload videos and ask: there is no password",
    )
    add_training_free(parser)
    add_settings(parser, SelectSettings)


def run(args: argparse.Namespace) -> None:
    """Serves until interrupted."""
    require("gradio")
    settings, numbers = read_settings(args, SelectSettings), read_training_free(args)
    if not 0 <= args.port <= 65535:
        raise UsageError(f"--port takes a number from 0 to 65535, not {args.port}")
    from refocus.core.devices import claim
    from refocus.serve.selectors import PageSelectors
    from refocus.serve.server import LOCAL, serve

    host = LOCAL if args.host == "localhost" else args.host
    if host != LOCAL:
        log.warning("WARNING: whoever reaches %s can use this page and upload files; there is no password", host)
    claim(settings.runtime.device)
    selectors = PageSelectors(settings, args.model, numbers, typed=host == LOCAL)
    selectors.choose(args.selector)
    serve(selectors, host, args.port)
