"""Selectors that pick by scores made before: cosines of frames and texts, or an LMM's certainty."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from refocus.core.errors import RefocusError
from refocus.qa.records import Question
from refocus.select.embeddings import ClipEmbeddings
from refocus.select.methods import Method
from refocus.select.picks import Picks
from refocus.select.selections import NOT_ASKED
from refocus.select.selector import ClipView
from refocus.select.topk import topk


class SimilaritySelector:
    """Compares a clip's frames with a question's texts; the cosine of a frame is the largest over the texts."""

    def __init__(self, pick: Method, embeddings: Callable[[str], ClipEmbeddings], with_options: bool):
        """embeddings: of a clip_id. with_options: compare with the question and each option, not with it alone."""
        self._pick, self._embeddings, self._with_options = pick, embeddings, with_options

    def pick(
        self, clip: ClipView, questions: Sequence[Question], budgets: Sequence[int]
    ) -> Mapping[int, Sequence[Picks]]:
        """See `Selector.pick`; scores are the cosines.

        Raises:
            RefocusError: the embeddings are of other frames or questions.
        """
        known = self._embeddings(clip.clip_id)
        if len(known.frames) != clip.n_frames:
            raise RefocusError(
                f"clip {clip.clip_id} has {clip.n_frames} frames, not the {len(known.frames)} that were embedded: "
                "run `refocus embed`"
            )
        made: dict[int, list[Picks]] = {n: [] for n in budgets}
        for question in questions:
            if question.qa_id not in known.questions:
                raise RefocusError(f"there are no embeddings of question {question.qa_id}: run `refocus embed`")
            texts = known.questions[question.qa_id].texts(self._with_options)
            cosines = (known.frames @ texts.T).max(1)
            for n, frames in self._pick(known.frames, cosines, budgets).items():
                made[n].append(Picks(tuple(frames), tuple(float(cosines[frame]) for frame in frames)))
        return made


class ConfidenceSelector:
    """The frames from which an LMM is surest of its answer."""

    def __init__(self, certainty: Mapping[str, np.ndarray]):
        """certainty: (t,) by qa_id, higher is surer."""
        self._certainty = certainty

    def pick(
        self, clip: ClipView, questions: Sequence[Question], budgets: Sequence[int]
    ) -> Mapping[int, Sequence[Picks]]:
        """See `Selector.pick`; scores are logarithms of the certainty.

        A question that the LMM could not be asked gets no frames and the flag `not_asked`.

        Raises:
            RefocusError: the certainty is of other frames or questions.
        """
        most = [self._one(clip, question, max(budgets)) for question in questions]
        return {n: [picks.first(n) for picks in most] for n in budgets}

    def _one(self, clip: ClipView, question: Question, n: int) -> Picks:
        sure = self._certainty.get(question.qa_id)
        if sure is None or len(sure) not in (0, clip.n_frames):
            raise RefocusError(f"there is no certainty for question {question.qa_id}: run `refocus certainty`")
        if not len(sure):
            return Picks((), (), (NOT_ASKED,))
        frames = topk(sure, n)
        return Picks(tuple(frames), tuple(float(sure[frame]) for frame in frames))
