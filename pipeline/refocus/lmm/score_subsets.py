"""Questions about subsets of their clips' frames, scored in one call of the LMM.

f frames · p tokens per frame · e·d numbers of a token (`Lmm.encode`) · o options · v letter variants
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from refocus.lmm.prompts import Prompt
from refocus.qa.records import Question

if TYPE_CHECKING:
    from refocus.lmm.option_scorer import Lmm


@dataclass(frozen=True)
class ClipFeatures:
    """Some of a clip's kept frames after the LMM's vision tower.

    Attributes:
        frame_indices: (f,) which of the kept frames these are.
        features: (f, p, e·d), from `Lmm.encode`.
        timestamps_s: (f,) seconds of the file at which they are shown; None where they are not known, which only some
            families allow.
    """

    frame_indices: Sequence[int]
    features: Tensor
    timestamps_s: Sequence[float] | None


def score_subsets(
    lmm: "Lmm",
    clips: Mapping[str, ClipFeatures],
    questions: Sequence[Question],
    rows: Sequence[tuple[Sequence[int], int]],
) -> list[Tensor]:
    """Raw logits of the option letters (the z of Eq. 5) for every row; `option_logits` makes them one per option.

    Args:
        lmm: from `load_lmm`.
        clips: features of every frame that is shown, by clip id.
        questions: questions about these clips, with two options or more each.
        rows: (frame indices of the question's clip in the order shown, index into `questions`).
    Returns:
        One tensor (o, v) float32 on the CPU per row, in their order.
    Raises:
        RefocusError: as `Lmm.score`.
    """
    shown = [(clip_id, frame) for clip_id, clip in clips.items() for frame in clip.frame_indices]
    place = {frame: position for position, frame in enumerate(shown)}
    parts = [clip.features for clip in clips.values()]
    features = parts[0] if len(parts) == 1 else torch.cat(parts)
    placed = [([place[questions[asked].clip_id, frame] for frame in frames], asked) for frames, asked in rows]
    times = [clip.timestamps_s for clip in clips.values()]
    times_s = None if None in times else [second for part in times for second in part or ()]
    return lmm.score(features, placed, [Prompt.of(question) for question in questions], times_s)


def option_logits(raw: Tensor) -> Tensor:
    """(…, o, v) raw letter logits to (…, o): logsumexp over the ways to spell a letter."""
    return raw.logsumexp(-1)
