"""EgoSchema: `questions.json` and the answers of its subset, `subset_answers.json`, or the copy `lmms-lab/egoschema`.

Answers are published of 500 of the 5,031 questions; the others are rejected as `no_answer`. Each video is three minutes
of Ego4D, at `<q_uid>.mp4`.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from refocus.core.errors import RefocusError
from refocus.qa.adapters.annotation_files import each, json_rows, json_value, rows_of
from refocus.qa.adapters.fields import answer_by_index, identifier
from refocus.qa.loose_values import as_text
from refocus.qa.raw_question import BadRow, RawQuestion, options_of, strip_letters, text_of
from refocus.qa.records import Reject

FILES = "questions.json; subset_answers.json too, unless it lies beside it"
ANSWERS = "subset_answers.json"
COLUMNS = ("question_idx", "video_idx", "question", "option", "answer")
FOLDERS = ("", "videos/", "good_clips_git/")
_OPTION = re.compile(r"option (\d)")


def read(paths: Sequence[Path], options: Mapping[str, Any]) -> Iterator[RawQuestion | Reject]:
    """One raw question per question, then one reject per answer that no question asks for.

    Raises:
        RefocusError: a file is missing or not of its kind.
    """
    split = options.get("split", "test")
    keys = [path for path in paths if path.suffix.lower() == ".json" and "answer" in path.stem.lower()]
    for path in (path for path in paths if path not in keys):
        if path.suffix.lower() != ".json":
            yield from each(path, rows_of(path, COLUMNS), partial(_from_copy, split=split))
            continue
        beside = path.with_name(ANSWERS)
        key = _answers(keys or ([beside] if beside.is_file() else []))
        rows = json_rows(path)
        yield from each(path, rows, partial(_raw_question, key=key, split=split))
        asked = {as_text(row.get("q_uid")) for row in rows if isinstance(row, dict)}
        for name in key:
            if name not in asked:
                yield Reject(name, "no_question", f"answers: {name!r} is not asked in {path.name}")


def _answers(paths: Sequence[Path]) -> dict[str, Any]:
    """Question → index of its right option."""
    merged: dict[str, Any] = {}
    for path in paths:
        value = json_value(path)
        if not isinstance(value, dict):
            raise RefocusError(f"{path}: expected a JSON object of question → answer")
        merged.update(value)
    return merged


def _raw_question(where: str, number: int, row: Any, key: Mapping[str, Any], split: str) -> RawQuestion:
    if not isinstance(row, dict):
        raise BadRow("bad_row", f"{row!r} is not an object")
    name = identifier(row, "q_uid")
    numbered = sorted((int(hit[1]), column) for column in row if (hit := _OPTION.fullmatch(column)))
    if not numbered:
        raise BadRow("missing_field", "option 0: missing")
    choices = strip_letters([text_of(row, column) for _, column in numbered])
    return _built(where, name, name, row, choices, key.get(name), split)


def _from_copy(where: str, number: int, row: Any, split: str) -> RawQuestion:
    name = identifier(row, "question_idx")
    return _built(where, name, identifier(row, "video_idx"), row, options_of(row, "option"), row.get("answer"), split)


def _built(
    where: str, name: str, video: str, row: dict[str, Any], choices: tuple[str, ...], answer: Any, split: str
) -> RawQuestion:
    question = text_of(row, "question")
    if answer is None or answer == "":
        raise BadRow("no_answer", "answer: missing (those of 500 questions are published)")
    return RawQuestion(
        where=where,
        source_id=name,
        videos=tuple(f"{folder}{video}.mp4" for folder in FOLDERS),
        question=question,
        options=choices,
        answer_index=answer_by_index({"answer": answer}, "answer", choices),
        split=split,
    )
