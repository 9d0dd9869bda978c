"""Answers to a benchmark's questions from picked frames.

Each video is read once for all numbers of frames and all its questions, each picked frame is encoded once, and
questions that see the same frames share their prefix. An answer belongs to its frames: it is never looked up by
question alone.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from refocus.core.errors import RefocusError, UsageError
from refocus.core.progress import bar
from refocus.evaluate.answers import OPEN, UNREADABLE, Answer
from refocus.evaluate.methods import ByLikelihood, Method, Reply
from refocus.frames.frame_store import FrameStore
from refocus.qa.records import Question, by_clip
from refocus.qa.video_root import VideoRoot
from refocus.select.picks import Selection
from refocus.video.decode import frames_at
from refocus.video.probe import VideoError
from refocus.video.tars import locate

if TYPE_CHECKING:
    from refocus.lmm import Lmm

BY_LIKELIHOOD = ByLikelihood()

log = logging.getLogger(__name__)

Pixels = Callable[[Question, Sequence[int], Sequence[float]], np.ndarray]
Chosen = Mapping[int, Mapping[str, Selection]]


def stored_frames(indexes: Sequence[Path], size: int) -> Pixels:
    """The pixels of a benchmark's stored frames, resized to the LMM's size."""
    store = FrameStore.open(indexes)

    def pixels(question: Question, frames: Sequence[int], times: Sequence[float]) -> np.ndarray:
        if len(frames) < len(times):
            raise UsageError(
                f"question {question.source_id}: some frames were picked elsewhere and are not stored; answer with "
                "--pixels native"
            )
        return store.images(question.clip_id, indices=frames, size=size)

    return pixels


def native_frames(videos: VideoRoot, size: int) -> Pixels:
    """The pixels of the videos themselves, decoded at the LMM's size."""
    return lambda question, frames, times: frames_at(videos.file(question.video_path), times, size)


def check_videos(questions: Sequence[Question], chosen: Chosen, videos: VideoRoot, tolerated: float) -> None:
    """Looks for the videos that frames were picked from, before a model is loaded.

    Args:
        tolerated: the share of them that may be missing; their questions are flagged and in no figure.
    Raises:
        UsageError: all of them are missing, so that there is nothing to answer from.
        RefocusError: more than the tolerated share is.
    """
    asked = _picked_videos(questions, chosen)
    missing = [path for path in asked if not _is_there(videos, path)]
    if missing and len(missing) == len(asked):
        raise UsageError(
            f"none of the {len(asked)} videos that are asked about is in {videos.folder} (the first: {asked[0]}); name "
            "their folder with --videos, or answer from the stored frames with --pixels shard"
        )
    _refuse_many(missing, asked, tolerated, f"are not in {videos.folder}")


def check_answers(
    questions: Sequence[Question], chosen: Chosen, made: Mapping[int, Mapping[str, Answer]], tolerated: float
) -> None:
    """Looks for videos that could not be read while they were asked about; a folder may go away during the job.

    Raises:
        RefocusError: more than the tolerated share of the videos.
    """
    lost = {qa_id for answers in made.values() for qa_id, answer in answers.items() if UNREADABLE in answer.flags}
    unread = list(dict.fromkeys(question.video_path for question in questions if question.qa_id in lost))
    _refuse_many(unread, _picked_videos(questions, chosen), tolerated, "could not be read")


def _picked_videos(questions: Sequence[Question], chosen: Chosen) -> list[str]:
    """The videos that frames were picked from; decoding has tolerated or refused the others."""
    picked = {qa_id for rows in chosen.values() for qa_id, selection in rows.items() if selection.timestamps_s}
    return list(dict.fromkeys(question.video_path for question in questions if question.qa_id in picked))


def _refuse_many(lost: Sequence[str], asked: Sequence[str], tolerated: float, what: str) -> None:
    if not lost:
        return
    named = f"{len(lost)} of {len(asked)} videos {what}: {', '.join(lost[:3])}{' …' if len(lost) > 3 else ''}"
    if len(lost) > tolerated * len(asked):
        raise RefocusError(
            f"{named}; their questions would count as wrong or not at all. Bring them back, or raise "
            f"answer.runtime.max_failure_rate ({tolerated:g})"
        )
    log.warning("%s; their questions are flagged and in no figure", named)


def _is_there(videos: VideoRoot, path: str) -> bool:
    try:
        locate(videos.file(path))
    except (FileNotFoundError, VideoError):
        return False
    return True


