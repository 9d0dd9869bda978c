"""`refocus assets`: trains, evaluates and promotes the tiny models of the synthetic world."""

import argparse
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from refocus.cli.flags import add_settings, read_settings
from refocus.config.assets import AssetsSettings
from refocus.config.parsing import parse, parse_json
from refocus.config.world import WorldSettings

STEPS = ("siglip", "lmm", "policy", "exam", "promote", "selector", "lmm_ov")
HELP = "train, examine or promote the tiny models that ship with the project"
DESCRIPTION = """The synthetic world's tiny models: SigLIP, InternVL, LLaVA-OneVision, Video-MA2mba.

STEP siglip   trains the vision tower and its text encoder into DIR/siglip
STEP lmm      trains the reference LMM into DIR/lmm
STEP policy   trains the base policy, which begins with the tower of --siglip, into DIR/policy
STEP exam     scores them on held-out videos and writes DIR/manifest.json
STEP promote  copies DIR's models and manifest over the shipped ones in --to
STEP selector copies a policy trained in the world (results/train/demo/policy) to --to: `refocus select` defaults to it

STEP lmm_ov   trains a second LMM, which also begins with that tower, into DIR/lmm_ov; `make study` asks for it

`make assets` runs the first six, `make selector` the next. Example: refocus assets exam --dir results/assets
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's flags."""
    parser.add_argument("step", choices=STEPS, metavar="STEP", help="see above")
    parser.add_argument("--dir", type=Path, required=True, metavar="DIR", help="folder of the models")
    parser.add_argument(
        "--to", type=Path, default=Path("assets"), metavar="DIR", help="where `promote` copies to (default: assets)"
    )
    parser.add_argument(
        "--siglip",
        type=Path,
        metavar="DIR",
        help="folder of the SigLIP for `policy` and `lmm_ov` (default: DIR/siglip)",
    )
    parser.add_argument(
        "--world-settings",
        action="append",
        metavar="JSON",
        help="world section to examine on; may be repeated (default: the class defaults)",
    )
    add_settings(parser, AssetsSettings)


def run(args: argparse.Namespace) -> None:
    """Runs one step."""
    from refocus.world import assets

    settings = read_settings(args, AssetsSettings)
    if args.step == "promote":
        assets.promote(args.dir, args.to)
        return
    if args.step == "selector":
        assets.promote_selector(args.dir, args.to)
        return
    import torch

    torch.set_num_threads(settings.runtime.threads)
    train: dict[str, Callable[[AssetsSettings, Path], None]] = {
        "siglip": assets.train_tower,
        "lmm": assets.train_reference,
        "policy": partial(assets.train_base, siglip=args.siglip or args.dir / "siglip"),
        "lmm_ov": partial(assets.train_second, siglip=args.siglip or args.dir / "siglip"),
    }
    if args.step in train:
        train[args.step](settings, args.dir / args.step)
    else:
        worlds = [parse(WorldSettings, parse_json(text, "--world-settings")) for text in args.world_settings or ["{}"]]
        for exam in assets.write_manifest(args.dir, settings, worlds)["exams"]:
            for name, row in exam["scores"].items():
                sys.stdout.write(f"{name:30} {row['accuracy']:.3f}  ({row['questions']} questions)\n")
