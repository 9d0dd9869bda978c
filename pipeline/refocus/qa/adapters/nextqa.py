"""NExT-QA, multiple choice: `{train,val,test}.csv`, or a parquet copy, and `map_vid_vidorID.json`.

Videos lie at `NExTVideo/<mapped id>.mp4` (original release) or `NExTVideo/<id>.mp4` (Hugging Face copy).
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from refocus.core.errors import RefocusError
from refocus.qa.adapters.annotation_files import each, json_value, rows_of
from refocus.qa.adapters.fields import identifier, optional_text
from refocus.qa.loose_values import as_text, as_whole
from refocus.qa.raw_question import BadRow, RawQuestion, text_of
from refocus.qa.records import Reject

FILES = "train.csv, val.csv or test.csv; map_vid_vidorID.json too, unless it lies beside them"
MAP_NAME = "map_vid_vidorID.json"
OPTIONS = ("a0", "a1", "a2", "a3", "a4")
COLUMNS = ("video", "question", "answer", "qid", *OPTIONS)


def read(paths: Sequence[Path], options: Mapping[str, Any]) -> Iterator[RawQuestion | Reject]:
    """One raw question per CSV row; the split is the file's stem."""
    tables = [path for path in paths if path.suffix.lower() != ".json"]
    maps = [path for path in paths if path.suffix.lower() == ".json"]
    for table in tables:
        beside = table.with_name(MAP_NAME)
        folders = _folders(maps or ([beside] if beside.is_file() else []))
        split = options.get("split", table.stem)
        parse = partial(_raw_question, folders=folders, split=split)
        yield from each(table, rows_of(table, COLUMNS, ("type",)), parse, first=1)


def _raw_question(where: str, number: int, row: Any, folders: Mapping[str, str], split: str) -> RawQuestion:
    video, answer = identifier(row, "video").strip(), as_whole(row.get("answer"))
    if not video:
        raise BadRow("missing_field", "video: missing")
    if answer is None or answer < 0:
        raise BadRow("unparsable_answer", f"answer: {row.get('answer')!r} is not an index from 0 to 4")
    places = [folders[video]] if video in folders else []
    return RawQuestion(
        where=where,
        source_id=f"{video}_{identifier(row, 'qid').strip()}",
        videos=tuple(f"{folder}{place}.mp4" for folder in ("NExTVideo/", "") for place in (*places, video)),
        question=text_of(row, "question"),
        options=tuple(as_text(row[name]) or "" for name in OPTIONS),  # pandas reads the option `None` as missing
        answer_index=answer,
        split=split,
        category=optional_text(row, "type"),
    )


def _folders(paths: Sequence[Path]) -> dict[str, str]:
    """Video id → the path below NExTVideo without extension."""
    merged: dict[str, str] = {}
    for path in paths:
        value = json_value(path)
        if not isinstance(value, dict) or not all(isinstance(place, str) for place in value.values()):
            raise RefocusError(f"{path}: expected a JSON object of video id → path")
        merged.update(value)
    return merged
