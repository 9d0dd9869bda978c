"""One spelling per flag over all commands, and one meaning per spelling."""

import argparse
from collections import defaultdict

import pytest
from refocus.cli.main import _parser

SEVERAL = {
    "--out": "what a command writes",
    "--shard": "a number for decode, a tar for reward, as documented",
    "--questions": "how many for a report, a table of them for select",
    "--selector": "one, or several for a page",
    "--tables": "files for the evidence, a folder for push",
    "--selections": "a folder for answer, files too for figures",
}
SPELLINGS = {
    "INDEX.parquet": {"--index"},
    "QA.parquet": {"--qa", "--training-qa", "--benchmarks"},  # of the command; of the filter; to compare with
    "DIR_OR_ID": {
        "--model",
        "--start",
        "--reward-model",
    },  # what a command runs; what training starts from; what rewards
    "YAML": {"--configfile"},
    "CONFIG.yaml": {"--base", "--config"},
    "JSON": {"--settings", "--runtime", "--adapter-options", "--variants", "--configuration"}
    | {
        f"--{section}-settings"
        for section in ("likelihood", "lmm", "niah", "policy", "reward", "scorer", "training-free", "world")
    },
}


@pytest.fixture(scope="module")
def flags() -> list[tuple[str, str | None]]:
    """Every flag of every command that is no setting, with the name of its value."""
    parser, _ = _parser(None)
    stages = next(action for action in parser._actions if isinstance(action, argparse._SubParsersAction))
    groups = [group for stage in stages.choices.values() for group in stage._action_groups]
    return [
        (flag, action.metavar if isinstance(action.metavar, str) else None)
        for group in groups
        for action in group._group_actions
        for flag in action.option_strings
        if group.title != "settings" or action.metavar == "JSON"
    ]


def test_a_flag_takes_the_same_kind_of_value_everywhere(flags):
    kinds = defaultdict(set)
    for flag, kind in flags:
        kinds[flag].add(kind)
    assert {flag for flag, found in kinds.items() if len(found) > 1} <= set(SEVERAL)


@pytest.mark.parametrize(("kind", "allowed"), SPELLINGS.items())
def test_a_kind_of_value_has_one_flag(flags, kind, allowed):
    assert {flag for flag, found in flags if found == kind} <= allowed
