"""LLaVA-Video-178K, multiple-choice files: one conversation of several questions per row.

Videos lie at `<bucket>/<video>`, where the bucket is the row's `data_source`, else the annotation file's folder. Stems
such as `video_10001` repeat between corpora, so a video is its whole path.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from refocus.qa.adapters.conversations import raw_questions
from refocus.qa.raw_question import BadRow, RawQuestion, text_of
from refocus.qa.records import Reject

FILES = "*_mc_*_qa_processed.json files of the buckets"
COLUMNS = ("conversations", "video")


def read(paths: Sequence[Path], options: Mapping[str, Any]) -> Iterator[RawQuestion | Reject]:
    """One raw question per turn; a row without a usable conversation is one reject."""
    for path in paths:
        yield from raw_questions(
            path, COLUMNS, options.get("split", "train"), partial(_videos, folder=path.parent.name)
        )


def _videos(row: Any, folder: str) -> tuple[str, ...]:
    if not isinstance(row, dict):
        raise BadRow("bad_row", f"{row!r} is not an object")
    video = text_of(row, "video")
    source = row.get("data_source")
    buckets = [source] if isinstance(source, str) and source else []
    return tuple(dict.fromkeys(f"{bucket}/{video}" if bucket else video for bucket in (*buckets, folder, "")))
