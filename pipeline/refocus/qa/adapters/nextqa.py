"""NExT-QA, multiple choice: `{train,val,test}.csv` and `map_vid_vidorID.json`.

Videos lie at `NExTVideo/<mapped id>.mp4` (original release) or `NExTVideo/<id>.mp4` (Hugging Face copy).
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from refocus.core.errors import RefocusError
from refocus.qa.adapters.annotation_files import csv_rows, each, json_value
from refocus.qa.raw_question import BadRow, RawQuestion, text_of
from refocus.qa.records import Reject

FILES = "train.csv, val.csv or test.csv; map_vid_vidorID.json too, unless it lies beside them"
MAP_NAME = "map_vid_vidorID.json"
OPTIONS = ("a0", "a1", "a2", "a3", "a4")
COLUMNS = ("video", "question", "answer", "qid", "type", *OPTIONS)


def read(paths: Sequence[Path], options: Mapping[str, Any]) -> Iterator[RawQuestion | Reject]:
    """One raw question per CSV row; the split is the file's stem."""
    tables = [path for path in paths if path.suffix.lower() != ".json"]
    maps = [path for path in paths if path.suffix.lower() == ".json"]
    for table in tables:
        beside = table.with_name(MAP_NAME)
        folders = _folders(maps or ([beside] if beside.is_file() else []))
        split = options.get("split", table.stem)
        yield from each(table, csv_rows(table, COLUMNS), partial(_raw_question, folders=folders, split=split), first=1)


def _raw_question(where: str, number: int, row: dict[str, str], folders: Mapping[str, str], split: str) -> RawQuestion:
    video, answer = text_of(row, "video").strip(), text_of(row, "answer").strip()
    if not video:
        raise BadRow("missing_field", "video: missing")
    if not answer.isascii() or not answer.isdigit():
        raise BadRow("unparsable_answer", f"answer: {answer!r} is not an index from 0 to 4")
    places = [folders[video]] if video in folders else []
    return RawQuestion(
        where=where,
        source_id=f"{video}_{row['qid'].strip()}",
        videos=tuple(f"{folder}{place}.mp4" for folder in ("NExTVideo/", "") for place in (*places, video)),
        question=row["question"],
        options=tuple(row[name] for name in OPTIONS),
        answer_index=int(answer),
        split=split,
        category=row["type"],
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
