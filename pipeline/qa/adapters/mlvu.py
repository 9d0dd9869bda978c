"""MLVU dev: the official JSON file per task, or the parquet copy `sy1998/MLVU_dev`.

The JSON rows have no id: theirs is `<file stem>_<row>`. Answers are the option's text there and a letter in the copy,
whose questions repeat the options. Generative rows (sub-scene, summary) are rejected as `open_ended`.
Videos lie at `video/<file stem>/<video>`, in one folder per task, or flat.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from pipeline.qa.adapters.files import each, json_rows, parquet_rows
from pipeline.qa.draft import BadRow, Draft, answer_by_letter, answer_by_text, options_of, text_of
from pipeline.qa.records import Reject

FILES = "1_plotQA.json … 7_topic_reasoning.json, or test-00000-of-00001.parquet"
COLUMNS = ("video_name", "question", "candidates", "answer", "task_type", "question_id")
_OPTION_LINE = re.compile(r"^\([A-Z]\)\s")


def read(paths: Sequence[Path], options: Mapping[str, Any]) -> Iterator[Draft | Reject]:
    """One draft per row of either form; the category is the task."""
    split = options.get("split", "dev")
    for path in paths:
        if path.suffix.lower() == ".parquet":
            yield from each(path, parquet_rows(path, COLUMNS), partial(_from_copy, split=split))
        else:
            yield from each(path, json_rows(path), partial(_from_official, stem=path.stem, split=split))


def _from_official(where: str, number: int, row: Any, stem: str, split: str) -> Draft:
    if not isinstance(row, dict):
        raise BadRow("bad_row", f"{row!r} is not an object")
    video, question = text_of(row, "video"), text_of(row, "question")
    if "candidates" not in row:
        raise BadRow("open_ended", "candidates: missing, a generative task")
    options = options_of(row, "candidates")
    return Draft(
        where=where,
        source_id=f"{stem}_{number}",
        videos=tuple(f"{folder}{video}" for folder in (f"video/{stem}/", f"{stem}/", "video/", "")),
        question=question,
        options=options,
        answer_index=answer_by_text(text_of(row, "answer"), options),
        split=split,
        category=text_of(row, "question_type"),
    )


def _from_copy(where: str, number: int, row: dict[str, Any], split: str) -> Draft:
    video = text_of(row, "video_name")
    options = options_of(row, "candidates")
    lines = text_of(row, "question").rstrip("\n").split("\n")
    while lines and _OPTION_LINE.match(lines[-1]):
        lines.pop()
    return Draft(
        where=where,
        source_id=text_of(row, "question_id"),
        videos=(video, f"video/{video}"),
        question="\n".join(lines),
        options=options,
        answer_index=answer_by_letter(text_of(row, "answer"), options),
        split=split,
        category=text_of(row, "task_type"),
    )
