"""ActivityNet-QA: `{train,val,test}_q.json` and `_a.json`, or the parquet copy `lmms-lab/ActivityNetQA`.

The data set is open-ended; what its rows become is the option `convert`, and every row carries what was done to it as
a flag. Questions and answers are joined by `question_id`; an answer without a question is a reject of its own.
Videos lie at `v_<id>`, in whatever folder and with whatever extension they were downloaded.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from refocus.core.errors import RefocusError
from refocus.qa.adapters.adapter_options import AdapterOptions
from refocus.qa.adapters.annotation_files import each, json_rows, rows_of
from refocus.qa.adapters.distractors import AnswerPool, usable
from refocus.qa.adapters.fields import answer_text, identifier, whole_number
from refocus.qa.raw_question import BadRow, RawQuestion, normalised, text_of
from refocus.qa.records import DROPPED, Reject

FILES = "train_q.json and train_a.json (or val, test; the answers may just lie beside), or test-*.parquet"
COLUMNS = ("video_name", "question_id", "question", "answer", "type")
TYPES = ("motion", "spatial", "temporal", "yes/no", "color", "object", "location", "number", "other")
YES_NO = TYPES.index("yes/no")
FOLDERS = ("", "videos/", "v1-3/train_val/", "train_val/", "all_test/")


class ActivityNetOptions(AdapterOptions):
    """How the open-ended rows become multiple choice; the paper does not say."""

    convert: Literal["distractors", "yes_no_only", "drop"] = Field(
        "distractors",
        description="distractors: yes/no rows get two options, the others wrong answers drawn from rows of their type; "
        "yes_no_only: the others are dropped; drop: all are",
    )
    distractors: int = Field(3, ge=1, le=9, description="wrong options of a row that is not yes/no")
    seed: int = Field(0, ge=0, description="which wrong answers are drawn, and where the right one stands")


OPTION_TYPE = ActivityNetOptions


class _Answers:
    """The answer rows of one file by question id, and the answers each type has to draw from."""

    def __init__(self, path: Path, rows: Sequence[Any]) -> None:
        self.path = path
        self.places: dict[str, list[int]] = {}
        self.rows = rows
        self.nameless: list[int] = []
        self.ambiguous: set[str] = set()
        given: dict[int, list[tuple[str, str]]] = {}
        for number, row in enumerate(rows):
            source_id = _id(row)
            if source_id is None:
                self.nameless.append(number)
                continue
            places = self.places.setdefault(source_id, [])
            places.append(number)
            if row != rows[places[0]]:
                self.ambiguous.add(source_id)
            try:
                given.setdefault(_kind(row), []).append((source_id, _text(row)))
            except BadRow:
                continue  # becomes a reject when its question is read
        self.pools = {kind: AnswerPool(answers) for kind, answers in given.items()}

    def find(self, source_id: str) -> tuple[str, int]:
        """Answer and type of a question.

        Raises:
            BadRow: it has none, several that differ, or one that cannot be used.
        """
        places = self.places.get(source_id, [])
        if not places:
            raise BadRow("no_answer", f"question_id: {source_id!r} has no row in {self.path.name}")
        where = f"{self.path.name} row {places[0]}"
        if source_id in self.ambiguous:
            raise BadRow("ambiguous_answer", f"question_id: answered in different ways from {where} on")
        try:
            return _text(self.rows[places[0]]), _kind(self.rows[places[0]])
        except BadRow as bad:
            raise BadRow(bad.reason, f"{where}: {bad.detail}") from None


def read(paths: Sequence[Path], options: Mapping[str, Any]) -> Iterator[RawQuestion | Reject]:
    """One raw question or reject per question, then one reject per answer that no question asks for.

    Raises:
        RefocusError: a file of questions or answers is missing or cannot be read.
    """
    settings = ActivityNetOptions.model_validate(dict(options))
    keys = [path for path in paths if path.stem.endswith("_a")]
    unused = list(keys)
    for path in paths:
        if path in keys:
            continue
        if path.suffix.lower() != ".json":
            rows = list(rows_of(path, COLUMNS))
            yield from _joined(path, rows, _Answers(path, rows), settings)
            continue
        rows, key = json_rows(path), _key_of(path, keys)
        if not key.is_file():
            raise RefocusError(f"{key}: no such annotation file; it has the answers of {path.name}")
        yield from _joined(path, rows, _Answers(key, json_rows(key)), settings)
        unused = [other for other in unused if other != key]
    for key in unused:
        raise RefocusError(f"{key}: the questions of these answers, {_base(key)}_q.json, are not among the files")


def _key_of(path: Path, keys: Sequence[Path]) -> Path:
    """The file with the answers of a file of questions: of the same name, beside it rather than elsewhere."""
    beside = path.with_name(f"{_base(path)}_a.json")
    same = [key for key in keys if _base(key) == _base(path)]
    return same[0] if same and beside not in same else beside


def _joined(
    path: Path, rows: list[Any], answers: _Answers, settings: ActivityNetOptions
) -> Iterator[RawQuestion | Reject]:
    """The questions of one file with their answers, then the answers that are left over."""
    asked: dict[str, Any] = {}
    ambiguous = set()
    for row in rows:
        if source_id := _id(row):
            first = asked.setdefault(source_id, row)
            if (first.get("video_name"), first.get("question")) != (row.get("video_name"), row.get("question")):
                ambiguous.add(source_id)
    parse = partial(
        _raw_question,
        answers=answers,
        ambiguous=ambiguous,
        split=settings.split or _base(path).split("-")[0],
        settings=settings,
    )
    yield from each(path, rows, parse)
    if answers.path == path:
        return  # every row has its own answer
    name = answers.path.name
    for number in answers.nameless:
        detail = f"question_id: {answers.rows[number]!r} has none"
        yield Reject(f"{answers.path.stem}_{number}", "bad_row", f"{name} row {number}: {detail}")
    for source_id, places in answers.places.items():
        if source_id not in asked:
            for number in places:
                detail = f"question_id: {source_id!r} is not asked in {path.name}"
                yield Reject(source_id, "no_question", f"{name} row {number}: {detail}")


def _raw_question(
    where: str, number: int, row: Any, answers: _Answers, ambiguous: set[str], split: str, settings: ActivityNetOptions
) -> RawQuestion:
    if not isinstance(row, dict):
        raise BadRow("bad_row", f"{row!r} is not an object")
    source_id, question = identifier(row, "question_id"), text_of(row, "question")
    video = identifier(row, "video_name").strip()
    if not video:
        raise BadRow("missing_field", "video_name: empty")
    if source_id in ambiguous:
        raise BadRow("duplicate_id", f"question_id: {source_id!r} names different questions")
    answer, kind = answers.find(source_id)
    if settings.convert == "drop" or (settings.convert == "yes_no_only" and kind != YES_NO):
        raise BadRow(DROPPED, f"type: open-ended ({TYPES[kind]}), left out by convert: {settings.convert}")
    choices: tuple[str, ...] = ("yes", "no")
    if kind == YES_NO:
        way, right = "yes_no", _yes_or_no(answer)
    else:
        way = "distractors"
        choices, right = answers.pools[kind].choices(source_id, answer, settings.distractors, settings.seed)
        if len(choices) < 2:
            raise BadRow("no_distractors", f"answer: no other answer of type {kind} in {answers.path.name}")
    return RawQuestion(
        where=where,
        source_id=source_id,
        videos=tuple(f"{folder}v_{video}.mp4" for folder in FOLDERS),
        question=question,
        options=choices,
        answer_index=right,
        split=split,
        category=TYPES[kind],
        flags=(f"converted:{way}",),
    )


def _id(row: Any) -> str | None:
    """What joins questions and answers, None where a row has none."""
    try:
        return identifier(row, "question_id")
    except BadRow:
        return None


def _text(row: dict[str, Any]) -> str:
    """The answer of a row."""
    answer = answer_text(row, "answer").strip()
    if not answer:
        raise BadRow("empty_answer", "answer: empty")
    if not usable(answer):
        raise BadRow("bad_text", f"answer: {answer!a} is not valid Unicode")
    return answer


def _kind(row: dict[str, Any]) -> int:
    """The type of a row, 0 to 8."""
    kind = whole_number(row, "type")
    if not 0 <= kind < len(TYPES):
        raise BadRow("bad_field", f"type: {kind} is not one of 0 to {len(TYPES) - 1}")
    return kind


def _yes_or_no(answer: str) -> int:
    word = normalised(answer)
    if word not in ("yes", "no"):
        raise BadRow("unparsable_answer", f"answer: {answer!r} to a yes/no question")
    return ("yes", "no").index(word)


def _base(path: Path) -> str:
    """`val_q.json` and `val_a.json` → val."""
    return path.stem.removesuffix("_q").removesuffix("_a")
