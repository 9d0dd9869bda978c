"""Perception Test, multiple choice: `mc_question_{train,valid,test}.json` or `all_*.json` with
`cut_frame_mapping_*.json`, or the parquet copy `lmms-lab/PerceptionTest_Val`.

The JSON file is an object of video id → metadata and questions. The mapping says before which frame a video has to be
cut so that its end does not show the answer (-1: nowhere); the cut becomes the clip's end in seconds and a flag.
Videos lie at `<video id>.mp4`.
"""

import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from refocus.core.errors import RefocusError
from refocus.qa.adapters.annotation_files import each, json_entries, json_value, rows_of
from refocus.qa.adapters.fields import answer_by_index, identifier, label, optional_text, whole_number
from refocus.qa.loose_values import LARGE, as_list, as_text
from refocus.qa.raw_question import BadRow, RawQuestion, options_of, text_of
from refocus.qa.records import Reject

logger = logging.getLogger(__name__)

FILES = "mc_question_train.json or all_train.json; cut_frame_mapping_train.json too, unless it lies beside them"
COLUMNS = ("video_name", "question", "question_id", "options", "answer_id")
MORE_COLUMNS = ("area", "reasoning", "tag")
MAP_PREFIX = "cut_frame_mapping"
UNMAPPED = "no_cut_mapping"  # flag of rows whose video may have to be cut, for all that is known
_SPLIT = re.compile(r"(?<![a-z])(train|valid|val|test)(?![a-z])")


class _Cuts:
    """Where the videos have to be cut, by video id; `known` is False if there is no mapping at all."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self.known = bool(paths)
        self._frames: dict[str, tuple[str, Any]] = {}
        for path in paths:
            value = json_value(path)
            if not isinstance(value, dict):
                raise RefocusError(f"{path}: expected a JSON object of video id → frame")
            self._frames.update({video: (path.name, frame) for video, frame in value.items()})

    def frame(self, video: str) -> int | None:
        """The first frame that must not be seen, or None."""
        name, value = self._frames.get(video, ("", -1))
        try:
            frame = whole_number({video: value}, video)
        except BadRow as bad:
            raise BadRow("bad_field", f"{name}: {bad.detail}") from None
        return frame if frame > 0 else None


def read(paths: Sequence[Path], options: Mapping[str, Any]) -> Iterator[RawQuestion | Reject]:
    """One raw question per question, in file order; a video whose entry cannot be read is one reject.

    Raises:
        RefocusError: a file is missing or not of its kind.
    """
    maps = [path for path in paths if path.stem.startswith(MAP_PREFIX)]
    for path in (path for path in paths if path not in maps):
        split = _split(path)
        beside = path.with_name(f"{MAP_PREFIX}_{split}.json")
        cuts = _Cuts(maps or ([beside] if beside.is_file() else []))
        if not cuts.known and split != "test":  # test videos are published cut
            logger.warning("%s: no %s: videos whose end shows the answer stay whole", path, beside.name)
        if path.suffix.lower() != ".json":
            parse = partial(_from_copy, cuts=cuts, split=options.get("split", split))
            yield from each(path, rows_of(path, COLUMNS, MORE_COLUMNS), parse)
        else:
            for video, entry in json_entries(path):
                yield from _video(path, video, entry, cuts, options.get("split"))


def _video(path: Path, video: str, entry: Any, cuts: _Cuts, split: str | None) -> Iterator[RawQuestion | Reject]:
    """The questions of one entry of the JSON file."""
    where = f"{path.name} {video}"
    try:
        asked, metadata = _parts(entry)
    except BadRow as bad:
        yield Reject(video, bad.reason, f"{where}: {bad.detail}")
        return
    split = split or optional_text(metadata, "split") or _split(path)
    for number, row in enumerate(asked):
        place = f"{where} mc_question {number}"
        try:
            if not isinstance(row, dict):
                raise BadRow("bad_row", f"{row!r} is not an object")
            yield _raw_question(place, video, identifier(row, "id"), row, metadata, cuts, split)
        except BadRow as bad:
            name = as_text(row.get("id")) if isinstance(row, dict) else None
            source_id = f"{video}_{f'row{number}' if name is None else name}"
            yield Reject(source_id, bad.reason, f"{place}: {bad.detail}")


def _parts(entry: Any) -> tuple[list[Any], dict[str, Any]]:
    """Questions and metadata of a video; a video of other tasks alone has no questions."""
    if not isinstance(entry, dict):
        raise BadRow("bad_row", f"{entry!r} is not an object")
    asked, metadata = entry.get("mc_question", []), entry.get("metadata", {})
    if not isinstance(asked, list):
        raise BadRow("bad_field", f"mc_question: {asked!r} is not a list")
    if not isinstance(metadata, dict):
        raise BadRow("bad_field", f"metadata: {metadata!r} is not an object")
    optional_text(metadata, "split")
    return asked, metadata


def _from_copy(where: str, number: int, row: Any, cuts: _Cuts, split: str) -> RawQuestion:
    """A row of the parquet copy, which has no metadata: a video that must be cut cannot be."""
    return _raw_question(where, identifier(row, "video_name"), identifier(row, "question_id"), row, {}, cuts, split)


def _raw_question(
    where: str, video: str, number: str, row: dict[str, Any], metadata: Mapping[str, Any], cuts: _Cuts, split: str
) -> RawQuestion:
    options = options_of(row, "options")
    question = text_of(row, "question")
    if row.get("answer_id") is None:
        raise BadRow("no_answer", "answer_id: missing (the test split is published without answers)")
    flags = [] if cuts.known or split == "test" else [UNMAPPED]
    frame = cuts.frame(video)
    end_s = None if frame is None else _seconds(frame, metadata)
    if end_s is not None:
        flags.append(f"cut_frame:{frame}")
    reasoning = optional_text(row, "reasoning").capitalize()
    return RawQuestion(
        where=where,
        source_id=f"{video}_{number}",
        videos=tuple(f"{folder}{video}.mp4" for folder in ("", "videos/", f"{split}_videos/", f"{split}/videos/")),
        question=question,
        options=options,
        answer_index=answer_by_index(row, "answer_id", options),
        split=split,
        category=optional_text(row, "area").capitalize(),
        end_s=end_s,
        flags=tuple(flags + [f"reasoning:{reasoning}"] * bool(reasoning) + [f"tag:{tag}" for tag in _tags(row)]),
    )


def _seconds(frame: int, metadata: Mapping[str, Any]) -> float | None:
    """When a frame is first shown, so that a clip that ends there does not have it; None past the last frame."""
    rate = metadata.get("frame_rate")
    if isinstance(rate, bool) or not isinstance(rate, int | float) or not 0 < rate < LARGE:
        raise BadRow("bad_field", f"metadata.frame_rate: {rate!r} is no rate, and the video is cut at frame {frame}")
    frames = metadata.get("num_frames")
    return None if isinstance(frames, int) and frame >= frames else frame / rate


def _tags(row: Mapping[str, Any]) -> list[str]:
    return [label(tag) for tag in as_list(row.get("tag")) or () if isinstance(tag, str)]


def _split(path: Path) -> str:
    """`mc_question_valid.json` → valid; the folder's name counts where the file's says nothing."""
    found = _SPLIT.search(path.stem.lower()) or _SPLIT.search(path.parent.name.lower())
    return {"val": "valid"}.get(found[1], found[1]) if found else "train"
