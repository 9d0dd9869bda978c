"""Canonical JSONL: a line per question with everything that a selection knows, for programs that have no format yet."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from refocus.core.errors import RefocusError
from refocus.core.files import atomic
from refocus.qa.records import Question
from refocus.select.exports.checks import json_objects, once, whole_numbers
from refocus.select.exports.picked import Asked, ExportSources, ForeignPicks, PickedTable
from refocus.select.picks import VideoFile

FIELDS = (
    "benchmark", "qa_id", "key", "question", "video", "start_s", "end_s", "video_digest", "total_num_frames", "fps",
    "duration_s", "n_frames", "frames_indices", "timestamps_s", "pick_order", "score", "selector", "selector_digest",
    "seed", "flags",
)  # fmt: skip


class CanonicalJsonl:
    """Any number of selections in one file. `frames_indices` and `pick_order` both count frames of the video file."""

    name = "jsonl"

    def write(self, tables: Sequence[PickedTable], sources: ExportSources, path: Path) -> None:
        """One line per question and table, also for questions without frames; `flags` says why there are none."""
        with atomic(path) as draft, draft.open("w", encoding="utf-8") as handle:
            for table in tables:
                for question in table.asked.questions:
                    handle.write(json.dumps(canonical_row(table, question), ensure_ascii=False) + "\n")

    def read(self, path: Path, asked: Asked, sources: ExportSources) -> dict[str, ForeignPicks]:
        """Lines by `qa_id`, or by `key` where another program wrote them.

        Raises:
            RefocusError: a line is unreadable or of an unknown question, or a question has two.
        """
        by_key = {question.source_id: question.qa_id for question in asked.questions}
        known = {question.qa_id for question in asked.questions}
        found: dict[str, ForeignPicks] = {}
        for where, row in json_objects(path):
            if row.get("benchmark", asked.benchmark) != asked.benchmark:
                continue
            qa_id = named if (named := str(row.get("qa_id"))) in known else by_key.get(str(row.get("key")))
            if qa_id is None:
                raise RefocusError(f"{where}: neither its qa_id nor its key is a question of {asked.benchmark}")
            found[once(found, qa_id, where, f"question {row.get('key', qa_id)}")] = _foreign(row, where)
        return found


def canonical_row(table: PickedTable, question: Question) -> dict[str, Any]:
    """What a selection says of one question, with the names of docs/data_dictionary.md."""
    row = table.rows[question.qa_id]
    file = row.file or VideoFile(question.video_path)
    values = (
        table.asked.benchmark, question.qa_id, question.source_id, question.question, file.video, question.start_s,
        question.end_s, file.video_digest, file.total_num_frames, file.fps, file.duration_s, table.n_frames,
        row.frames_indices, row.timestamps_s, row.file_pick_order, row.score, table.selector, table.selector_digest,
        table.seed, row.flags,
    )  # fmt: skip
    return dict(zip(FIELDS, values, strict=True))


def _foreign(row: dict[str, Any], where: str) -> ForeignPicks:
    numbers = whole_numbers(row.get("frames_indices"), where)
    order = whole_numbers(row.get("pick_order") or row["frames_indices"], where)
    if sorted(order) != sorted(numbers):
        raise RefocusError(f"{where}: pick_order has other frames than frames_indices")
    scores, wanted = row.get("score"), row.get("n_frames")
    scored = isinstance(scores, list) and len(scores) == len(numbers)
    by_frame = dict(zip(numbers, scores or (), strict=True)) if scored else {}
    return ForeignPicks(
        frames=order,
        score=tuple(by_frame[number] for number in order) if by_frame else (),
        video_digest=row.get("video_digest"),
        total_num_frames=row.get("total_num_frames"),
        asked_for=None if wanted is None else whole_numbers([wanted], f"{where}: n_frames")[0],
    )
