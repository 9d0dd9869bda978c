"""Video-MME: `videomme/test-00000-of-00001.parquet`; videos at `data/<videoID>.mp4`."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from refocus.qa.adapters.annotation_files import each, rows_of
from refocus.qa.adapters.fields import identifier, optional_text
from refocus.qa.raw_question import RawQuestion, answer_by_letter, options_of, text_of
from refocus.qa.records import Reject

FILES = "test-00000-of-00001.parquet"
COLUMNS = ("videoID", "question_id", "question", "options", "answer")
GROUPS = ("duration", "domain", "sub_category")


def read(paths: Sequence[Path], options: Mapping[str, Any]) -> Iterator[RawQuestion | Reject]:
    """One raw question per row; flags carry `duration:`, `domain:` and `sub_category:` for the tables' groups."""
    split = options.get("split", "test")
    for path in paths:
        yield from each(path, rows_of(path, COLUMNS, (*GROUPS, "task_type")), partial(_raw_question, split=split))


def _raw_question(where: str, number: int, row: Any, split: str) -> RawQuestion:
    options = options_of(row, "options")
    video = identifier(row, "videoID")
    groups = {name: optional_text(row, name) for name in GROUPS}
    return RawQuestion(
        where=where,
        source_id=identifier(row, "question_id"),
        videos=tuple(f"{folder}{video}.mp4" for folder in ("data/", "", "videos/")),
        question=text_of(row, "question"),
        options=options,
        answer_index=answer_by_letter(text_of(row, "answer"), options),
        split=split,
        category=optional_text(row, "task_type"),
        flags=tuple(f"{name}:{value}" for name, value in groups.items() if value),
    )
