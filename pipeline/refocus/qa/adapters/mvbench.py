"""MVBench: `json/<task>.json`, a list of 200 questions for each of 20 tasks; the answer is the option's text.

Rows have no id: theirs is `<file stem>_<row>`. Some have `start` and `end`, seconds that bound the clip. Videos lie at
`video/<corpus>/…`, each task's in its own; `episodic_reasoning` has folders of frames instead, which are no videos: its
clips are reported as missing.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from refocus.qa.adapters.annotation_files import each, rows_of
from refocus.qa.adapters.fields import answer_text, seconds
from refocus.qa.raw_question import BadRow, RawQuestion, answer_by_text, options_of, text_of
from refocus.qa.records import Reject

FILES = "json/action_sequence.json and the files of the other tasks"
COLUMNS = ("video", "question", "candidates", "answer")
OPTIONAL = ("start", "end")
_STAR, _CLEVRER, _PERCEPTION = "star/Charades_v1_480/", "clevrer/video_validation/", "perception/videos/"
FOLDERS = {
    "action_antonym": "ssv2_video/",
    "action_count": _PERCEPTION,
    "action_localization": "sta/sta_video/",
    "action_prediction": _STAR,
    "action_sequence": _STAR,
    "character_order": _PERCEPTION,
    "counterfactual_inference": _CLEVRER,
    "egocentric_navigation": "vlnqa/",
    "episodic_reasoning": "tvqa/frames_fps3_hq/",
    "fine_grained_action": "Moments_in_Time_Raw/videos/",
    "fine_grained_pose": "nturgbd/",
    "moving_attribute": _CLEVRER,
    "moving_count": _CLEVRER,
    "moving_direction": _CLEVRER,
    "object_existence": _CLEVRER,
    "object_interaction": _STAR,
    "object_shuffle": _PERCEPTION,
    "scene_transition": "scene_qa/video/",
    "state_change": _PERCEPTION,
    "unexpected_action": "FunQA_test/test/",
}  # task → its corpus below `video/`


def read(paths: Sequence[Path], options: Mapping[str, Any]) -> Iterator[RawQuestion | Reject]:
    """One raw question per row; the category is the task, by the file's name."""
    for path in paths:
        parse = partial(_raw_question, task=path.stem, split=options.get("split", "test"))
        yield from each(path, rows_of(path, COLUMNS, OPTIONAL), parse)


def _raw_question(where: str, number: int, row: Any, task: str, split: str) -> RawQuestion:
    if not isinstance(row, dict):
        raise BadRow("bad_row", f"{row!r} is not an object")
    video, options = text_of(row, "video"), options_of(row, "candidates")
    places = dict.fromkeys((FOLDERS.get(task, ""), ""))
    return RawQuestion(
        where=where,
        source_id=f"{task}_{number}",
        videos=tuple(f"{top}{folder}{video}" for folder in places for top in ("video/", "")),
        question=text_of(row, "question"),
        options=options,
        answer_index=answer_by_text(answer_text(row, "answer"), options),
        split=split,
        category=task,
        start_s=seconds(row, "start"),
        end_s=seconds(row, "end"),
    )
