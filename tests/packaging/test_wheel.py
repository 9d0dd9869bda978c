"""The wheel is complete: what the workflow reads travels inside the package."""

import os
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from tests.support import first_page
from tests.support.bare_site import link_packages
from tests.support.dry_runs import planned

ROOT = Path(__file__).resolve().parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
CARRIED = PYPROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]


def files(folder: Path) -> set[Path]:
    """All files below a folder, without what running leaves there."""
    found = [folder] if folder.is_file() else folder.rglob("*")
    return {path for path in found if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".pyc"}


def test_the_wheel_carries_everything_snakemake_reads():
    """All top-level entries but those that are about the repository itself."""
    about = {"pipeline", "tests", "benchmarks", "docs", "Makefile", "pyproject.toml", "environment.yml", "mkdocs.yml"}
    about |= {"README.md", "LICENSE", "CITATION.cff", "CHANGELOG.md", "CONTRIBUTING.md"}
    about |= {path.name for path in ROOT.glob("requirements*.txt")}
    made = {"build", "dist", "mypy.ini", "site"}
    there = {path.name for path in ROOT.iterdir() if not path.name.startswith((".", "results"))}
    assert there - about - made == set(CARRIED)
    assert all(target == f"refocus/project/{source}" for source, target in CARRIED.items())


def test_the_source_distribution_names_files_that_there_are():
    listed = PYPROJECT["tool"]["hatch"]["build"]["targets"]["sdist"]["only-include"]
    assert [name for name in listed if not (ROOT / name).exists()] == []
    assert set(CARRIED) <= set(listed)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """The wheel, built from the tree."""
    pytest.importorskip("hatchling")
    folder = tmp_path_factory.mktemp("wheel")
    line = [sys.executable, "-m", "pip", "wheel", str(ROOT), "--no-deps", "--no-build-isolation", "-w", str(folder)]
    done = subprocess.run(line, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (built,) = folder.glob("refocus-*.whl")
    return built


@pytest.mark.slow
def test_every_file_of_the_project_is_in_the_wheel(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    package = {f"refocus/{path.relative_to(ROOT / 'pipeline/refocus')}" for path in files(ROOT / "pipeline/refocus")}
    carried = {f"refocus/project/{path.relative_to(ROOT)}" for name in CARRIED for path in files(ROOT / name)}
    assert package | carried == {name for name in names if ".dist-info/" not in name}
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)


@pytest.mark.slow
def test_the_first_pages_lines_run_with_the_wheel_and_what_it_needs_alone(wheel, tmp_path):
    """Outside of the repository, in an environment with the packages that `pip install` of the wheel brings."""
    zipfile.ZipFile(wheel).extractall(tmp_path / "installed")
    site = link_packages(PYPROJECT["project"]["dependencies"], tmp_path / "site")
    home = tmp_path / "empty"
    home.mkdir()
    path = os.pathsep.join([str(tmp_path / "installed"), str(site)])
    table, counts = first_page.run([sys.executable, "-S"], home, {**os.environ, "PYTHONPATH": path})
    assert "8 of 12 candidate frames of video.mp4" in table and counts == "8 8\n" * 2
    assert (home / "picks.png").stat().st_size > 0


@pytest.mark.slow
def test_an_installed_package_plans_the_whole_workflow_anywhere(wheel, tmp_path):
    zipfile.ZipFile(wheel).extractall(tmp_path / "installed")
    site = link_packages(PYPROJECT["project"]["dependencies"] + ["snakemake", "pyarrow"], tmp_path / "site")
    home = tmp_path / "empty"
    home.mkdir()
    path = os.pathsep.join([str(tmp_path / "installed"), str(site)])
    line = [sys.executable, "-S", "-m", "refocus", "run", "-n", "--quiet", "rules"]
    done = subprocess.run(line, capture_output=True, text=True, cwd=home, env={**os.environ, "PYTHONPATH": path})
    assert done.returncode == 0, done.stderr
    assert planned(done.stdout + done.stderr)["train_policy"] == 1
    assert str(tmp_path / "installed/refocus/project/profiles/default") in done.stderr
