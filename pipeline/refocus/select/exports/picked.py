"""What is exported: a selection table with its questions. What is imported: a question's picks from elsewhere."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from refocus.core import parquet
from refocus.core.errors import RefocusError, UsageError
from refocus.core.files import settings_of
from refocus.qa.records import Question, read_questions
from refocus.qa.video_root import VideoRoot
from refocus.select.picks import Selection
from refocus.select.selections import frames_of, read_selections, seed_of

SHOWN = 5  # rows that a message names


@dataclass(frozen=True)
class Asked:
    """A benchmark's questions in the order of their table, and what it was read with. table: their file."""

    benchmark: str
    format: str
    options: Mapping[str, object]
    questions: tuple[Question, ...]
    table: Path | None = None

    def video(self, question: Question, videos: Path) -> Path:
        """A question's file in the folder of the videos.

        Raises:
            VideoError: it lies elsewhere.
        """
        return VideoRoot(videos, self.table).file(question.video_path)


@dataclass(frozen=True)
class PickedTable:
    """One selection table whose every row knows its file."""

    path: Path
    asked: Asked
    selector: str
    selector_digest: str
    n_frames: int
    seed: int
    rows: Mapping[str, Selection]


@dataclass(frozen=True)
class ForeignPicks:
    """The picks of one question in a file of another program, in the order they stand there.

    frames: numbers of frames in the file, or None where `seconds` says when they are shown. score: one per pick or
    none. video_digest, total_num_frames: of the file that they were picked from, where the program says so, as it may
    how many frames it was asked for.
    """

    frames: tuple[int, ...] | None = None
    seconds: tuple[float, ...] = ()
    score: tuple[float, ...] = ()
    video_digest: str | None = None
    total_num_frames: int | None = None
    asked_for: int | None = None

    def first(self, n: int) -> "ForeignPicks":
        """The first n."""
        frames = None if self.frames is None else self.frames[:n]
        return replace(self, frames=frames, seconds=self.seconds[:n], score=self.score[:n])

    @property
    def meant(self) -> int:
        """Of how many frames this is the list: a clip that has fewer gives all it has."""
        return max(len(self), self.asked_for or 0)

    def __len__(self) -> int:
        return len(self.seconds if self.frames is None else self.frames)


@dataclass(frozen=True)
class ExportSources:
    """What some formats need beside the picks.

    annotations: the benchmark's annotation file as its reader loads it. videos: the folder of the videos.
    served_model: the name that a server knows its model by.
    """

    annotations: Path | None = None
    videos: Path | None = None
    served_model: str | None = None


def read_asked(path: Path) -> Asked:
    """The questions of one benchmark.

    Raises:
        RefocusError: the table is unreadable or empty.
    """
    questions = tuple(read_questions(path))
    if not questions:
        raise RefocusError(f"{path} has no questions")
    notes = settings_of(parquet.read_schema(path))
    return Asked(questions[0].dataset, notes.get("format", ""), notes.get("options") or {}, questions, path)


def read_picked(tables: Iterable[Path], asked: Collection[Asked]) -> list[PickedTable]:
    """Selection tables with their questions.

    Raises:
        UsageError: the questions of one of them are not given.
        RefocusError: a table lacks some of its questions, or was made before its rows said anything of their files.
    """
    return [_picked(table, asked) for table in tables]


def _picked(path: Path, asked: Collection[Asked]) -> PickedTable:
    rows, notes = read_selections(path), settings_of(parquet.read_schema(path))
    mine = [one for one in asked if rows.keys() & {question.qa_id for question in one.questions}]
    if not mine:
        raise UsageError(f"{path}: its questions are in none of the tables given with --qa")
    missing = [question.source_id for question in mine[0].questions if question.qa_id not in rows]
    if missing:
        raise RefocusError(f"{path}: {named(missing)} of {mine[0].benchmark} have no row")
    if any(row.file is None for row in rows.values()):
        raise RefocusError(
            f"{path} was made before selections carried the numbers of the file's frames; make it again with "
            "`refocus select`"
        )
    return PickedTable(
        path=path,
        asked=mine[0],
        selector=str(notes.get("selector", "")),
        selector_digest=str(notes.get("selector_digest", "")),
        n_frames=frames_of(path),
        seed=seed_of(path),
        rows=rows,
    )


def named(ids: Collection[str]) -> str:
    """`3 questions (7, 12, 13)`."""
    shown = ", ".join(list(ids)[:SHOWN]) + (", …" if len(ids) > SHOWN else "")
    return f"{len(ids)} question{'s' if len(ids) != 1 else ''} ({shown})"
