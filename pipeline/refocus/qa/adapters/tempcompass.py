"""TempCompass, multiple choice: `questions/multi-choice.json`, or the parquet copy in `lmms-lab/TempCompass`.

The JSON file is an object of video id → aspect of time → questions; the options are part of the question's text, the
answer is a letter with its text. Its other tasks (yes/no, captions) have no options and are rejected as `no_options`.
Videos lie at `videos/<video id>.mp4`.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from refocus.qa.adapters.annotation_files import each, entries, json_entries, rows_of
from refocus.qa.adapters.conversations import parse_answer, parse_question
from refocus.qa.adapters.fields import identifier, optional_text
from refocus.qa.raw_question import BadRow, RawQuestion, text_of
from refocus.qa.records import Reject

FILES = "questions/multi-choice.json or multi-choice/test-00000-of-00001.parquet"
COLUMNS = ("video_id", "question", "answer")
OPTIONAL = ("dim",)


def read(paths: Sequence[Path], options: Mapping[str, Any]) -> Iterator[RawQuestion | Reject]:
    """One raw question per question; the category is the aspect: action, direction, speed, order, attribute_change.

    Raises:
        RefocusError: a file is missing or not of its kind.
    """
    for path in paths:
        rows = _rows(path) if path.suffix.lower() == ".json" else rows_of(path, COLUMNS, OPTIONAL)
        yield from each(path, rows, partial(_raw_question, stem=path.stem, split=options.get("split", "test")))


def _rows(path: Path) -> Iterator[Any]:
    """The questions of the JSON file, flat."""
    for video, aspects in json_entries(path):
        if not isinstance(aspects, dict):
            yield BadRow("bad_row", f"{video}: {aspects!r} is not an object of aspects")
            continue
        for aspect, questions in entries(aspects):
            if not isinstance(questions, list):
                yield BadRow("bad_row", f"{video}: {aspect}: {questions!r} is not a list of questions")
                continue
            for question in questions:
                yield {"video_id": video, "dim": aspect, **question} if isinstance(question, dict) else question


def _raw_question(where: str, number: int, row: Any, stem: str, split: str) -> RawQuestion:
    if not isinstance(row, dict):
        raise BadRow("bad_row", f"{row!r} is not an object")
    video = identifier(row, "video_id")
    question, options = parse_question(text_of(row, "question"), "question")
    return RawQuestion(
        where=where,
        source_id=f"{stem}_{number}",
        videos=(f"videos/{video}.mp4", f"{video}.mp4"),
        question=question,
        options=options,
        answer_index=parse_answer(text_of(row, "answer"), options, "answer"),
        split=split,
        category=optional_text(row, "dim"),
    )
