"""Anybody's table: CSV, JSON lines or parquet with one question per row, under whatever names its columns have.

Needed are `video`, `question`, the options and `answer`; `start` and `end` (of the clip), `evidence` (when the answer
can be seen), `category` and `id` are read where they are there. Options are one column with a list, or a column each.
A folder as Hugging Face's `datasets` has it is read as a whole; its splits are told by the files' names.
"""

import contextlib
import hashlib
import re
import reprlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from refocus.config.formats import TABLES
from refocus.core.errors import UsageError
from refocus.qa.adapters.adapter_options import AdapterOptions
from refocus.qa.adapters.annotation_files import CSV, columns_of, each, rows_of
from refocus.qa.adapters.fields import answer_by_index, evidence, identifier, optional_text, seconds, whole_number
from refocus.qa.adapters.table_columns import Columns, columns_to_read, option_columns, refuse_missing
from refocus.qa.loose_values import as_list, as_text, as_whole
from refocus.qa.raw_question import (
    BadRow,
    RawQuestion,
    answer_by_letter,
    answer_by_text,
    options_of,
    strip_letters,
    text_of,
)
from refocus.qa.records import Reject

FILES = "a .csv, .tsv, .jsonl or .parquet file, or a folder of them"
ENDINGS = (*(ending for endings in TABLES.values() for ending in endings), ".json")
_SPLIT = re.compile(r"(?<![a-z])(train|validation|valid|val|dev|test)(?![a-z])")


class TableOptions(AdapterOptions):
    """How the table is to be read."""

    columns: Columns = Field(Columns(), description="what the columns are called in the file")
    answers: Literal["auto", "letter", "index", "index1", "text"] = Field(
        "auto", description="how the answer is written; index counts from 0, index1 from 1; auto: what fits alone"
    )
    separator: str = Field("|", min_length=1, description="what is between the options where one text has all of them")
    splits: tuple[str, ...] = Field((), description="splits that are read, by the names of their files; empty: all")
    shuffle: bool = Field(
        False,
        description="gives the options of each row an order of their own, where the right one always has one place",
    )


OPTION_TYPE = TableOptions


def read(paths: Sequence[Path], options: Mapping[str, Any]) -> Iterator[RawQuestion | Reject]:
    """One raw question per row.

    Raises:
        UsageError: a column that is needed is not there, or answers count from 1; says what to set.
        RefocusError: a file is missing or not of its kind.
    """
    settings = TableOptions.model_validate(dict(options))
    chosen = [path for path in paths if not settings.splits or split_of(path) in settings.splits]
    if not chosen and paths:
        there = ", ".join(sorted({split_of(path) for path in paths}))
        raise UsageError(f"adapter_options.splits: there is none of {', '.join(settings.splits)}, only {there}")
    for path in chosen:
        if path.suffix.lower() not in ENDINGS:
            raise UsageError(_no_table(path))
        columns = columns_to_read(path, settings.columns)
        if settings.answers == "auto":
            _refuse_counting_from_one(path, columns, settings)
        parse = partial(_raw_question, settings=settings, stem=path.stem, split=settings.split or split_of(path))
        rows = _naming(path, rows_of(path, (), columns), settings.columns)
        yield from each(path, rows, parse, first=path.suffix.lower() in CSV)


def _no_table(path: Path) -> str:
    return f"{path}: its ending does not say what it is; name it {', '.join(ENDINGS)} (a spreadsheet: save it as CSV)"


def _naming(path: Path, rows: Iterable[Any], names: Columns) -> Iterator[Any]:
    """The rows; where each has columns of its own, one that is needed and that none of them has is an error."""
    found: set[str] = set()
    for row in rows:
        found.update(row if isinstance(row, dict) else ())
        yield row
    if found:
        refuse_missing(path, names, sorted(found))


@dataclass(frozen=True)
class AskedRow:
    """What of a row is needed to ask about its video. `where` names file and row; id is empty where there is none."""

    where: str
    video: str
    question: str
    options: tuple[str, ...]
    id: str


def asked_rows(path: Path) -> Iterator[AskedRow]:
    """The questions of a table under the usual names, which need neither options nor answers.

    Raises:
        UsageError: a column that is needed is not there, or a row cannot be used; names file and row.
        RefocusError: the file is missing or not of its kind.
    """
    settings = TableOptions()
    if path.suffix.lower() not in ENDINGS:
        raise UsageError(_no_table(path))
    there = columns_of(path)
    for name in ("video", "question"):
        if there is not None and name not in there:
            raise UsageError(f"{path}: no column '{name}' (it has {', '.join(there)})")
    for number, row in enumerate(rows_of(path, (), there or []), start=2 if path.suffix.lower() in CSV else 1):
        where = f"{path}, row {number}"
        try:
            if not isinstance(row, dict):
                raise row if isinstance(row, BadRow) else BadRow("bad_row", f"{row!r} is no object")
            options = _options(row, settings) if option_columns(list(row), settings.columns) else ()
            yield AskedRow(where, _video(row, "video"), text_of(row, "question"), options, as_text(row.get("id")) or "")
        except BadRow as bad:
            raise UsageError(f"{where}: {bad.detail}") from None


