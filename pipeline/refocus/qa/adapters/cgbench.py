"""CG-Bench: `cgbench.json` or `cgbench_mini.json`, a list of questions about long videos with their clues.

`right_answer` is a letter, `answer` the option's text; `clue_intervals` are the seconds in which it can be seen. Videos
lie at `cg_videos_720p/<video_uid>.mp4`; the whole video is the clip, whatever its clues are.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from refocus.qa.adapters.annotation_files import each, rows_of
from refocus.qa.adapters.fields import answer_text, evidence, identifier, optional_text
from refocus.qa.raw_question import BadRow, RawQuestion, answer_by_letter, answer_by_text, options_of, text_of
from refocus.qa.records import Reject

FILES = "cgbench.json or cgbench_mini.json"
COLUMNS = ("qid", "video_uid", "question", "choices")
GROUPS = ("domain", "sub_category")
OPTIONAL = ("right_answer", "answer", "clue_intervals", *GROUPS)


def read(paths: Sequence[Path], options: Mapping[str, Any]) -> Iterator[RawQuestion | Reject]:
    """One raw question per row; the category is the sub-category, a flag carries `domain:`."""
    split = options.get("split", "test")
    for path in paths:
        yield from each(path, rows_of(path, COLUMNS, OPTIONAL), partial(_raw_question, split=split))


def _raw_question(where: str, number: int, row: Any, split: str) -> RawQuestion:
    if not isinstance(row, dict):
        raise BadRow("bad_row", f"{row!r} is not an object")
    video, options = identifier(row, "video_uid"), options_of(row, "choices")
    domain = optional_text(row, "domain")
    spans, flags = evidence(row, "clue_intervals")
    return RawQuestion(
        where=where,
        source_id=identifier(row, "qid"),
        videos=tuple(f"{folder}{video}.mp4" for folder in ("cg_videos_720p/", "cg_videos/", "videos/", "")),
        question=text_of(row, "question"),
        options=options,
        answer_index=_answer(row, options),
        split=split,
        category=optional_text(row, "sub_category"),
        flags=(*flags, *([f"domain:{domain}"] if domain else [])),
        evidence=spans,
    )


def _answer(row: dict[str, Any], options: Sequence[str]) -> int:
    """By letter, else by text; where both name an option they have to agree."""
    if row.get("right_answer") is None:
        if row.get("answer") is None:
            raise BadRow("no_answer", "right_answer: missing")
        return answer_by_text(answer_text(row, "answer"), options)
    right = answer_by_letter(text_of(row, "right_answer"), options, "right_answer")
    text = optional_text(row, "answer")
    try:
        other = answer_by_text(text, options) if text else right
    except BadRow:
        return right  # the text is worded in another way
    if other != right and options[other] != options[right]:
        raise BadRow("answer_mismatch", f"answer: {text!r} is not option {right}, {options[right]!r}")
    return right
