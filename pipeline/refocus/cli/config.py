"""`refocus config`: the merged settings, and the files that are made from the types."""

import argparse
import difflib
import sys

import yaml

from refocus.cli.flags import add_configuration
from refocus.config.generate import rendered
from refocus.config.overlay import load
from refocus.config.rule_parameters import rule_parameter
from refocus.core.errors import RefocusError
from refocus.core.files import write_text

HELP = "show the merged configuration, or render the files made from the settings' types"
DESCRIPTION = """\
Without an action: the configuration with all defaults filled in, as YAML on stdout.

--section prints the JSON that the rules hand to the commands as --settings, --lmm-settings, --policy-settings,
--reward-settings, --adapter-options or --variants, and that decides what runs again. NAME is a stage's section
(reward), an LMM (lmms.tiny), a run (runs.demo.train, runs.demo.policy), a source's options
(datasets.nextqa.adapter_options), or variants.

  refocus config --configfile config/paper.yaml      the paper's settings over config.yaml
  refocus config --section reward                    what `refocus reward --settings` gets from its rule
  refocus config --write                             render config.yaml (values kept), the schema and docs/settings.md
  refocus config --check                             status 1 and a diff if one of them is not what --write would make
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_configuration(parser)
    action = parser.add_mutually_exclusive_group()
    action.add_argument("--section", metavar="NAME", help="print what the rules pass of one section, as JSON")
    action.add_argument("--write", action="store_true", help="write the rendered files")
    action.add_argument("--check", action="store_true", help="compare the rendered files with those on disk")


def run(args: argparse.Namespace) -> None:
    if args.section is not None:
        sys.stdout.write(rule_parameter(load([args.base, *args.configfile]), args.section) + "\n")
        return
    if not (args.write or args.check):
        settings = load([args.base, *args.configfile]).model_dump(mode="json")
        sys.stdout.write(yaml.safe_dump(settings, sort_keys=False, allow_unicode=True, width=120))
        return
    load([args.base])
    for path, text in rendered(args.base).items():
        if args.write:
            write_text(path, text)
            continue
        have = path.read_text(encoding="utf-8") if path.exists() else ""
        if have != text:
            diff = difflib.unified_diff(have.splitlines(True), text.splitlines(True), str(path), "rendered")
            sys.stdout.writelines(diff)
            raise RefocusError(f"{path} is not what the types say; run `python -m refocus config --write`")