def answer_benchmark(
    lmm: "Lmm", questions: Sequence[Question], chosen: Chosen, pixels: Pixels, method: Method = BY_LIKELIHOOD
) -> dict[int, dict[str, Answer]]:
    """Answers every question with every number of frames.

    Args:
        chosen: selections by number of frames and qa_id.
        pixels: images uint8 (f, h, w, 3) of some frames of a question's clip, given their indices and seconds.
        method: how the LMM is asked.
    Returns:
        Answers by number of frames and qa_id, in the order of `questions`.
    Raises:
        RefocusError: a question has no selection.
    """
    made: dict[int, dict[str, Answer]] = {n: {} for n in chosen}
    for asked in bar(by_clip(questions).values(), desc="answer", unit="clip"):
        wanted = {
            (n, question.qa_id): _selection(rows, question, n) for n, rows in chosen.items() for question in asked
        }
        for (n, qa_id), answer in answer_clip(lmm, asked, wanted, pixels, method).items():
            made[n][qa_id] = answer
    return {n: {question.qa_id: rows[question.qa_id] for question in questions} for n, rows in made.items()}


def answer_clip(
    lmm: "Lmm",
    asked: Sequence[Question],
    wanted: Mapping[tuple[int, str], Selection],
    pixels: Pixels,
    method: Method = BY_LIKELIHOOD,
) -> dict[tuple[int, str], Answer]:
    """Answers the questions of one clip; `wanted` holds a selection per (number of frames, qa_id)."""
    index = {question.qa_id: number for number, question in enumerate(asked)}
    done: dict[tuple[int, str], Answer] = {}
    rows: dict[tuple[tuple[float, ...], int], None] = {}
    kept: dict[float, int] = {}  # the stored frame of each time, where there is one
    for key, selection in wanted.items():
        not_asked = not _can_be_asked(asked[index[key[1]]], method)
        if not_asked or not selection.timestamps_s:
            flags = selection.flags + ((OPEN,) if not_asked else ())
            done[key] = Answer(selection.frame_indices, flags=flags, frames_indices=selection.frames_indices)
        else:
            rows[selection.timestamps_s, index[key[1]]] = None
            kept |= dict(zip(selection.timestamps_s, selection.frame_indices, strict=False))
    replies = _ask(lmm, asked, list(rows), kept, pixels, method)
    for key, selection in wanted.items():
        if key not in done:
            done[key] = _answer(selection, replies.get((selection.timestamps_s, index[key[1]])))
    return done


def _can_be_asked(question: Question, method: Method) -> bool:
    """Questions need two options to choose from, or none and a method that writes its answers."""
    return len(question.options) > 1 or (method.asks_open and not question.options)


def _ask(
    lmm: "Lmm",
    asked: Sequence[Question],
    rows: list[tuple[tuple[float, ...], int]],
    kept: Mapping[float, int],
    pixels: Pixels,
    method: Method,
) -> dict[tuple[tuple[float, ...], int], Reply]:
    """The reply to each (times of the frames, question); nothing if the frames cannot be read."""
    from refocus.lmm.score_subsets import ClipFeatures

    if not rows:
        return {}
    times_s = sorted({time_s for shown, _ in rows for time_s in shown})
    place = {time_s: number for number, time_s in enumerate(times_s)}
    try:
        images = pixels(asked[0], [kept[time_s] for time_s in times_s if time_s in kept], times_s)
    except VideoError as error:  # damaged stored frames are not tolerated: decode mends them
        log.warning("%s", error)
        return {}
    clip = ClipFeatures(range(len(times_s)), lmm.encode(images), times_s)
    placed = [([place[time_s] for time_s in shown], number) for shown, number in rows]
    return dict(zip(rows, method(lmm, clip, asked, placed), strict=True))


def _answer(selection: Selection, reply: Reply | None) -> Answer:
    if reply is None:
        flags = (*selection.flags, UNREADABLE)
        return Answer(selection.frame_indices, flags=flags, frames_indices=selection.frames_indices)
    return Answer(
        frame_indices=selection.frame_indices,
        logits=reply.logits,
        prediction=reply.prediction,
        correct=reply.correct,
        raw_reply=reply.text,
        flags=selection.flags,
        frames_indices=selection.frames_indices,
    )


def _selection(rows: Mapping[str, Selection], question: Question, n: int) -> Selection:
    try:
        return rows[question.qa_id]
    except KeyError:
        raise RefocusError(
            f"question {question.qa_id} has no selection of {n} frames; they were made for another question table"
        ) from None
