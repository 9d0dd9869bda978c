"""Where results come from, as they record it themselves: every parquet file holds the settings that made it."""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from refocus import __version__
from refocus.config.base import Section
from refocus.config.likelihood import LikelihoodSettings
from refocus.config.root import Root
from refocus.core import parquet
from refocus.core.errors import RefocusError
from refocus.core.files import fingerprint_of, settings_of
from refocus.core.project import project_root
from refocus.core.results_folder import STORE
from refocus.report.pages.configuration import flat

SHOWN_VALUES = 6  # of a setting that is not the same in all files
PACKAGES = (
    *("torch", "transformers", "av", "numpy", "scipy", "pyarrow", "pandas", "pillow", "simplejpeg", "matplotlib"),
    *("jinja2", "snakemake"),
)


@dataclass
class Made:
    """What the files of one section record: how many there are, and the values of every setting."""

    section: str
    files: int = 0
    fingerprints: set[str] = field(default_factory=set)
    values: dict[str, set[str]] = field(default_factory=dict)

    @property
    def same(self) -> list[tuple[str, str]]:
        """Settings that are equal in all files."""
        return [(key, next(iter(values))) for key, values in sorted(self.values.items()) if len(values) == 1]

    @property
    def varying(self) -> list[tuple[str, str]]:
        """The others, with their values or the number of them."""
        return [(key, _listed(sorted(values))) for key, values in sorted(self.values.items()) if len(values) > 1]

    def against(self, root: Root) -> list[tuple[str, str, str]]:
        """Settings that are equal in all files and not what the configuration says: key, recorded, configured."""
        section = getattr(root, self.section, None)
        wanted = dict(flat(section.identity())) if isinstance(section, Section) else {}
        if isinstance(section, LikelihoodSettings):
            wanted = dict(flat(json.loads(section.sampling())))
        return [(key, value, wanted[key]) for key, value in self.same if wanted.get(key, value) != value]


def recorded(results: Path) -> tuple[list[Made], list[str]]:
    """What the files of a results folder record, by section, and the names of those that record nothing.

    Files of the store are left out: what stages declare is assembled from them, and says the same.
    """
    found: dict[str, Made] = {}
    silent = []
    store = STORE.at(results)
    for path in sorted(results.rglob("*.parquet")):
        if store in path.parents:
            continue
        section, fingerprint, settings = _notes(path)
        if not section:
            silent.append(path.relative_to(results).as_posix())
            continue
        made = found.setdefault(section, Made(section))
        made.files += 1
        made.fingerprints.add(fingerprint)
        for key, value in flat(settings):
            made.values.setdefault(key, set()).add(value)
    return [found[name] for name in sorted(found)], silent


def versions() -> list[tuple[str, str]]:
    """Of this package, Python and the libraries, where the page is made."""
    found = [("refocus", __version__), ("commit", commit()), ("Python", sys.version.split()[0])]
    return found + [(name, _version(name)) for name in PACKAGES]


def commit() -> str:
    """The commit of the code that makes the page, and whether files differ from it."""
    git = ["git", "-C", str(project_root())]
    try:
        head = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True, check=True).stdout.strip()
        status = subprocess.run([*git, "status", "--porcelain"], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return "not known: no git checkout"
    return head + (", with changes that are not committed" if status.strip() else "")


def _notes(path: Path) -> tuple[str, str, Mapping[str, Any]]:
    try:
        schema = parquet.read_schema(path)
    except RefocusError:
        return "", "", {}
    return (schema.metadata or {}).get(b"refocus.section", b"").decode(), fingerprint_of(schema), settings_of(schema)


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def _listed(values: Sequence[str]) -> str:
    shown = ", ".join(values[:SHOWN_VALUES])
    return shown if len(values) <= SHOWN_VALUES else f"{shown}, … ({len(values)} values)"
