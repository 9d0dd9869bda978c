"""The command line: exit statuses, one line per error, and help for every stage."""

import importlib
import signal
import subprocess
import sys

import pytest
from refocus.cli import main as cli
from refocus.core.errors import RefocusError, ResourceMissing, UsageError


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_command_explains_itself(name, capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main([name, "--help"])
    module = importlib.import_module(cli.COMMANDS[name])
    assert ended.value.code == 0
    assert "\n" not in module.HELP.strip()
    assert "refocus" in module.DESCRIPTION
    assert module.DESCRIPTION.strip().splitlines()[0] in capsys.readouterr().out


def test_the_list_of_stages_has_them_all(capsys):
    with pytest.raises(SystemExit):
        cli.main(["--help"])
    shown = capsys.readouterr().out
    assert all(name in shown for name in cli.COMMANDS)


@pytest.mark.parametrize(
    ("error", "status"), [(RefocusError("no"), 1), (UsageError("no"), 2), (ResourceMissing("no"), 75)]
)
def test_an_error_is_one_line_and_a_status(monkeypatch, caplog, error, status):
    def fail(args):
        raise error

    monkeypatch.setattr(importlib.import_module(cli.COMMANDS["config"]), "run", fail)
    assert cli.main(["config"]) == status
    assert [record.getMessage() for record in caplog.records] == ["error: no"]


def test_a_crash_of_a_library_says_where_it_was():
    """FFmpeg may bring down a process; the shell alone would say no more than the signal."""
    code = "import os, signal, refocus.cli.summary as one; one.run = lambda args: os.kill(os.getpid(), signal.SIGSEGV)"
    words = [sys.executable, "-c", f"{code}; from refocus.cli.main import main; main(['summary'])"]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == -signal.SIGSEGV
    assert "Fatal Python error: Segmentation fault" in done.stderr and "cli/main.py" in done.stderr


def test_debug_shows_the_trace(monkeypatch):
    def fail(args):
        raise UsageError("no")

    monkeypatch.setattr(importlib.import_module(cli.COMMANDS["config"]), "run", fail)
    with pytest.raises(UsageError):
        cli.main(["config", "--debug"])


def test_an_unknown_stage_ends_with_two(repository):
    done = subprocess.run([sys.executable, "-m", "refocus", "nothing"], cwd=repository, capture_output=True, text=True)
    assert done.returncode == 2
    assert "nothing" in done.stderr


def test_config_prints_the_merged_settings(repository, monkeypatch, capsys):
    monkeypatch.chdir(repository)
    assert cli.main(["config", "--configfile", "config/paper.yaml"]) == 0
    assert "tau: 0.21" in capsys.readouterr().out
