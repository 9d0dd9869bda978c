"""Requests for a vLLM server: the picked frames as JPEG, with the metadata that tells the model when each is shown.

One line per question, in the batch form of the OpenAI API (`vllm run-batch`, or post each `body`). The server's default
`num_frames` would cut the list off and its default metadata count the frames from 0, so both are always given.
"""

import base64
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from refocus.core.errors import RefocusError, UsageError
from refocus.core.files import atomic
from refocus.core.progress import bar
from refocus.lmm.prompts import SYSTEM, option_lines
from refocus.qa.records import Question
from refocus.select.exports.checks import json_objects, once, only, whole_numbers
from refocus.select.exports.picked import Asked, ExportSources, ForeignPicks, PickedTable, named
from refocus.select.frame_clock import MILLISECONDS, frame_clock
from refocus.select.frame_files import jpeg
from refocus.select.picks import Selection
from refocus.video.pictures import pictures_at

URL = "/v1/chat/completions"
PREFIX = "data:video/jpeg;base64,"


class VllmRequests:
    """Questions with their frames, ready to be sent."""

    name = "vllm"

    def write(self, tables: Sequence[PickedTable], sources: ExportSources, path: Path) -> None:
        """A request per question; `custom_id` is its qa_id.

        Raises:
            UsageError: the videos or the model's name are not given.
            RefocusError: a question has no frames, or its video's length is not known.
        """
        table = only(tables, self.name)
        if sources.videos is None or sources.served_model is None:
            raise UsageError(
                "vllm sends frames to a model: name the folder of the videos with --videos, and --served-model"
            )
        empty = [q.source_id for q in table.asked.questions if not table.rows[q.qa_id].frames_indices]
        if empty:
            raise RefocusError(f"{table.path}: {named(empty)} have no frames to send")
        with atomic(path) as draft, draft.open("w", encoding="utf-8") as handle:
            for question in bar(table.asked.questions, desc="frames", unit="question"):
                row = table.rows[question.qa_id]
                frames = pictures_at(table.asked.video(question, sources.videos), row.timestamps_s)
                if len({frame.shape for frame in frames}) > 1:
                    raise RefocusError(f"{question.video_path}: the picked frames are of several sizes")
                line = {
                    "custom_id": question.qa_id,
                    "method": "POST",
                    "url": URL,
                    "body": request_body(question, row, map(jpeg, frames), sources.served_model),
                }
                handle.write(json.dumps(line, ensure_ascii=False) + "\n")

    def read(self, path: Path, asked: Asked, sources: ExportSources) -> dict[str, ForeignPicks]:
        """The frames of requests that `write` made.

        Raises:
            RefocusError: a line is none, of an unknown question, or of one that had a line.
        """
        known = {question.qa_id for question in asked.questions}
        found: dict[str, ForeignPicks] = {}
        for where, qa_id, said in _requests(path):
            if not isinstance(qa_id, str) or qa_id not in known:
                raise RefocusError(f"{where}: custom_id {qa_id!r:.80} is no question of {asked.benchmark}")
            shown = whole_numbers(said["frames_indices"], where)
            found[once(found, qa_id, where, f"question {qa_id}")] = (
                ForeignPicks(seconds=tuple(number / MILLISECONDS for number in shown))
                if said["fps"] == MILLISECONDS
                else ForeignPicks(shown, total_num_frames=said["total_num_frames"])
            )
        return found


def request_body(question: Question, row: Selection, frames: Iterable[bytes], model: str) -> dict[str, Any]:
    """A chat request about a question.

    Args:
        frames: the picked frames as JPEG, in temporal order.
    """
    encoded = ",".join(base64.b64encode(frame).decode("ascii") for frame in frames)
    lines = [question.question.strip()]
    lines += ["Options:", *option_lines(tuple(question.options))] if question.options else []
    content = [
        {"type": "video_url", "video_url": {"url": PREFIX + encoded}},
        {"type": "text", "text": "\n".join(lines)},
    ]
    system = [{"role": "system", "content": SYSTEM}] if question.options else []
    return {
        "model": model,
        "messages": [*system, {"role": "user", "content": content}],
        "media_io_kwargs": {"video": video_metadata(row)},
    }


def video_metadata(row: Selection) -> dict[str, Any]:
    """What vLLM hands to the model's processor, which takes a frame's time for `frames_indices / fps`.

    Raises:
        RefocusError: as `frame_clock`.
    """
    clock = frame_clock(row, row.file)
    return {**asdict(clock), "num_frames": len(row.frames_indices), "do_sample_frames": False}


def _requests(path: Path) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Place, custom_id and video metadata of every line."""
    for where, line in json_objects(path):
        try:
            said = line["body"]["media_io_kwargs"]["video"]
            yield where, line["custom_id"], {name: said[name] for name in ("frames_indices", "fps", "total_num_frames")}
        except (KeyError, TypeError) as error:
            raise RefocusError(f"{where}: no request of this format ({error})") from None
