"""What a lecture adds to what an LMM can answer without it (Video-MMMU's Δknowledge)."""

from collections.abc import Sequence

import numpy as np

from refocus.evaluate.scoring import Outcome, Score, resampled, too_few


def knowledge_gain(
    ours: Sequence[Outcome],
    theirs: Sequence[Outcome],
    before: Sequence[Outcome],
    level: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> Score | None:
    """(accuracy of ours - accuracy of theirs) / (1 - accuracy before), on the questions that all three answered.

    With `before` for `theirs` it is Δknowledge: what was gained, as a share of what could be. With another selector's
    results it is how far their Δknowledge lies apart. The interval is a percentile bootstrap over clips, which draws
    the question's results before and after together; none where there are `too_few` clips for one.

    Args:
        before: results without the lecture, under the qa_ids of `ours`.
    Returns:
        None where no question is answered by all, or where everything is known before.
    """
    known = [{outcome.qa_id: outcome.correct for outcome in side} for side in (theirs, before)]
    shared = [outcome for outcome in ours if all(outcome.qa_id in side for side in known)]
    if not shared:
        return None
    clips = {clip: row for row, clip in enumerate(dict.fromkeys(outcome.clip_id for outcome in shared))}
    sums = np.zeros((4, len(clips)))  # of ours, theirs, before; questions
    for outcome in shared:
        sums[:, clips[outcome.clip_id]] += (outcome.correct, *(side[outcome.qa_id] for side in known), 1)
    value = float(_gained(sums.sum(1)))
    if not np.isfinite(value):
        return None
    if resamples == 0 or too_few(len(clips), level):
        return Score(value, None, None, len(shared))
    drawn = _gained(sums @ resampled(len(clips), resamples, seed).astype(float).T)  # (r,)
    low, high = np.quantile(drawn[np.isfinite(drawn)], [(1 - level) / 2, (1 + level) / 2])
    return Score(value, float(low), float(high), len(shared))


def _gained(sums: np.ndarray) -> np.ndarray:
    """From sums of correct answers (4, …); not finite where everything is known before."""
    ours, theirs, before, questions = sums
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(questions > before, (ours - theirs) / (questions - before), np.nan)
