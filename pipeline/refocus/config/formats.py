"""Which annotation formats there are: this package's, those that other packages register, and import paths.

A package registers its own under the entry point group `refocus.adapters`; `module:attribute` needs no registration.
"""

import os
import re
from importlib.metadata import entry_points
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator

from refocus.core.errors import UsageError

ROOM = "refocus.qa.adapters"
GROUP = "refocus.adapters"
TABLES = {"csv": (".csv", ".tsv"), "jsonl": (".jsonl", ".ndjson"), "parquet": (".parquet",)}  # format → endings
BUILT_IN = {
    **{
        name: f"{ROOM}.{name}"
        for name in (
            "activitynetqa",
            "cgbench",
            "cinepile",
            "egoschema",
            "llava_video",
            "longvideobench",
            "lvbench",
            "mlvu",
            "mvbench",
            "nextqa",
            "perceptiontest",
            "tempcompass",
            "videomme",
            "videommmu",
            "vista",
        )
    },
    **dict.fromkeys(TABLES, f"{ROOM}.table"),
}  # format → the module of its adapter
_IMPORT_PATH = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*")


def adapter_place(name: str) -> str:
    """Where a format's adapter is: `module`, or `module:attribute`.

    Raises:
        UsageError: nothing has this name; says what has one.
    """
    if name in BUILT_IN:
        return BUILT_IN[name]
    if _IMPORT_PATH.fullmatch(name):
        return name
    registered = {entry.name: entry.value for entry in entry_points(group=GROUP)}
    if name not in registered:
        known = ", ".join(sorted({*BUILT_IN, *registered}))
        raise UsageError(f"unknown format '{name}'; known: {known}; or module:attribute for one of your own")
    return registered[name]


def adapter_module(name: str) -> str:
    """The module that a format's adapter is in."""
    return adapter_place(name).partition(":")[0]


def annotation_files(format: str, path: Path) -> list[Path]:
    """The file itself; of a folder the tables below it, as a Hugging Face download has them, sorted.

    Of several kinds of table the format's own is taken, else the first kind that is there: parquet, JSON lines, CSV,
    JSON. What lies in hidden folders is not. A folder without tables stays as it is.
    """
    if not path.is_dir():
        return [path]
    files: list[Path] = []
    for place, folders, names in os.walk(path):
        folders[:] = [name for name in folders if not name.startswith(".")]
        files += [Path(place, name) for name in names if not name.startswith(".")]
    for endings in [TABLES[format]] if format in TABLES else (*reversed(TABLES.values()), (".json",)):
        if found := sorted(file for file in files if file.suffix.lower() in endings):
            return found
    return [path]


def _known(name: str) -> str:
    try:
        adapter_place(name)
    except UsageError as error:
        raise ValueError(str(error)) from None
    return name


Format = Annotated[str, AfterValidator(_known)]
