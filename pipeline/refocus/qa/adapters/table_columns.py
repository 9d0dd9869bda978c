"""What the columns of somebody's table are called, and which of them are read."""

import json
import re
from collections.abc import Sequence
from pathlib import Path

from pydantic import Field

from refocus.config.base import Strict
from refocus.core.errors import UsageError
from refocus.qa.adapters.annotation_files import columns_of

NEEDED = ("video", "question", "answer")
STYLES = (re.compile(r"option[ _]?([a-z]|\d{1,2})", re.IGNORECASE), re.compile(r"([A-Z])"))


class Columns(Strict):
    """What the columns are called in the file; null: as the key."""

    video: str | None = Field(None, description="path of the video below the folder of the videos")
    question: str | None = Field(None, description="the question")
    options: str | tuple[str, ...] | None = Field(
        None, description="the column with the list, or a column per option; null: options, else option_a, option_b, …"
    )
    answer: str | None = Field(None, description="letter, index or text of the right option")
    start: str | None = Field(None, description="where the clip begins, seconds or a clock such as 1:05")
    end: str | None = Field(None, description="where it ends")
    evidence: str | None = Field(None, description="when the answer can be seen, as [[start, end], …]")
    category: str | None = Field(None, description="kind of question, by which tables are grouped")
    id: str | None = Field(None, description="the row's name")

    def name(self, field: str) -> str:
        """What a field's column is called."""
        return getattr(self, field) or field


def columns_to_read(path: Path, names: Columns) -> list[str]:
    """The columns to read; of JSON lines none are named, as every row has its own.

    Raises:
        UsageError: a column that is needed is not there, or is there more than once.
        RefocusError: the file is missing or not of its kind.
    """
    there = columns_of(path)
    if there is None:
        return []
    refuse_missing(path, names, there)
    options = option_columns(there, names)
    kept = {*options, *(names.name(field) for field in Columns.model_fields if field != "options")}
    if twice := next((name for name in there if name in kept and there.count(name) > 1), None):
        raise UsageError(f"{path}: has the column '{twice}' more than once: name each differently")
    return [name for name in there if name in kept]


def refuse_missing(path: Path, names: Columns, there: Sequence[str]) -> None:
    """Checks that the columns that are needed, and those that are named, are there.

    Raises:
        UsageError: some are not; names all of them, and what to set as JSON, which is YAML too.
    """
    wanted = {field: names.name(field) for field in NEEDED} | names.model_dump(exclude_none=True)
    if not option_columns(there, names):
        wanted["options"] = "options"
    lists = {field: [name] if isinstance(name, str) else list(name) for field, name in wanted.items()}
    if not (gone := [name for columns in lists.values() for name in columns if name not in there]):
        return
    alike = {name.casefold().strip(): name for name in there}
    meant = {
        field: [name if name in there else alike.get(name.casefold(), "NAME") for name in columns]
        for field, columns in lists.items()
        if not set(columns) <= set(there)
    }
    said = {field: found[0] if len(found) == 1 else found for field, found in meant.items()}
    fix = json.dumps({"columns": names.model_dump(exclude_none=True) | said}, ensure_ascii=False)
    missing = f"{', '.join(map(repr, gone))} (it has {', '.join(there)})"
    say = "say which it is" if len(gone) == 1 else "say which they are"
    raise UsageError(f"{path}: no column {missing}; {say}: adapter_options: {fix}")


def option_columns(there: Sequence[str], names: Columns) -> list[str]:
    """The one column with the options, or one column each, in the order of their letters or numbers."""
    if isinstance(names.options, tuple):
        return list(names.options)
    if names.options or "options" in there:
        return [names.options or "options"]
    for style in STYLES:
        found = {name: hit[1].lower() for name in there if (hit := style.fullmatch(name))}
        if len(found) > 1:
            return sorted(found, key=lambda name: (len(found[name]), found[name]))
    return []
