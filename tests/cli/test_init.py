"""`refocus init`: a project that runs as it stands, can be filled in, and never costs anybody a file."""

import re

import pytest
from refocus.cli.main import main
from refocus.cli.run import unsaid
from refocus.config.overlay import load
from refocus.core.project import project_root

pytestmark = pytest.mark.slow


@pytest.fixture
def project(tmp_path):
    folder = tmp_path / "my videos"
    assert main(["init", str(folder)]) == 0
    return folder


def test_it_runs_the_default_as_it_stands(repository, project):
    assert load([repository / "config.yaml", project / "config.yaml"]) == load([repository / "config.yaml"])


def test_its_commented_part_is_a_configuration(repository, project, tmp_path, caplog):
    """What a user gets who takes every `# ` away."""
    text = (project / "config.yaml").read_text()
    _, body = text.split("results: results", 1)
    filled = re.sub(r"(?m)^#( |$)", "", body.split("\n\n", 1)[1].split("#\n", 1)[1])
    (tmp_path / "filled.yaml").write_text("results: results\n" + filled)
    root = load([repository / "config.yaml", tmp_path / "filled.yaml"])
    assert root.world is None and root.use.runs == ("mine",)
    assert not caplog.records, "no old names"


@pytest.mark.parametrize("name", ["default", "slurm"])
def test_its_profiles_are_the_projects_own(repository, project, name):
    path = f"profiles/{name}/profile.yaml"
    assert (project / path).read_text() == (repository / path).read_text()


def test_every_command_takes_its_configuration_unasked(project, monkeypatch, capsys):
    (project / "config.yaml").write_text("filter: {tau: 0.5}\n")
    monkeypatch.chdir(project)
    assert main(["config"]) == 0
    assert "tau: 0.5" in capsys.readouterr().out
    snakefile = ["--snakefile", str(project_root() / "Snakefile")]
    assert unsaid([*snakefile, "-n"]) == ["--configfile", "config.yaml", "--cores", "all"]
    assert unsaid([*snakefile, "--configfile", "other.yaml"]) == ["--cores", "all"]


def test_it_overwrites_nothing(project, caplog):
    (project / "config.yaml").write_text("mine")
    (project / "README.md").unlink()
    assert main(["init", str(project)]) == 2
    assert "config.yaml" in caplog.text
    assert (project / "config.yaml").read_text() == "mine"
    assert not (project / "README.md").exists(), "nothing is written where something is in the way"