def split_of(path: Path) -> str:
    """`data/train-00000-of-00002.parquet`, `validation/0000.parquet` → train, validation; train where nothing says."""
    found = _SPLIT.search(path.stem.lower()) or _SPLIT.fullmatch(path.parent.name.lower())
    return found[1] if found else "train"


def _refuse_counting_from_one(path: Path, columns: Sequence[str], settings: TableOptions) -> None:
    """Several answers, none 0 and one the number of options, count from 1; read from 0 most would be wrong."""
    numbers, beyond = set(), None
    for row in rows_of(path, (), columns):
        if not isinstance(row, dict):
            continue
        number = as_whole(row.get(settings.columns.name("answer")))
        if number is None:
            continue
        try:
            options = _options(row, settings)
        except BadRow:
            continue
        numbers.add(number)
        if number == len(options) and str(number) not in options:
            beyond = number
    if beyond is not None and len(numbers) > 1 and min(numbers) == 1:
        raise UsageError(
            f"{path}: answers seem to count from 1 (none is 0, and {beyond} is one of {beyond} options): set "
            'adapter_options: {"answers": "index1"}, or "index" if they count from 0'
        )


def _raw_question(where: str, number: int, row: Any, settings: TableOptions, stem: str, split: str) -> RawQuestion:
    if not isinstance(row, dict):
        fix = "; if the file is one JSON list, name it .json" if isinstance(row, list) else ""
        raise BadRow("bad_row", f"{reprlib.repr(row)} is not an object of column and value{fix}")
    name = settings.columns.name
    question, options = text_of(row, name("question")), _options(row, settings)
    answer = _answer(row, name("answer"), options, settings.answers)
    if settings.shuffle:
        order = _order(question, options)
        options, answer = tuple(options[place] for place in order), order.index(answer)
    spans, flags = evidence(row, name("evidence"))
    return RawQuestion(
        where=where,
        source_id=identifier(row, name("id")) if row.get(name("id")) not in (None, "") else f"{stem}_{number}",
        videos=(_video(row, name("video")),),
        question=question,
        options=options,
        answer_index=answer,
        split=split,
        category=optional_text(row, name("category")),
        start_s=seconds(row, name("start")),
        end_s=seconds(row, name("end")),
        evidence=spans,
        flags=flags,
    )


def _video(row: dict[str, Any], name: str) -> str:
    """The path; Hugging Face's `Video` columns have it in an object."""
    value = row.get(name)
    return identifier(value, "path") if isinstance(value, dict) else identifier(row, name)


def _options(row: dict[str, Any], settings: TableOptions) -> tuple[str, ...]:
    """The options of a row; columns that are empty at the end are padding."""
    columns = option_columns(list(row), settings.columns)
    if not columns:
        raise BadRow("missing_field", f"{settings.columns.name('options')}: missing")
    if len(columns) > 1:
        texts = [as_text(row.get(column)) or "" for column in columns]
        while texts and not texts[-1].strip():
            texts.pop()
        return strip_letters(texts)
    value = row.get(columns[0])
    if isinstance(value, str) and as_list(value) is None:
        if settings.separator not in value:
            fix = f'a column per option, {settings.separator!r} between them, or adapter_options: {{"separator": …}}'
            raise BadRow("bad_field", f"{columns[0]}: {value!r} is not a list of texts; {fix}")
        return strip_letters([part.strip() for part in value.split(settings.separator)])
    return options_of(row, columns[0])


def _order(question: str, options: Sequence[str]) -> list[int]:
    """The places of a row's options in an order that their texts and the question's draw, the same on every machine."""

    def key(place: int) -> bytes:
        text = "\0".join([question, options[place], str(place)])
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()

    return sorted(range(len(options)), key=key)


def _answer(row: dict[str, Any], name: str, options: Sequence[str], how: str) -> int:
    """The right option, read in the one way that fits.

    Raises:
        BadRow: none fits, or several do and disagree.
    """
    text = (as_text(row.get(name)) or "").strip()
    if not text:
        raise BadRow("no_answer", f"{name}: missing")
    if how == "letter":
        return answer_by_letter(text, options, name)
    if how == "text":
        return answer_by_text(text, options, name)
    if how in ("index", "index1"):
        return answer_by_index({name: whole_number({name: text}, name) - (how == "index1")}, name, options)
    ways = set()
    for reading in (answer_by_letter, answer_by_text, _by_index):
        with contextlib.suppress(BadRow):
            ways.add(reading(text, options, name))
    if len(ways) > 1:
        may_be = " or ".join(repr(options[way]) for way in sorted(ways))
        fix = 'adapter_options: {"answers": …} says which: "letter", "index", "index1" or "text"'
        raise BadRow("ambiguous_answer", f"{name}: {text!r} may be {may_be}; {fix}")
    if not ways:
        raise BadRow("answer_not_an_option", f"{name}: {text!r} is no letter, index or text of {len(options)} options")
    return ways.pop()


def _by_index(text: str, options: Sequence[str], name: str) -> int:
    return answer_by_index({name: text}, name, options)
