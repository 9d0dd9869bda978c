"""`refocus assets`: trains, evaluates and promotes the tiny models of the synthetic world."""

import argparse
import sys
from pathlib import Path

from refocus.cli.flags import add_settings, read_settings
from refocus.config.assets import AssetsSettings
from refocus.config.parsing import parse, parse_json
from refocus.config.world import WorldSettings

STEPS = ("lmm", "policy", "exam", "promote", "selector")
HELP = "train, examine or promote the tiny models that ship with the project"
DESCRIPTION = """The synthetic world's tiny reference LMM (InternVL) and tiny supervised base policy (Video-MA2mba).

STEP lmm      trains the reference LMM into DIR/lmm
STEP policy   trains the base policy into DIR/policy
STEP exam     scores both on held-out videos and writes DIR/manifest.json
STEP promote  copies DIR's models and manifest over the shipped ones in --to
STEP selector copies a policy trained in the world (results/train/demo/policy) to --to: `refocus select` defaults to it

`make assets` runs the first four, `make selector` the last. Example: refocus assets exam --dir results/assets
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's flags."""
    parser.add_argument("step", choices=STEPS, metavar="STEP", help="see above")
    parser.add_argument("--dir", type=Path, required=True, metavar="DIR", help="folder of the models")
    parser.add_argument(
        "--to", type=Path, default=Path("assets"), metavar="DIR", help="where `promote` copies to (default: assets)"
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
    if args.step == "lmm":
        assets.train_reference(settings, args.dir / "lmm")
    elif args.step == "policy":
        assets.train_base(settings, args.dir / "policy")
    else:
        worlds = [parse(WorldSettings, parse_json(text, "--world-settings")) for text in args.world_settings or ["{}"]]
        for exam in assets.write_manifest(args.dir, settings, worlds)["exams"]:
            for name, row in exam["scores"].items():
                sys.stdout.write(f"{name:30} {row['accuracy']:.3f}  ({row['questions']} questions)\n")
