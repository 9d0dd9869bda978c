"""Formats that give frame numbers by the rows of the annotation file: AKS, FOCUS, TSPO, WFS-SB and VideoITG."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

from refocus.core.errors import RefocusError
from refocus.core.files import atomic, write_text
from refocus.qa.adapters.annotation_files import json_rows
from refocus.select.exports.annotations import AnnotationRows, annotation_rows
from refocus.select.exports.checks import exactly_n, json_objects, numbers, once, only, prefix_order, whole_numbers
from refocus.select.exports.picked import Asked, ExportSources, ForeignPicks, PickedTable
from refocus.select.picks import Selection


class SelectedFrames:
    """AKS's and FOCUS's `selected_frames.json`: `[[int, …], …]`, row i for annotation row i."""

    name = "aks"

    def write(self, tables: Sequence[PickedTable], sources: ExportSources, path: Path) -> None:
        """A list per annotation row, none left out, all whole numbers.

        Raises:
            RefocusError: an annotation row has no question, or a question other than n frames.
        """
        _, picked = _by_row(tables, sources, self.name)
        write_text(path, json.dumps([prefix_order(row) for row in picked]))

    def read(self, path: Path, asked: Asked, sources: ExportSources) -> dict[str, ForeignPicks]:
        """Lists by place. Whole numbers written as floats are read.

        Raises:
            RefocusError: there are more or fewer lists than annotation rows.
        """
        there, lists = annotation_rows(asked, sources, self.name), json_rows(path)
        if len(lists) != len(there.qa_ids):
            raise RefocusError(
                f"{path}: {len(lists)} lists for the {len(there.qa_ids)} rows of {there.path}: which belong together "
                "cannot be known"
            )
        return {
            qa_id: ForeignPicks(whole_numbers(values, f"{path} row {number}"))
            for number, (qa_id, values) in enumerate(zip(there.qa_ids, lists, strict=True))
        }


class AnnotationsWithFrames:
    """The annotation file with a list of frame numbers in every row."""

    def __init__(self, name: str, order: Callable[[Selection], Sequence[int]]):
        """name: of the format and of the field. order: of the frame numbers, as its reader needs them."""
        self.name = name
        self.order = order

    def write(self, tables: Sequence[PickedTable], sources: ExportSources, path: Path) -> None:
        """The rows as they are, with the field.

        Raises:
            RefocusError: as for `aks`, or a row holds what JSON cannot.
        """
        there, picked = _by_row(tables, sources, self.name)
        rows = [{**row, self.name: self.order(one)} for row, one in zip(there.rows, picked, strict=True)]
        try:
            write_text(path, json.dumps(rows, ensure_ascii=False))
        except TypeError as error:
            raise RefocusError(f"{there.path}: a row holds what JSON cannot ({error})") from None

    def read(self, path: Path, asked: Asked, sources: ExportSources) -> dict[str, ForeignPicks]:
        """The field of every row; the file is its own annotation file, so places need not agree with another's.

        Raises:
            RefocusError: a row lacks the field.
        """
        there = annotation_rows(asked, ExportSources(annotations=path), self.name)
        return {
            qa_id: ForeignPicks(whole_numbers(row.get(self.name), f"{path} row {number}, {self.name}"))
            for number, (row, qa_id) in enumerate(zip(there.rows, there.qa_ids, strict=True))
        }


class VideoItg:
    """VideoITG's `frame_indices_jsonl`: `{"doc_id": int, "index": [int, …]}`; doc_id counts the rows of the split."""

    name = "videoitg"

    def write(self, tables: Sequence[PickedTable], sources: ExportSources, path: Path) -> None:
        """A line for every row of the split, as a document without one is shown uniform frames.

        Raises:
            RefocusError: as for `aks`.
        """
        _, picked = _by_row(tables, sources, self.name)
        with atomic(path) as draft, draft.open("w", encoding="utf-8") as handle:
            for doc_id, row in enumerate(picked):
                handle.write(json.dumps({"doc_id": doc_id, "index": prefix_order(row)}) + "\n")

    def read(self, path: Path, asked: Asked, sources: ExportSources) -> dict[str, ForeignPicks]:
        """Lines by doc_id; `logits` are scores. Files of the program itself rank all frames: say how many are picks.

        Raises:
            RefocusError: a line is broken, or a doc_id is no row or comes twice.
        """
        there = annotation_rows(asked, sources, self.name)
        found: dict[str, ForeignPicks] = {}
        for where, row in json_objects(path):
            doc_id = row.get("doc_id")
            if type(doc_id) is not int:
                raise RefocusError(f"{where}: doc_id {doc_id!r} is no whole number")
            if not 0 <= doc_id < len(there.qa_ids):
                raise RefocusError(f"{where}: there is no row {doc_id}; {there.path} has {len(there.qa_ids)}")
            qa_id = once(found, there.qa_ids[doc_id], where, f"doc_id {doc_id}")
            frames, logits = whole_numbers(row.get("index"), where), numbers(row.get("logits") or [], where)
            found[qa_id] = ForeignPicks(frames, score=logits if len(logits) == len(frames) else ())
        return found


def _by_row(tables: Sequence[PickedTable], sources: ExportSources, name: str) -> tuple[AnnotationRows, list[Selection]]:
    """The annotation file and, for each of its rows, the picks of its question."""
    table = only(tables, name)
    exactly_n(table, name)
    there = annotation_rows(table.asked, sources, name)
    return there, [table.rows[qa_id] for qa_id in there.qa_ids]
