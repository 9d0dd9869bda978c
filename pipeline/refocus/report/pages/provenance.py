"""Where results come from, as they record it themselves: every parquet file holds the settings that made it."""

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from refocus.config.base import Section
from refocus.config.likelihood import LikelihoodSettings
from refocus.config.root import Root
from refocus.core import parquet
from refocus.core.errors import RefocusError
from refocus.core.files import fingerprint_of, settings_of
from refocus.core.made_by import made_by
from refocus.core.results_folder import LOGS, STORE
from refocus.report.pages.configuration import flat

HEAD = 1 << 14  # characters of a log
SHOWN_VALUES = 6  # of a setting that is not the same in all files


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


def made_by_logs(results: Path) -> list[tuple[str, ...]]:
    """What jobs were run by, as their logs say: version, commit, Python, processor, how many; last the silent ones."""
    found = [_made_by(path) for path in sorted(LOGS.at(results).rglob("*.log"))]
    silent, jobs = found.count(None), Counter(one for one in found if one is not None)
    rows = [(*(str(key) for key in one), str(count)) for one, count in sorted(jobs.items(), key=str)]
    return [*rows, ("not recorded", "–", "–", "–", str(silent))] if silent else rows


def versions() -> list[tuple[str, str]]:
    """Of what makes the page: this package, its commit, Python, the packages that decide numbers."""
    here = made_by()
    packages = [*here["packages"].items(), ("jinja2", version("jinja2"))]
    return [("refocus", here["refocus"]), ("commit", here["commit"] or "–"), ("Python", here["python"]), *packages]


def _made_by(log: Path) -> tuple[str | None, ...] | None:
    """Version, commit, Python and processor; None where a log does not say."""
    with log.open(encoding="utf-8", errors="replace") as file:
        found = re.search(r"made by (\{.*\})$", file.read(HEAD), re.MULTILINE)
    if found is None:
        return None
    said = json.loads(found[1])
    return tuple(said.get(key) for key in ("refocus", "commit", "python", "processor"))


def _notes(path: Path) -> tuple[str, str, Mapping[str, Any]]:
    try:
        schema = parquet.read_schema(path)
    except RefocusError:
        return "", "", {}
    return (schema.metadata or {}).get(b"refocus.section", b"").decode(), fingerprint_of(schema), settings_of(schema)


def _listed(values: Sequence[str]) -> str:
    shown = ", ".join(values[:SHOWN_VALUES])
    return shown if len(values) <= SHOWN_VALUES else f"{shown}, … ({len(values)} values)"
