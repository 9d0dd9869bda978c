"""LVBench (not LongVideoBench): `video_info.meta.jsonl`, a line per video with its questions, or a row per question.

Options are part of the question's text. `time_reference` says when the answer can be seen, in whole seconds of a clock.
Videos lie at `<key>.mp4`, where the key is the YouTube id.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from refocus.qa.adapters.annotation_files import rows_of
from refocus.qa.adapters.conversations import parse_question
from refocus.qa.adapters.fields import evidence, identifier, label, optional_text
from refocus.qa.loose_values import as_list, as_text
from refocus.qa.raw_question import BadRow, RawQuestion, answer_by_letter, text_of
from refocus.qa.records import Reject

FILES = "video_info.meta.jsonl"
COLUMNS = ("uid", "key", "question", "answer")
OPTIONAL = ("question_type", "time_reference", "type", "qa")


def read(paths: Sequence[Path], options: Mapping[str, Any]) -> Iterator[RawQuestion | Reject]:
    """One raw question per question; flags carry `question_type:`, of which there may be several, and `type:`."""
    split = options.get("split", "test")
    for path in paths:
        for number, entry in enumerate(rows_of(path, COLUMNS, OPTIONAL)):
            for where, row in _questions(f"{path.name} row {number}", entry):
                try:
                    if isinstance(row, BadRow):
                        raise row
                    yield _raw_question(where, row, split)
                except BadRow as bad:
                    name = as_text(row.get("uid")) if isinstance(row, dict) else None
                    yield Reject(name or f"{path.stem}_{number}", bad.reason, f"{where}: {bad.detail}")


def _questions(where: str, entry: Any) -> Iterator[tuple[str, Any]]:
    """The questions of a line with what is said of their video; a line that is itself a question comes as it is."""
    if not isinstance(entry, dict) or entry.get("qa") is None:
        yield where, entry
    elif not isinstance(entry["qa"], list):
        yield where, BadRow("bad_field", f"qa: {entry['qa']!r} is not a list")
    else:
        video = {name: entry.get(name) for name in ("key", "type")}
        for number, row in enumerate(entry["qa"]):
            yield f"{where} qa {number}", {**video, **row} if isinstance(row, dict) else row


def _raw_question(where: str, row: Any, split: str) -> RawQuestion:
    if not isinstance(row, dict):
        raise BadRow("bad_row", f"{row!r} is not an object")
    video = identifier(row, "key")
    question, options = parse_question(text_of(row, "question"), "question")
    kinds = [label(kind) for kind in as_list(row.get("question_type")) or () if isinstance(kind, str)]
    kinds = kinds or list(filter(None, [optional_text(row, "question_type")]))
    spans, flags = evidence(row, "time_reference")
    genre = optional_text(row, "type")
    return RawQuestion(
        where=where,
        source_id=identifier(row, "uid"),
        videos=tuple(f"{folder}{video}.mp4" for folder in ("", "videos/", "all_videos/")),
        question=question,
        options=options,
        answer_index=answer_by_letter(text_of(row, "answer"), options),
        split=split,
        category=kinds[0] if kinds else "",
        flags=(*flags, *(f"question_type:{kind}" for kind in kinds), *([f"type:{genre}"] if genre else [])),
        evidence=spans,
    )
