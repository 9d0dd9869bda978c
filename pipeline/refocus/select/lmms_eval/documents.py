"""Documents of a task and the questions of our table: one benchmark's rows, read by its adapter, matched by content.

A document's place tells nothing: the table lacks rows that ingest rejected, and a task may have a part of them.
"""

import tempfile
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Any

from refocus.core.errors import RefocusError, UsageError
from refocus.qa.adapters import adapter
from refocus.qa.raw_question import RawQuestion
from refocus.qa.records import Question
from refocus.select.exports.picked import Asked

Content = tuple[str, str, tuple[str, ...]]  # name of the video without its ending, question, options


def questions_of(documents: Any, asked: Asked) -> list[Question | None]:
    """The question of every document, in their order; None where the table has none.

    Args:
        documents: a split of a task, as `datasets` loads it.
    Raises:
        UsageError: the table does not say with which adapter it was read.
        RefocusError: this adapter does not read the documents, or two questions cannot be told apart.
    """
    if not asked.format:
        raise UsageError(f"the question table of {asked.benchmark} does not say which format it was ingested from")
    media = [name for name, feature in documents.features.items() if hasattr(feature, "decode_example")]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "documents.parquet"
        documents.remove_columns(media).to_parquet(path)
        rows = list(adapter(asked.format).read([path], asked.options))
    if len(rows) != len(documents):
        raise RefocusError(f"{len(documents)} documents of the task give {len(rows)} rows of {asked.format}")
    known: dict[Content, list[Question]] = {}
    for question in asked.questions:
        known.setdefault(_content([question.video_path], question.question, question.options)[0], []).append(question)
    return [_same(row, known) if isinstance(row, RawQuestion) else None for row in rows]


def _same(row: RawQuestion, known: dict[Content, list[Question]]) -> Question | None:
    keys = dict.fromkeys(_content(row.videos, row.question, row.options))
    found = [question for key in keys for question in known.get(key, ())]
    if len(found) > 1:
        found = [question for question in found if question.source_id == row.source_id]
        if len(found) != 1:
            raise RefocusError(f"{row.source_id}: several questions of the table have its video, text and options")
    return found[0] if found else None


def _content(videos: Iterable[str], question: str, options: Iterable[str]) -> list[Content]:
    """What is compared, for each name that the video may have."""
    words = " ".join(question.split()), tuple(" ".join(option.split()) for option in options)
    return [(PurePosixPath(video).stem, *words) for video in videos]
