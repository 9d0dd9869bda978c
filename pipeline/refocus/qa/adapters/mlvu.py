"""MLVU dev: the official JSON file per task, or the parquet copy `sy1998/MLVU_dev`.

The JSON rows have no id: theirs is `<file stem>_<row>`. Answers are the option's text there and a letter in the copy,
whose questions repeat the options. Generative rows (sub-scene, summary) are rejected as `open_ended`.
Videos lie at `video/<task's folder>/<video>` or flat; either form of the annotations goes with either layout.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from refocus.qa.adapters.annotation_files import each, json_rows, rows_of
from refocus.qa.adapters.fields import answer_text, identifier, optional_text
from refocus.qa.raw_question import LETTERS, BadRow, RawQuestion, answer_by_letter, answer_by_text, options_of, text_of
from refocus.qa.records import Reject

FILES = "1_plotQA.json … 7_topic_reasoning.json, or test-00000-of-00001.parquet"
COLUMNS = ("video_name", "question", "candidates", "answer", "question_id")
FOLDERS = {
    "plotQA": "1_plotQA",
    "findNeedle": "2_needle",
    "needle": "2_needle",
    "ego": "3_ego",
    "count": "4_count",
    "order": "5_order",
    "anomaly_reco": "6_anomaly_reco",
    "topic_reasoning": "7_topic_reasoning",
}
REPEATED = "options_in_question"  # flag: the options could not be told from the question's own text
_OPTION_LINE = re.compile(r"\s*\(([A-Z])\)")


def read(paths: Sequence[Path], options: Mapping[str, Any]) -> Iterator[RawQuestion | Reject]:
    """One raw question per row of either form; the category is the task."""
    split = options.get("split", "dev")
    for path in paths:
        if path.suffix.lower() == ".json":
            yield from each(path, json_rows(path), partial(_from_official, stem=path.stem, split=split))
        else:
            yield from each(path, rows_of(path, COLUMNS, ("task_type",)), partial(_from_copy, split=split))


def _from_official(where: str, number: int, row: Any, stem: str, split: str) -> RawQuestion:
    if not isinstance(row, dict):
        raise BadRow("bad_row", f"{row!r} is not an object")
    video, question = text_of(row, "video"), text_of(row, "question")
    if "candidates" not in row:
        raise BadRow("open_ended", "candidates: missing, a generative task")
    options, task = options_of(row, "candidates"), optional_text(row, "question_type")
    return RawQuestion(
        where=where,
        source_id=f"{stem}_{number}",
        videos=_videos(video, [stem, FOLDERS.get(task, stem)]),
        question=question,
        options=options,
        answer_index=answer_by_text(answer_text(row, "answer"), options),
        split=split,
        category=task,
    )


def _from_copy(where: str, number: int, row: Any, split: str) -> RawQuestion:
    video, text, task = text_of(row, "video_name"), text_of(row, "question"), optional_text(row, "task_type")
    options = options_of(row, "candidates")
    question = _without_options(text, options)
    return RawQuestion(
        where=where,
        source_id=identifier(row, "question_id"),
        videos=(video, *_videos(video, [FOLDERS[task]] if task in FOLDERS else [])),
        question=question,
        options=options,
        answer_index=answer_by_letter(text_of(row, "answer"), options),
        split=split,
        category=task,
        flags=(REPEATED,) if question == text.rstrip() and _OPTION_LINE.match(question.split("\n")[-1]) else (),
    )


def _without_options(text: str, options: Sequence[str]) -> str:
    """The question in front of its options, `(A) …` and so on at the text's end."""
    text = text.rstrip()
    listed = "\n".join(f"({letter}) {option}" for letter, option in zip(LETTERS, options, strict=False))
    if text.endswith(listed.rstrip()):
        return text.removesuffix(listed.rstrip()).rstrip("\n")
    lines = text.split("\n")
    marks = [index for index, line in enumerate(lines) if _OPTION_LINE.match(line)][-len(options) :]
    letters = "".join(hit[1] for index in marks if (hit := _OPTION_LINE.match(lines[index])))
    return "\n".join(lines[: marks[0]]) if options and letters == LETTERS[: len(options)] else text


def _videos(video: str, folders: Sequence[str]) -> tuple[str, ...]:
    """The official layout in front, then one folder per task, then everything in one."""
    places = [f"{top}{folder}/" for top in ("video/", "") for folder in folders]
    return tuple(dict.fromkeys(f"{place}{video}" for place in (*places, "video/", "mlvu/", "")))
