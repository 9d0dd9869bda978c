"""Video-MMMU: the git repository's `{perception,comprehension,adaptation}_video.json`, or the parquet of each track.

The same 300 ids occur in every track, so a source id is `<track>/<id>`; category and flags name the track too.
Videos lie at `<Discipline>/<id>.mp4`. With the option `visual: question_only` the Adaptation track is asked about
`question_only/<id>_image.mp4`, two seconds of the question's picture: the score before the lecture.
Questions without options are open: their answer is kept as published, a list or a broken list literal included.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from refocus.core.errors import RefocusError
from refocus.qa.adapters.adapter_options import AdapterOptions
from refocus.qa.adapters.annotation_files import each, entries, json_entries, rows_of
from refocus.qa.adapters.fields import answer_text, identifier, optional_text
from refocus.qa.loose_values import as_list
from refocus.qa.origin import YOUTUBE_FLAG
from refocus.qa.raw_question import BadRow, RawQuestion, answer_by_letter, options_of, text_of
from refocus.qa.records import OPEN, Reject

FILES = "adaptation_video.json and its sisters, or Adaptation/test-00000-of-00001.parquet and its sisters"
COLUMNS = ("id", "question", "options", "answer")
_LECTURE = re.compile(r"v=([\w-]{11})", re.ASCII)  # the link may go on: `&t=12s`, or stray letters
BEFORE_LECTURE = "visual:question_only"  # flag: asked without the lecture
TRACKS = ("Perception", "Comprehension", "Adaptation")
SUBJECTS = {
    "Art": "Art Art_Theory Design Music",
    "Business": "Accounting Economics Finance Manage Marketing",
    "Engineering": "Agriculture Architecture_and_Engineering Computer_Science Electronics Energy_and_Power Materials "
    "Mechanical_Engineering",
    "Humanities": "History Literature Sociology Psychology",
    "Medicine": "Basic_Medical_Science Clinical_Medicine Diagnostics_and_Laboratory_Medicine Pharmacy Public_Health",
    "Science": "Biology Chemistry Geography Math Physics",
}
DISCIPLINES = {subject: discipline for discipline, subjects in SUBJECTS.items() for subject in subjects.split()}


class VideoMmmuOptions(AdapterOptions):
    """Options of Video-MMMU."""

    visual: Literal["lecture", "question_only"] = Field(
        "lecture", description="what is watched: the lecture, or the clip of the question's picture alone (Adaptation)"
    )


OPTION_TYPE = VideoMmmuOptions


def read(paths: Sequence[Path], options: Mapping[str, Any]) -> Iterator[RawQuestion | Reject]:
    """One raw question per row of every track in the files; flags carry `track:`, `discipline:` and `subject:`.

    Raises:
        RefocusError: a file's track is unknown.
    """
    settings = VideoMmmuOptions.model_validate(dict(options))
    for path in paths:
        for track, rows in _tracks(path):
            parse = partial(_raw_question, track=track, visual=settings.visual, split=settings.split or "test")
            for row in each(path, rows, parse):
                yield replace(row, source_id=f"{track}/{row.source_id}") if isinstance(row, Reject) else row


def _tracks(path: Path) -> Iterator[tuple[str, Iterable[Any]]]:
    """The tracks of a file with their rows."""
    if path.suffix.lower() != ".json":
        parts = [part.casefold() for part in reversed(path.absolute().parts)]
        named = [track for part in parts for track in TRACKS if part.startswith(track.casefold())]
        if not named:
            raise RefocusError(f"{path}: neither its name nor its folder's begins with one of {', '.join(TRACKS)}")
        yield named[0], rows_of(path, COLUMNS, ("question_type", "link_selected"))
        return
    for name, rows in json_entries(path):
        if name.capitalize() not in TRACKS or not isinstance(rows, dict | list):
            raise RefocusError(f"{path}: '{name}' is not a track ({', '.join(TRACKS)}) with its rows")
        yield name.capitalize(), [row for _, row in entries(rows)] if isinstance(rows, dict) else rows


def _raw_question(where: str, number: int, row: Any, track: str, visual: str, split: str) -> RawQuestion:
    if not isinstance(row, dict):
        raise BadRow("bad_row", f"{row!r} is not an object")
    name, question, kind = identifier(row, "id"), text_of(row, "question"), optional_text(row, "question_type")
    if visual == "question_only" and track != "Adaptation":
        raise BadRow("no_question_clip", f"id: {name} has a question_only clip in the Adaptation track alone")
    subject = "_".join(name.split("_")[1:-1])
    discipline = DISCIPLINES.get(subject)
    options = options_of(row, "options") if row.get("options") is not None else ()
    flags = {"track": track, "discipline": discipline, "subject": subject, "question_type": kind}
    marks = [f"{key}:{value}" for key, value in flags.items() if value]
    lecture = _LECTURE.search(str(row.get("link_selected") or ""))
    if visual == "question_only":
        marks.append(BEFORE_LECTURE)
    elif lecture:
        marks.append(YOUTUBE_FLAG + lecture[1])
    if options:
        index, answer = answer_by_letter(text_of(row, "answer"), options), ""
        if not kind and track == "Adaptation":
            marks.append("question_type_missing")
    elif kind == "open" or (not kind and track == "Adaptation"):
        index, (answer, form) = OPEN, _open_answer(row.get("answer"))
        marks += form
    else:
        raise BadRow("no_options", f"options: there are none, and question_type {kind!r} is not open")
    return RawQuestion(
        where=where,
        source_id=f"{track}/{name}",
        videos=_videos(name, discipline, visual),
        question=question,
        options=options,
        answer_index=index,
        split=split,
        category=track,
        answer_text=answer,
        flags=tuple(marks),
    )


def _videos(name: str, discipline: str | None, visual: str) -> tuple[str, ...]:
    if visual == "question_only":
        return (f"question_only/{name}_image.mp4", f"{name}_image.mp4")
    folders = [discipline] if discipline else list(SUBJECTS)
    return (*(f"{folder}/{name}.mp4" for folder in folders), f"{name}.mp4")


def _open_answer(value: Any) -> tuple[str, list[str]]:
    """The answer's text as published, and a flag where it is a list of accepted answers or a broken one."""
    if isinstance(value, list) and value:
        return json.dumps(value, ensure_ascii=False), ["answer_list"]
    text = answer_text({"answer": value}, "answer")
    if not text.lstrip().startswith("["):
        return text, []
    return text, ["malformed_answer_list" if as_list(text) is None else "answer_list"]
