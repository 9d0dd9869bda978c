"""`refocus init`: a project that runs as it stands, can be filled in, and never costs anybody a file."""

import re

import pytest
import yaml
from refocus.cli.main import main
from refocus.config.overlay import load

from tests.support.dry_runs import planned, snakemake


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


def test_snakemake_takes_its_profile_and_configuration(repository, project):
    (project / "config.yaml").write_text("use: {benchmarks: [videomme]}\n")
    for words in ([], ["--workflow-profile", "none", "--configfile", str(project / "config.yaml")]):
        done = snakemake(repository, "--directory", str(project), "-n", "--quiet", "rules", *words, cwd=project)
        assert planned(done.stdout + done.stderr).get("answer_questions") == 6, done.stderr


@pytest.mark.parametrize("name", ["default", "slurm"])
def test_its_profiles_are_the_projects_own_and_name_the_configuration(repository, project, name):
    theirs = yaml.safe_load((project / f"profiles/{name}/profile.yaml").read_text())
    assert theirs.pop("configfile") == ["config.yaml"]
    assert theirs == yaml.safe_load((repository / f"profiles/{name}/profile.yaml").read_text())


def test_it_overwrites_nothing(project, caplog):
    (project / "config.yaml").write_text("mine")
    (project / "README.md").unlink()
    assert main(["init", str(project)]) == 2
    assert "config.yaml" in caplog.text
    assert (project / "config.yaml").read_text() == "mine"
    assert not (project / "README.md").exists(), "nothing is written where something is in the way"
