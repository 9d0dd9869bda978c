"""Embeds the clips of a shard and the questions about them."""

import logging
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from torch import Tensor

from refocus.qa.records import Question
from refocus.select.cost import Cost
from refocus.select.dual_encoder import DualEncoder, texts_of
from refocus.select.embeddings import ClipEmbeddings, QuestionEmbeddings
from refocus.select.whole_clips import whole_clips

if TYPE_CHECKING:
    from refocus.frames.frame_store import FrameStore

log = logging.getLogger(__name__)


def embed_shard(
    encoder: DualEncoder, store: "FrameStore", questions: Sequence[Question], readers: int
) -> tuple[dict[str, ClipEmbeddings], Cost]:
    """The embeddings of every clip that is asked about and has frames, and what they took.

    Texts that are longer than the encoder reads are counted and logged.
    """
    started, found = time.perf_counter(), {}
    pinned = encoder.device.type == "cuda"
    for clip, images in whole_clips(store, questions, encoder.frame_size, readers, pinned, "embed"):
        found[clip.clip_id] = embed_clip(encoder, images, clip.questions)
    asked = [question for clip in found.values() for question in clip.questions.values()]
    cost = Cost(
        seconds=time.perf_counter() - started,
        frame_passes=sum(len(clip.frames) for clip in found.values()),
        text_passes=sum(len(question.cut) for question in asked),
        cut_texts=sum(sum(question.cut) for question in asked),
    )
    if cost.cut_texts:
        alone = sum(question.cut[0] for question in asked)
        log.warning(
            "%d of %d texts are longer than the %d tokens that the text encoder reads, %d of %d questions even without "
            "an option; their ends count for nothing",
            cost.cut_texts,
            cost.text_passes,
            encoder.text_length,
            alone,
            len(asked),
        )
    return found, cost


def embed_clip(encoder: DualEncoder, images: np.ndarray | Tensor, questions: Sequence[Question]) -> ClipEmbeddings:
    """The embeddings of one clip.

    Args:
        images: (t, h, w, 3) uint8, all frames of the clip.
    """
    texts = {question.qa_id: texts_of(question) for question in questions}
    made = encoder.encode_texts([text for parts in texts.values() for text in parts])
    asked, first = {}, 0
    for qa_id, parts in texts.items():
        rows = slice(first, first + len(parts))
        asked[qa_id] = QuestionEmbeddings(made.vectors[rows][0], made.vectors[rows][1:], made.cut[rows])
        first += len(parts)
    return ClipEmbeddings(encoder.encode_frames(images), asked)
