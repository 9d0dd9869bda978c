"""Where the project's files are, in a checkout and in an installed package; what relative paths of models mean."""

import os
import shutil
import subprocess
import sys

import pytest
from refocus.config.identity import model_files, weights
from refocus.config.layers import read
from refocus.core import project
from refocus.core.model_folder import find_folder, local_folder, shipped_folder
from refocus.core.project import project_root, source_root


@pytest.fixture
def installed(repository, tmp_path, monkeypatch):
    """A package laid out as a wheel lays it out, with a module beside it that must not come along."""
    package = tmp_path / "site-packages" / "refocus"
    shutil.copytree(repository / "pipeline" / "refocus", package, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("assets", "workflow"):
        shutil.copytree(repository / name, package / "project" / name)
    shutil.copy(repository / "config.yaml", package / "project")
    (package.parent / "neighbour.py").touch()
    monkeypatch.setattr(project, "PACKAGE", package)
    return package


def test_a_checkout_has_its_files_in_the_repository(repository):
    assert project_root() == repository
    assert source_root() == repository / "pipeline"


def test_an_installed_package_has_them_inside(installed):
    assert project_root() == installed / "project"


def test_an_installed_package_comes_without_its_neighbours(installed):
    code = "import importlib.util, refocus.core.project as p; print(p.PACKAGE, importlib.util.find_spec('neighbour'))"
    environment = {**os.environ, "PYTHONPATH": str(source_root())}
    done = subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, text=True, env=environment)
    assert done.stdout.split() == [str(installed), "None"], done.stderr
    stage = [sys.executable, "-m", "refocus", "--version"]
    assert subprocess.run(stage, capture_output=True, env=environment).returncode == 0


def test_the_projects_models_are_found_from_any_folder(tmp_path, monkeypatch, repository):
    monkeypatch.chdir(tmp_path)
    assert shipped_folder("assets/lmm") == find_folder("assets/lmm") == repository / "assets" / "lmm"


def test_a_model_below_the_current_folder_comes_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "assets" / "lmm").mkdir(parents=True)
    assert shipped_folder("assets/lmm") is None
    assert str(local_folder("assets/lmm")) == "assets/lmm"


@pytest.mark.parametrize("path", ["models/x", "OWNER/NAME", "/abs/assets/lmm", "assets/none"])
def test_any_other_path_means_what_it_says(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert shipped_folder(path) is None


def test_a_models_identity_is_its_content_wherever_it_lies(tmp_path, monkeypatch, repository):
    monkeypatch.chdir(repository)
    at_home = weights("assets/policy")
    assert model_files("assets/policy")
    monkeypatch.chdir(tmp_path)
    assert weights("assets/policy") == at_home
    assert model_files("assets/policy") == [], "where a package is installed must not decide whether a job runs again"


def test_the_projects_overlays_are_found_from_any_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert read("config/paper.yaml")["results"] == "results/paper"
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "paper.yaml").write_text("results: mine\n")
    assert read("config/paper.yaml") == {"results": "mine"}
