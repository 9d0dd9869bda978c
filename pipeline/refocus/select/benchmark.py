"""Benchmark mode of `select`: one selector over all questions of a benchmark, one table per number of frames."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from refocus.config.selectors import SelectorName
from refocus.core.errors import UsageError
from refocus.core.progress import bar
from refocus.qa.records import Question, by_clip
from refocus.select.baselines import NO_EVIDENCE
from refocus.select.last_frame import LAST_FRAME, with_last_frame
from refocus.select.picks import Picks, Selection, VideoFile
from refocus.select.selections import NO_FRAMES, count_flags, file_name, write_selections
from refocus.select.selector import ClipView, Selector

if TYPE_CHECKING:
    from refocus.frames.frame_store import FrameStore

log = logging.getLogger(__name__)


def select_benchmark(
    selector: Selector,
    questions: Sequence[Question],
    store: "FrameStore",
    budgets: Sequence[int],
    files: Mapping[str, VideoFile],
    keep_last_frame: bool = False,
) -> dict[int, dict[str, Selection]]:
    """The selections of every question for every number of frames, in the order of the questions.

    A question whose clip has no decoded frames gets an empty selection with the flag `no_frames`.

    Args:
        files: what is known of the video file of each clip, by clip_id.
        keep_last_frame: whether the clip's last frame is always among the picks (`with_last_frame`).
    """
    chosen: dict[int, dict[str, Selection]] = {n: {} for n in budgets}
    for clip_id, asked in bar(by_clip(questions).items(), desc="select", unit="clip"):
        record = store.record(clip_id) if clip_id in store else None
        file = files[clip_id]
        if record is None or record.n_frames == 0:
            nothing = Selection.of(Picks((), (), (NO_FRAMES,)), (), file=file)
            for n in budgets:
                chosen[n].update({question.qa_id: nothing for question in asked})
            continue
        clip = ClipView(clip_id, tuple(record.timestamps_s))
        for n, picked in selector.pick(clip, asked, budgets).items():
            for question, own in zip(asked, picked, strict=True):
                picks = with_last_frame(own, clip.n_frames) if keep_last_frame else own
                chosen[n][question.qa_id] = Selection.of(picks, clip.timestamps_s, record.source_frames, file)
    return {n: {question.qa_id: rows[question.qa_id] for question in questions} for n, rows in chosen.items()}


def check_index(questions: Sequence[Question], store: "FrameStore", where: object) -> None:
    """Refuses the index files of another benchmark, which would leave every question without frames.

    Raises:
        UsageError: there are questions, and none is about a clip of the index; `where` names their file.
    """
    if questions and not any(question.clip_id in store for question in questions):
        raise UsageError(
            f"none of the {len(questions)} questions of {where} is about a clip of the index files: are they another "
            "benchmark's?"
        )


def frames_asked(questions: Sequence[Question], store: "FrameStore") -> int:
    """The kept frames of all clips that are asked about: what a selector looks at that reads each clip once."""
    return sum(store.record(clip_id).n_frames for clip_id in by_clip(questions) if clip_id in store)


def write_benchmark(
    chosen: Mapping[int, Mapping[str, Selection]],
    out: Path,
    name: SelectorName,
    benchmark: str,
    settings: Mapping[str, Any],
) -> None:
    """Writes `n{frames}.s{seed}.parquet` per number of frames and logs what is unusual."""
    for n, rows in chosen.items():
        notes = {**settings, "selector": str(name), "benchmark": benchmark, "frames": n}
        write_selections(Path(out) / file_name(n, settings["seed"]), rows, notes)
    rows = next(iter(chosen.values()))
    for flag, count in count_flags(rows.values()).items():
        log.warning("%s on %s: %d of %d questions %s (%s)", name, benchmark, count, len(rows), _what(flag), flag)


def _what(flag: str) -> str:
    """What a flag says of its question, for the log."""
    with_frames = {LAST_FRAME: "with the last frame in place of a pick", NO_EVIDENCE: "with uniform frames"}
    return with_frames.get(flag, "without frames")
