"""What is written down twice says the same: versions, pins, names that were given away."""

import re
import tomllib
from pathlib import Path

import refocus
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version
from refocus.cli.renamed_flags import FLAGS
from refocus.config.renamed import REMOVED_IN, RENAMED

ROOT = Path(__file__).resolve().parents[2]
CHANGELOG = (ROOT / "CHANGELOG.md").read_text()


def pins(name: str) -> dict[str, str]:
    """Package → version of a lock file."""
    return dict(re.findall(r"(?m)^([A-Za-z0-9._-]+)==(\S+)", (ROOT / name).read_text()))


def test_the_version_is_one():
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text())["version"] == refocus.__version__
    assert re.findall(r"(?m)^## \[(.+?)\]", CHANGELOG)[0] == refocus.__version__


def test_old_names_last_longer_than_this_version():
    assert Version(REMOVED_IN) > Version(refocus.__version__)


def test_every_renamed_setting_and_flag_is_in_the_changelog():
    settings = [f"| `{old}` | `{new}` |" for old, new in RENAMED.items() if not old.startswith("runs.*")]
    flags = [f"| `{name}` | `{old}` | `{new}` |" for name, pairs in FLAGS.items() for old, new in pairs.items()]
    assert [line for line in settings + flags if line not in CHANGELOG] == []


def test_hooks_have_the_pinned_versions():
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    versions = {Path(hook["repo"]).name: hook.get("rev", "").removeprefix("v") for hook in hooks}
    locked = pins("requirements-dev.txt")
    assert (versions["ruff-pre-commit"], versions["snakefmt"]) == (locked["ruff"], locked["snakefmt"])


def test_lock_files_are_inside_the_declared_ranges():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    texts = project["dependencies"] + [text for extra in project["optional-dependencies"].values() for text in extra]
    locked = {canonicalize_name(name): version for name, version in pins("requirements.txt").items()}
    for more in ("requirements-dev.txt", "requirements-serve.txt"):
        locked |= {canonicalize_name(name): version for name, version in pins(more).items()}
    for requirement in map(Requirement, texts):
        version = locked.get(canonicalize_name(requirement.name))
        assert version is None or version in requirement.specifier, requirement
