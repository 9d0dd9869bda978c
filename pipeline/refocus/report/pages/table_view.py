"""A table as a page shows it, read back from the two files that every table is written to.

The .csv has every number (`KEY`, `KEY.low`, `KEY.gain`, …), which columns are sorted by; the .md has the title, the
words that readers see in each cell, and the notes. A .csv alone is enough: its numbers are then the words.
"""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from refocus.core.errors import RefocusError
from refocus.report.selector_names import readable

AGAIN = "if a stage wrote it, delete it and run that stage again"
FIRST_PART = ".low"  # behind the key of a column that has more than one number


@dataclass(frozen=True)
class CellView:
    """One cell: what is seen first, what stands smaller behind it, what it is sorted by, all its numbers by name."""

    text: str
    more: str = ""
    sort: str = ""
    parts: tuple[tuple[str, str], ...] = ()

    @property
    def hint(self) -> str:
        """All numbers of the cell in one line; empty where it has but one."""
        return " · ".join(f"{name} {value}" for name, value in self.parts)


@dataclass(frozen=True)
class TableView:
    """A table by the name of its files. labels: its leading text columns; columns: the others, as readers see them."""

    name: str
    title: str
    labels: tuple[str, ...]
    columns: tuple[str, ...]
    rows: tuple[tuple[CellView, ...], ...]
    notes: tuple[str, ...] = field(default=())

    @property
    def titles(self) -> tuple[tuple[str, bool], ...]:
        """Every column's title, and whether it holds numbers."""
        titles = (*self.labels, *self.columns)
        return tuple((title, self._is_numeric(place)) for place, title in enumerate(titles))

    def _is_numeric(self, place: int) -> bool:
        if place >= len(self.labels):
            return True
        return bool(self.rows) and all(_is_number(row[place].sort) for row in self.rows)


def read_table(path: Path) -> TableView:
    """The table of NAME.csv, with the words of NAME.md if that lies beside it.

    Raises:
        RefocusError: it is no table, or one of its rows has more or fewer fields than its first.
    """
    words = path.with_suffix(".md")
    try:
        numbers = path.read_text(encoding="utf-8")
        header, *lines = list(csv.reader(io.StringIO(numbers))) or [[]]
        said = words.read_text(encoding="utf-8") if words.is_file() else ""
    except (OSError, ValueError, csv.Error) as error:
        raise RefocusError(f"{path}: cannot be read as a table ({error}); {AGAIN}") from None
    if not header:
        raise RefocusError(f"{path}: is empty; {AGAIN}")
    for number, line in enumerate(lines, 2):
        if len(line) != len(header):
            raise RefocusError(f"{path}: row {number} has {len(line)} fields, the first {len(header)}; {AGAIN}")
    return view(path.stem, numbers, said)


def view(name: str, numbers: str, words: str = "") -> TableView:
    """The table of a .csv's and a .md's text."""
    header, *lines = list(csv.reader(io.StringIO(numbers))) or [[]]
    keys = [key for key in header if key + FIRST_PART in header]
    plain = [place for place, key in enumerate(header) if not any(key == k or key.startswith(k + ".") for k in keys)]
    groups = {key: [place for place, one in enumerate(header) if one.startswith(key + ".")] for key in keys}
    title, titles, seen, notes = _words(words)
    if len(seen) != len(lines) or len(titles) != len(plain) + len(keys):
        titles, seen = [*(header[place] for place in plain), *keys], []  # not the words of these numbers
    rows = []
    for number, line in enumerate(lines):
        said = seen[number] if seen else []
        labels = [_label(line[place], said[at] if said else "") for at, place in enumerate(plain)]
        cells = [
            _figure(line, key, header, groups[key], said[len(plain) + at] if said else "")
            for at, key in enumerate(keys)
        ]
        rows.append((*labels, *cells))
    return TableView(
        name=name,
        title=title or name,
        labels=tuple(titles[: len(plain)]),
        columns=tuple(titles[len(plain) :]),
        rows=_named(titles[: len(plain)], rows),
        notes=tuple(notes),
    )


def _words(text: str) -> tuple[str, list[str], list[list[str]], list[str]]:
    """Title, column titles, cells and notes of a .md."""
    lines = text.splitlines()
    cells = [line[1:-1].split(" | ") for line in lines if line.startswith("| ")]
    rows = [[cell.strip().replace(r"\|", "|") for cell in row] for row in cells]
    title = next((line.strip("*") for line in lines if line.startswith("**")), "")
    notes = [line.removeprefix("- ") for line in lines if line.startswith("- ")]
    return title, rows[0] if rows else [], rows[1:], notes


def _label(value: str, said: str) -> CellView:
    return CellView(said or value, sort=value)


def _figure(line: Sequence[str], key: str, header: Sequence[str], places: Sequence[int], said: str) -> CellView:
    value = line[header.index(key)]
    text, _, more = (said or value).partition(" ") if value else (said, "", "")
    parts = ((header[place].removeprefix(key + "."), line[place]) for place in places if line[place])
    return CellView(text or "–", more, value, (*((("value", value),) if value else ()), *parts))


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _named(labels: Sequence[str], rows: Sequence[tuple[CellView, ...]]) -> tuple[tuple[CellView, ...], ...]:
    """Selectors by the names of the figures; how the configuration spells them stays with the cell."""
    if "selector" not in labels:
        return tuple(rows)
    place = labels.index("selector")
    spelled = list(dict.fromkeys(row[place].sort for row in rows))
    names = dict(zip(spelled, readable(spelled), strict=True))
    return tuple(
        (
            *row[:place],
            CellView(names[row[place].sort], sort=row[place].sort, parts=(("selector", row[place].sort),)),
            *row[place + 1 :],
        )
        for row in rows
    )
