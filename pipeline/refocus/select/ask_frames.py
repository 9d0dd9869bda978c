"""Asks an LMM every question of a shard with one frame at a time."""

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from torch import Tensor

from refocus.core.errors import RefocusError
from refocus.lmm.option_scorer import Lmm
from refocus.lmm.score_subsets import ClipFeatures, option_logits, score_subsets
from refocus.qa.records import Question
from refocus.select.cost import Cost
from refocus.select.whole_clips import whole_clips

if TYPE_CHECKING:
    from refocus.frames.frame_store import FrameStore


def certain_shard(
    lmm: Lmm, store: "FrameStore", questions: Sequence[Question], readers: int
) -> tuple[dict[str, np.ndarray], Cost]:
    """The log-certainty of every question from each frame of its clip, and what that took.

    It is empty for a question that the LMM cannot be asked: without frames, with too few options or too many. Questions
    about clips of another shard are passed over.
    """
    started, frames = time.perf_counter(), 0
    found = {question.qa_id: np.zeros(0, np.float32) for question in questions if question.clip_id in store}
    asked = [question for question in questions if 2 <= len(question.options) <= lmm.max_options]
    pinned = lmm.device.type == "cuda"
    for clip, images in whole_clips(store, asked, lmm.frame_size, readers, pinned, "certainty"):
        found |= certain_clip(lmm, images, store.record(clip.clip_id).timestamps_s, clip.questions)
        frames += clip.n_frames
    passes = sum(len(values) for values in found.values())
    return found, Cost(time.perf_counter() - started, frame_passes=frames, lmm_passes=passes)


def certain_clip(
    lmm: Lmm, images: np.ndarray | Tensor, timestamps_s: Sequence[float], questions: Sequence[Question]
) -> dict[str, np.ndarray]:
    """log max_a p(a | frame, question) over the answer options, (t,) per qa_id.

    The logarithm, because many frames make a good LMM all but certain, and 1 - 1e-9 is 1 in float32. Frames are
    encoded once, and a clip's questions share each frame's prefix.

    Args:
        images: (t, h, w, 3) uint8, all frames of the clip. timestamps_s: (t,) their seconds.
    Raises:
        RefocusError: as `certain_features`.
    """
    sure = certain_features(lmm, lmm.encode(images), timestamps_s, questions)
    return {question.qa_id: values for question, values in zip(questions, sure, strict=True)}


def certain_features(
    lmm: Lmm, features: Tensor, timestamps_s: Sequence[float], questions: Sequence[Question]
) -> np.ndarray:
    """The same from what `Lmm.encode` made of the frames: (q, t).

    Raises:
        RefocusError: the LMM gives a question no finite logits.
    """
    clip_id, count = questions[0].clip_id, len(timestamps_s)
    clips = {clip_id: ClipFeatures(range(count), features, timestamps_s)}
    rows = [((frame,), number) for number in range(len(questions)) for frame in range(count)]
    raw = score_subsets(lmm, clips, questions, rows)
    sure = np.array([_log_certainty(option_logits(variants)) for variants in raw]).reshape(len(questions), count)
    for question, values in zip(questions, sure, strict=True):
        if not np.isfinite(values).all():
            raise RefocusError(f"question {question.qa_id}: the LMM's logits are not finite; use another dtype")
    return sure


def _log_certainty(logits: Tensor) -> float:
    """log max softmax = -log(1 + Σ exp(z_other - z_max)), exact where it is next to 0."""
    others = logits.double().sort().values
    return -float((others[:-1] - others[-1]).exp().sum().log1p())
