"""Which adapter the questions of each data set were read with, as a table of questions from several sets notes it.

Only with its format does a path tell which video it names (`refocus.qa.origin`), and the pairs that training reads come
from many data sets. How answers to a benchmark are scored depends on it too.
"""

import json
from collections.abc import Iterable
from pathlib import Path

from refocus.core import parquet
from refocus.core.files import canonical, settings_of

KEY = "refocus.formats"
SCORED = ("videomme", "mlvu", "longvideobench", "videommmu")  # formats with scores of their authors' own kind
Formats = dict[str, str]  # data set → adapter


def formats_of_sources(paths: Iterable[Path]) -> Formats:
    """Of files of `refocus ingest`, one data set each; files that are empty or do not say their format add nothing."""
    found: Formats = {}
    for path in paths:
        with parquet.opened(path) as file:
            format = settings_of(file.schema_arrow).get("format")
            first = next(file.iter_batches(1, columns=["dataset"]), None)
        if format and first is not None and len(first):
            found[first["dataset"][0].as_py()] = format
    return found


def format_of(path: Path, name: str) -> str:
    """The format of a benchmark's question table, as `ingest` noted it, else as the benchmark's name says, else ''."""
    noted = settings_of(parquet.read_schema(path)).get("format")
    return noted or next((known for known in SCORED if known in name.replace("-", "").replace("_", "")), "")


def note(formats: Formats) -> dict[str, str]:
    """Key-value metadata for a table of questions from these data sets."""
    return {KEY: canonical(formats)}


def formats_noted(path: Path) -> Formats:
    """What `note` put into a table of questions; nothing where it was not written so."""
    with parquet.opened(path) as file:  # beside the schema: it is known only when the last question has been written
        return json.loads((file.metadata.metadata or {}).get(KEY.encode(), b"{}"))
