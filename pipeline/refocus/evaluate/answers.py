"""The table of answers of one (benchmark, LMM, selector, number of frames) (DESIGN section 4, stage 7)."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from refocus.config.answer import Extractor
from refocus.core import parquet
from refocus.core.errors import RefocusError
from refocus.core.files import settings_of, write_table

OPEN = "open_question"  # no options to choose from
UNREADABLE = "unreadable"  # the picked frames could not be decoded from the video

SCHEMA = pa.schema(
    [
        ("qa_id", pa.string()),
        ("frame_indices", pa.list_(pa.int16())),
        ("logits", pa.list_(pa.float32())),
        ("prediction", pa.int16()),
        ("correct", pa.bool_()),
        ("raw_reply", pa.string()),
        ("flags", pa.list_(pa.string())),
        ("frames_indices", pa.list_(pa.int64())),
    ]
)
ADDED_LATER = ("frames_indices",)  # tables from before lack it
AGAIN = "delete the file and answer again"


@dataclass(frozen=True)
class Answer:
    """One question answered from one set of frames.

    frame_indices, frames_indices: as in the selection, the clip's kept frames and their numbers in the file; the first
    is empty where a selection from elsewhere has frames that are not kept, the second in old tables. logits: one per
    option, empty if nothing was answered or a reply was generated. prediction: the option with the highest logit, or
    which the reply names; -1 if nothing was answered or named. raw_reply: what was generated, else the option's letter.
    """

    frame_indices: tuple[int, ...]
    logits: tuple[float, ...] = ()
    prediction: int = -1
    correct: bool = False
    raw_reply: str = ""
    flags: tuple[str, ...] = ()
    frames_indices: tuple[int, ...] = ()

    @property
    def answered(self) -> bool:
        """Whether the LMM was asked, be its reply empty or without a letter."""
        return not {OPEN, UNREADABLE} & set(self.flags) and self.n_frames > 0

    @property
    def n_frames(self) -> int:
        """How many frames the LMM was shown."""
        return len(self.frame_indices or self.frames_indices)


@dataclass(frozen=True)
class AnswerSet:
    """All answers of one file and what made them; `lmm` is the entry's name, `lmm_path` its folder or hub id.

    extractor: whose way of finding the letter in generated replies; None where options were scored.
    """

    benchmark: str
    lmm: str
    lmm_path: str
    selector: str
    frames: int
    seed: int
    answers: Mapping[str, Answer]
    extractor: Extractor | None = None


def write_answers(path: Path, made: AnswerSet, settings: Mapping[str, Any]) -> None:
    """Writes one row per question; what made them goes into the schema metadata beside the settings."""
    rows = made.answers.values()
    columns = {
        "qa_id": list(made.answers),
        "frame_indices": [row.frame_indices for row in rows],
        "logits": [row.logits for row in rows],
        "prediction": [row.prediction for row in rows],
        "correct": [row.correct for row in rows],
        "raw_reply": [row.raw_reply for row in rows],
        "flags": [row.flags for row in rows],
        "frames_indices": [row.frames_indices for row in rows],
    }
    keys = {name: getattr(made, name) for name in ("benchmark", "lmm", "lmm_path", "selector", "frames", "seed")}
    write_table(path, pa.table(columns, schema=SCHEMA), "answer", {**settings, "made": keys})


def read_answers(path: Path) -> AnswerSet:
    """Reads a file of answers.

    Raises:
        RefocusError: the file is missing or is no table of answers, has gaps or logits that are no numbers, or answers
            a question twice.
    """
    try:
        table = parquet.read_table(path)
        settings = settings_of(table.schema)
        notes, extractor = settings["made"], settings.get("extractor")
        absent = {name for name in ADDED_LATER if name not in table.column_names}
        names = [name for name in SCHEMA.names if name not in absent]
        _check_whole(path, table.select(names))
        columns = [table.column(name).to_pylist() for name in names] + [[()] * table.num_rows for _ in absent]
    except (KeyError, TypeError, ValueError) as error:
        raise RefocusError(f"{path} is not a table of answers: {error}") from None
    answers = {
        qa: Answer(tuple(frames), tuple(logits), prediction, correct, reply, tuple(flags), tuple(numbers))
        for qa, frames, logits, prediction, correct, reply, flags, numbers in zip(*columns, strict=True)
    }
    if len(answers) < table.num_rows:
        twice = next(qa for qa, times in Counter(columns[0]).items() if times > 1)
        raise RefocusError(f"{path} answers question {twice} more than once; {AGAIN}")
    return AnswerSet(**notes, answers=answers, extractor=extractor)


def _check_whole(path: Path, table: pa.Table) -> None:
    for name in table.column_names:
        column = table.column(name)
        if column.null_count:
            row = column.is_null().to_pylist().index(True)
            raise RefocusError(f"{path}: row {row} has no {name}; {AGAIN}")
    logits = pc.list_flatten(table.column("logits"))
    if not pc.all(pc.is_finite(logits), min_count=0).as_py():
        raise RefocusError(f"{path}: some logits are no numbers, so that no option is the likeliest; {AGAIN}")
