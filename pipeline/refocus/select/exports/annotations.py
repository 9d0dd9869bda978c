"""A benchmark's annotation file as its other readers load it: every row, in its order, with the question it became.

Formats that say "row 17" or "doc 17" count these rows, also those that ingest rejected. So the rows come from the file
itself, never from the question table.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from refocus.core.errors import RefocusError, UsageError
from refocus.qa.adapters import adapter
from refocus.qa.adapters.annotation_files import columns_of, rows_of
from refocus.select.exports.picked import Asked, ExportSources, named


@dataclass(frozen=True)
class AnnotationRows:
    """The rows of an annotation file and, for each, the qa_id of its question."""

    path: Path
    rows: list[dict[str, Any]]
    qa_ids: list[str]


def annotation_rows(asked: Asked, sources: ExportSources, name: str) -> AnnotationRows:
    """The rows of the annotation file that `sources` names.

    Raises:
        UsageError: none is named, or it was read with an unknown format.
        RefocusError: its rows and the questions are not one to one.
    """
    path = sources.annotations
    if path is None:
        raise UsageError(f"{name} counts the rows of the annotation file: name it with --annotations")
    if not asked.format:
        raise UsageError(f"the question table of {asked.benchmark} does not say which format it was ingested from")
    rows = list(rows_of(path, columns_of(path) or ()))
    read = list(adapter(asked.format).read([path], asked.options))
    if len(rows) != len(read):
        raise RefocusError(f"{path}: {len(rows)} rows give {len(read)} questions; {name} needs one for each")
    ids = [row.source_id for row in read]
    known = {question.source_id: question.qa_id for question in asked.questions}
    if len(set(ids)) < len(ids) or len(known) < len(asked.questions):
        raise RefocusError(f"{path}: two rows have one id, so that rows and questions cannot be matched")
    strange = [number for number in ids if number not in known]
    if strange:
        raise RefocusError(
            f"{path}: {named(strange)} are not in the question table of {asked.benchmark} (rejected, or another "
            "edition of the file), and a file without them would hand every later row the frames of another question"
        )
    absent = known.keys() - set(ids)
    if absent:
        raise RefocusError(f"{path}: {named(sorted(absent))} of {asked.benchmark} are not in it: another edition?")
    for number, row in enumerate(rows):
        if not isinstance(row, dict):
            raise RefocusError(f"{path} row {number}: no object with named fields")
    return AnnotationRows(path, rows, [known[number] for number in ids])
