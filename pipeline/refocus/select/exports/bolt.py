"""BOLT's file of picks: `{video: [{"question_id", "question", "frames": [seconds]}]}`, video without its extension.

Its reader turns seconds into frame numbers by round(seconds * average rate) and sorts them.
"""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from refocus.core.errors import RefocusError
from refocus.core.files import write_text
from refocus.qa.adapters.annotation_files import json_value
from refocus.qa.records import Question
from refocus.select.exports.checks import exactly_n, numbers, once, only
from refocus.select.exports.picked import Asked, ExportSources, ForeignPicks, PickedTable, named
from refocus.select.frame_clock import even_rate

MLVU = "mlvu"  # where its question_id is the video's name


class Bolt:
    """Seconds of the file, exact to the frame under the reader's own rounding."""

    name = "bolt"

    def write(self, tables: Sequence[PickedTable], sources: ExportSources, path: Path) -> None:
        """Questions below their videos.

        Raises:
            RefocusError: two questions of one video cannot be told apart by what the reader looks at, a file's frames
                do not come at an even rate, or a question has other than n frames.
        """
        table = only(tables, self.name)
        exactly_n(table, self.name)
        _refuse_twins(table.asked)
        rows = [(question, table.rows[question.qa_id]) for question in table.asked.questions]
        uneven = [question.source_id for question, picked in rows if not even_rate(picked, picked.file)]
        if uneven:
            raise RefocusError(
                f"{table.path}: {named(uneven)} are about videos whose frames do not come at an even rate, so that "
                "BOLT's reader, which multiplies seconds by the average rate, would show other frames"
            )
        videos: dict[str, list[dict[str, Any]]] = {}
        for question, picked in rows:
            video, number, text = _key(table.asked, question)
            entry = {"question_id": number, "question": text, "frames": picked.timestamps_s}
            videos.setdefault(video, []).append(entry)
        write_text(path, json.dumps(videos, ensure_ascii=False))

    def read(self, path: Path, asked: Asked, sources: ExportSources) -> dict[str, ForeignPicks]:
        """Seconds by video, question_id and question.

        Raises:
            RefocusError: an entry is of no question, or two questions cannot be told apart.
        """
        _refuse_twins(asked)
        by_name = {_key(asked, question): question.qa_id for question in asked.questions}
        found: dict[str, ForeignPicks] = {}
        for video, row in _entries(path):
            qa_id = by_name.get((video, str(row["question_id"]), str(row["question"])))
            if qa_id is None:
                raise RefocusError(f"{path}: video {video}: {row['question_id']} is no question of it")
            where = f"{path}: video {video}, question {row['question_id']}"
            found[once(found, qa_id, where, row["question"])] = ForeignPicks(seconds=numbers(row["frames"], where))
        return found


def _entries(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Videos with each of their questions."""
    videos = json_value(path)
    for video, rows in videos.items() if isinstance(videos, dict) else [("?", [None])]:
        for row in rows if isinstance(rows, list) else [None]:
            if not isinstance(row, dict) or not {"question_id", "question", "frames"} <= row.keys():
                raise RefocusError(f"{path}: video {video}: expected a list of question_id, question and frames")
            yield video, row


def _refuse_twins(asked: Asked) -> None:
    """Within a video the id has to tell questions apart; in MLVU, where it is the video's name, the text."""
    names = {question: _name(asked, question) for question in asked.questions}
    counts = Counter(names.values())
    twins = [question.source_id for question, name in names.items() if counts[name] > 1]
    if twins:
        by = "text" if asked.format == MLVU else "id"
        raise RefocusError(
            f"{named(twins)} of {asked.benchmark} share their video and their {by}, by which BOLT's file tells them "
            "apart: one would get the other's frames"
        )


def _name(asked: Asked, question: Question) -> tuple[str, str]:
    video, number, text = _key(asked, question)
    return video, text if asked.format == MLVU else number


def _key(asked: Asked, question: Question) -> tuple[str, str, str]:
    """Video, question_id and question as the program's own files have them."""
    path = PurePosixPath(question.video_path)
    if asked.format == MLVU:
        return path.stem, path.name, question.question.split("\n")[0]
    return path.stem, question.source_id, question.question
