"""The picks of one selection table, for the documents that a task asks about: all of them, or an error that counts."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from refocus.core.errors import RefocusError, UsageError
from refocus.qa.records import Question
from refocus.select.exports.picked import named, read_asked, read_picked
from refocus.select.lmms_eval.documents import questions_of
from refocus.select.picks import Selection
from refocus.select.selector_digest import content_digest


@dataclass(frozen=True)
class PickedQuestion:
    """A question and the frames that were picked for it."""

    question: Question
    row: Selection


class PickedQuestions:
    """A selection table with its questions.

    Args:
        selections: one table, `n{frames}.s{seed}.parquet`. qa: the question table of its benchmark.
        digest: of the selection table, as `table_digest` writes it.
    Raises:
        UsageError: the digest is not that of the file.
        RefocusError: a table is unreadable, or a question has no row.
    """

    def __init__(self, selections: Path, qa: Path, digest: str | None) -> None:
        if not selections.is_file():
            raise UsageError(f"selections={selections}: name one selection table, n<frames>.s<seed>.parquet")
        self.path = selections
        found = table_digest(selections)
        if digest != found:
            given = f"names another table's, {digest}" if digest else "lacks its digest"
            raise UsageError(
                f"model_args {given}: add digest={found} for {selections}; lmms-eval keeps replies by the text of "
                "model_args, so that without it replies to other frames would come back from its cache"
            )
        self.asked = read_asked(qa)
        self.table = read_picked([selections], [self.asked])[0]

    def of(self, task: str, documents: Any, wanted: Iterable[int]) -> dict[int, PickedQuestion]:
        """Questions and picks by the place of their document in the split.

        Raises:
            RefocusError: a document is no question of the table, or a question has no frames.
        """
        questions = questions_of(documents, self.asked)
        places = list(dict.fromkeys(wanted))
        strange = [place for place in places if questions[place] is None]
        if strange:
            raise RefocusError(
                f"task {task}: {len(strange)} of {len(places)} documents (number {', '.join(map(str, strange[:5]))}"
                f"{', …' if len(strange) > 5 else ''}) are no questions of {self.asked.benchmark} in its table: other "
                "text, options or video, or rejected by ingest; nothing is shown in place of their frames"
            )
        found = {place: question for place in places if (question := questions[place])}
        picked = {place: PickedQuestion(one, self.table.rows[one.qa_id]) for place, one in found.items()}
        empty = [one.question.source_id for one in picked.values() if not one.row.frames_indices]
        if empty:
            raise RefocusError(f"{self.path}: {named(empty)} have no frames; nothing is shown in their place")
        return picked


def table_digest(path: Path) -> str:
    """`sha256:` and the first 12 hex digits of the file's; the word keeps lmms-eval from reading digits as a number."""
    return f"sha256:{content_digest(path)}"
