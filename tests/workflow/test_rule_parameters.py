"""What travels from the rules to the commands as JSON can be printed by name: `refocus config --section NAME`."""

import itertools
import shlex

import pytest
from refocus.cli.main import main
from refocus.config.overlay import load
from refocus.config.rule_parameters import names, rule_parameter
from refocus.core.errors import UsageError

from tests.support.dry_runs import snakemake

SECTIONS = ("lmm", "policy", "reward", "scorer", "training-free")
FLAGS = ("--settings", *(f"--{section}-settings" for section in SECTIONS), "--adapter-options", "--variants")


@pytest.mark.slow
def test_everything_a_rule_passes_can_be_printed(repository, finished, tmp_path):
    overlay = tmp_path / "more.yaml"
    overlay.write_text("use: {selectors: [uniform, topk, confidence, refocus/demo]}")
    root = load([repository / "config.yaml", overlay])
    done = snakemake(repository, "--directory", str(finished), "-n", "-p", "--forceall", "--configfile", str(overlay))
    assert done.returncode == 0, done.stderr
    commands = [line for line in done.stdout.splitlines() if "python -m refocus " in line]
    words = [word for line in commands for word in shlex.split(line.replace("Shell command: ", ""))]
    passed = {value for flag, value in itertools.pairwise(words) if flag in FLAGS}
    assert len(passed) >= 15
    assert passed <= {rule_parameter(root, name) for name in names(root)}


def test_the_command_prints_it(repository, capsys):
    assert main(["config", "--base", str(repository / "config.yaml"), "--section", "runs.demo.train"]) == 0
    root = load([repository / "config.yaml"])
    assert capsys.readouterr().out == root.run_train("demo").canonical() + "\n"


@pytest.mark.parametrize("name", ["nothing", "lmms.nobody", "runs.demo", "use", "reward.model", "filter.", ""])
def test_what_no_rule_passes_is_refused_with_what_there_is(repository, name):
    with pytest.raises(UsageError, match=r"pass no.*runs\.demo\.policy.*variants"):
        rule_parameter(load([repository / "config.yaml"]), name)
