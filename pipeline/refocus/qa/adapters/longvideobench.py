"""LongVideoBench: `lvb_val.json`, or the parquet copy with `option0` … `option4` padded with "N/A".

Videos lie at `videos/<video_path>`; the file's name never follows from `video_id` (135 TikTok rows differ). Subtitles
are not used. `lvb_test_wo_gt.json` has no answers: its rows are rejected. `position` names the frames that the question
is about, by their numbers in the file.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from refocus.qa.adapters.annotation_files import each, rows_of
from refocus.qa.adapters.fields import answer_by_index, identifier, optional_text
from refocus.qa.loose_values import as_list, as_text, as_whole
from refocus.qa.raw_question import LETTERS, BadRow, RawQuestion, options_of, strip_letters, text_of
from refocus.qa.records import Reject

FILES = "lvb_val.json or validation-00000-of-00001.parquet"
COLUMNS = ("id", "video_path", "question")
PADDING = "N/A"
GROUPS = ("duration_group", "topic_category", "level")
OPTIONAL = (
    "candidates",
    *(f"option{number}" for number in range(len(LETTERS))),
    "correct_choice",
    "position",
    "question_category",
    *GROUPS,
)
_OPTION = re.compile(r"option(\d{1,3})")


def read(paths: Sequence[Path], options: Mapping[str, Any]) -> Iterator[RawQuestion | Reject]:
    """One raw question per row; flags carry `duration_group:`, `topic_category:` and `level:`."""
    split = options.get("split", "val")
    for path in paths:
        yield from each(path, rows_of(path, COLUMNS, OPTIONAL), partial(_raw_question, split=split))


def _raw_question(where: str, number: int, row: Any, split: str) -> RawQuestion:
    if not isinstance(row, dict):
        raise BadRow("bad_row", f"{row!r} is not an object")
    video = text_of(row, "video_path")
    if row.get("correct_choice") is None:
        raise BadRow("no_answer", "correct_choice: missing (the test split is published without answers)")
    options = options_of(row, "candidates") if row.get("candidates") is not None else _padded(row)
    groups = {name: optional_text(row, name) for name in GROUPS}
    return RawQuestion(
        where=where,
        source_id=identifier(row, "id"),
        videos=(f"videos/{video}", video),
        question=text_of(row, "question"),
        options=options,
        answer_index=answer_by_index(row, "correct_choice", options),
        split=split,
        category=optional_text(row, "question_category"),
        flags=tuple(f"{name}:{value}" for name, value in groups.items() if value),
        evidence_frames=tuple(
            frame for frame in map(as_whole, as_list(row.get("position")) or ()) if frame is not None
        ),
    )


def _padded(row: dict[str, Any]) -> tuple[str, ...]:
    """The options of the parquet copy, in the order of their numbers; "N/A" pads them unless it is what is right."""
    numbered = sorted((int(hit[1]), name) for name in row if (hit := _OPTION.fullmatch(name)))
    if not numbered:
        raise BadRow("missing_field", "candidates: missing")
    texts = [PADDING if row[name] is None else as_text(row[name]) or text_of(row, name) for _, name in numbered]
    right = as_whole(row["correct_choice"])
    while texts and texts[-1] == PADDING and len(texts) - 1 != right:
        texts.pop()
    return strip_letters(texts)
