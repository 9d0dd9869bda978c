"""`refocus run`: the workflow from any folder, with Snakemake's own words, by the interpreter that was called."""

import json
import os
import subprocess
import sys

import pytest
from refocus.cli import run as command
from refocus.cli.main import main
from refocus.core.errors import UsageError

from tests.support.dry_runs import planned

pytestmark = pytest.mark.slow

TINY = {"world": {"training_videos": 4, "benchmark_videos": 4, "moments": 1}, "use": {"datasets": ["nextqa"]}}
WORLD = "results/world/nextqa/train.csv"


@pytest.fixture
def home(tmp_path):
    """A folder with a small configuration, and a `python` on the PATH that does nothing but fail."""
    (tmp_path / "mine.json").write_text(json.dumps(TINY))
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").write_text("#!/bin/sh\necho the wrong python >&2\nexit 9\n")
    (tmp_path / "bin" / "python").chmod(0o755)
    return tmp_path


def refocus_run(home, *words):
    environment = {**os.environ, "PATH": f"{home / 'bin'}:/usr/bin:/bin"}
    line = [
        sys.executable,
        "-P",
        "-m",
        "refocus",
        "run",
        *words,
    ]  # as the console script: nothing of the current folder
    return subprocess.run(line, cwd=home, env=environment, capture_output=True, text=True)


def test_the_whole_workflow_is_planned_in_an_empty_folder(home):
    done = refocus_run(home, "-n", "--quiet", "rules")
    jobs = planned(done.stdout + done.stderr)
    assert done.returncode == 0, done.stderr
    assert jobs["train_policy"] == 1 and jobs["make_tables"] == 1 and jobs["select_frames"] == 28


def test_modules_of_the_current_folder_are_not_taken_for_the_librarys(home):
    (home / "select.py").write_text("raise SystemExit('taken for the standard library')")
    done = refocus_run(home, "--configfile", "mine.json", "--", WORLD)
    assert done.returncode == 0 and (home / WORLD).is_file(), done.stderr


def test_jobs_take_the_interpreter_that_runs_snakemake(home):
    """The environment is not activated, and the first `python` on the PATH is another one."""
    done = refocus_run(home, "--configfile", "mine.json", "--", WORLD)
    assert done.returncode == 0, done.stderr
    assert (home / WORLD).is_file()
    again = refocus_run(home, "-n", "--sdm", "env-modules", "--configfile", "mine.json", "--", WORLD)
    assert "Nothing to be done" in again.stdout + again.stderr, "who runs a job is no reason to run it again"


def test_a_deployment_method_keeps_its_python(home):
    done = refocus_run(home, "--sdm", "env-modules", "--configfile", "mine.json", "--", WORLD)
    assert done.returncode != 0
    assert "the wrong python" in done.stdout + done.stderr


def test_the_exit_status_is_snakemakes(home):
    assert refocus_run(home, "--no-such-flag").returncode == 2


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([], False),
        (["-n"], False),
        (["-c", "2"], True),
        (["-j2"], True),
        (["--workflow-profile", "ci"], True),
        (["--configfile", "config/paper.yaml"], False),
    ],
)
def test_all_cores_are_taken_unless_words_or_profile_say_otherwise(words, says, repository, monkeypatch):
    monkeypatch.chdir(repository)
    assert command.unsaid(["--snakefile", str(repository / "Snakefile"), *words]) == (
        [] if says else ["--cores", "all"]
    )


def test_a_configuration_that_stands_for_a_file_to_make_is_told(repository):
    words = ["--snakefile", str(repository / "Snakefile"), "mine.yaml"]
    with pytest.raises(UsageError, match=r"mine\.yaml: nothing makes this; .* --configfile"):
        command.unsaid(words)
    assert command.unsaid([*words[:2], "--configfile", "mine.yaml", "--until", "all"]) == ["--cores", "all"]


def test_the_projects_overlays_can_be_named_from_any_folder(tmp_path, monkeypatch, repository):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.yaml").touch()
    words = ["--configfile", "mine.yaml", "config/paper.yaml", "--cores", "2", "config/paper.yaml"]
    found = command.overlay_words(words)
    assert found == [*words[:2], str(repository / "config/paper.yaml"), *words[3:]]
    assert command.overlay_words(["--configfile=config/ci.yaml"]) == [f"--configfile={repository}/config/ci.yaml"]


def test_without_snakemake_the_extra_is_named(monkeypatch, caplog):
    monkeypatch.setitem(sys.modules, "snakemake", None)
    monkeypatch.setitem(sys.modules, "snakemake.cli", None)
    assert main(["run", "-n"]) == 2
    assert "pip install '.[workflow]'" in caplog.text
