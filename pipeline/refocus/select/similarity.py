"""Selectors that pick by scores made before: cosines of frames and texts, or an LMM's certainty."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from refocus.config.selectors import OPTIONS
from refocus.config.training_free import TrainingFreeSettings
from refocus.core.errors import RefocusError
from refocus.qa.records import Question
from refocus.select.aks import aks
from refocus.select.bolt import bolt
from refocus.select.embeddings import ClipEmbeddings
from refocus.select.mdp3 import mdp3
from refocus.select.picks import Picks
from refocus.select.selections import NOT_ASKED
from refocus.select.selector import ClipView
from refocus.select.topk import topk

Method = Callable[[np.ndarray, np.ndarray, Sequence[int]], Mapping[int, Sequence[int]]]


def method(kind: str, settings: TrainingFreeSettings) -> Method:
    """How topk, aks, bolt or mdp3 picks, `-options` behind the name or not.

    Returns:
        A function of (t, d) frames, (t,) cosines and numbers of frames that gives frames for each number.
    """
    name = kind.removesuffix(OPTIONS)
    if name == "mdp3":
        return lambda frames, cosines, budgets: mdp3(
            frames, cosines, budgets, settings.mdp3_lambda, settings.mdp3_segment, settings.mdp3_widths
        )
    one: dict[str, Callable[[np.ndarray, int], Sequence[int]]] = {
        "topk": topk,
        "aks": lambda cosines, n: aks(cosines, n, settings.aks_threshold, settings.aks_depth),
        "bolt": lambda cosines, n: bolt(cosines, n, settings.bolt_power),
    }
    return lambda frames, cosines, budgets: {n: one[name](cosines, n) for n in budgets}


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
