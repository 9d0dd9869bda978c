"""How an LMM is asked: the likelihood of each option's letter, or a generated reply in which a letter is looked for."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from refocus.config.answer import AnswerSettings
from refocus.core.errors import RefocusError
from refocus.evaluate.replies import Reading
from refocus.lmm.prompts import LETTERS, Prompt
from refocus.qa.records import Question

if TYPE_CHECKING:
    from refocus.lmm import Lmm
    from refocus.lmm.option_scorer import Row
    from refocus.lmm.score_subsets import ClipFeatures


@dataclass(frozen=True)
class Reply:
    """What an LMM answers.

    prediction: place of an option, -1 for none. correct: whether it is the right one, or a reply to an open question is
    right. text: as generated, or the likeliest option's letter. logits: one per option; none of a generated reply.
    """

    prediction: int
    correct: bool
    text: str
    logits: tuple[float, ...] = ()


class Method(Protocol):
    """Asks the questions of one clip. asks_open: whether it can ask those without options."""

    @property
    def asks_open(self) -> bool: ...

    def __call__(
        self, lmm: "Lmm", clip: "ClipFeatures", asked: Sequence[Question], rows: Sequence["Row"]
    ) -> list[Reply]:
        """A reply per row (frames of the clip in the order shown, index into `asked`)."""


@dataclass(frozen=True)
class ByLikelihood:
    """The option whose letter is likeliest after `Answer:`."""

    asks_open: bool = False

    def __call__(
        self, lmm: "Lmm", clip: "ClipFeatures", asked: Sequence[Question], rows: Sequence["Row"]
    ) -> list[Reply]:
        """See `Method`.

        Raises:
            RefocusError: the logits are not finite, so that no option is the likeliest.
        """
        from refocus.lmm.score_subsets import option_logits, score_subsets

        made = []
        for variants, (_, number) in zip(score_subsets(lmm, {asked[0].clip_id: clip}, asked, rows), rows, strict=True):
            logits, question = tuple(float(value) for value in option_logits(variants)), asked[number]
            if not all(map(math.isfinite, logits)):
                raise RefocusError(f"question {question.qa_id}: the LMM's logits are not finite; use another dtype")
            best = max(range(len(logits)), key=logits.__getitem__)
            made.append(Reply(best, best == question.answer_index, LETTERS[best], logits))
        return made


@dataclass(frozen=True)
class ByGeneration:
    """What a greedily generated reply names, or says to an open question; a reply that names no option is wrong.

    most: tokens of a reply.
    """

    reading: Reading
    most: int
    asks_open: bool = True

    def __call__(
        self, lmm: "Lmm", clip: "ClipFeatures", asked: Sequence[Question], rows: Sequence["Row"]
    ) -> list[Reply]:
        """See `Method`."""
        prompts = [Prompt.of(question) for question in asked]
        texts = lmm.generate(clip.features, rows, prompts, clip.timestamps_s, self.most)
        made = []
        for text, (_, number) in zip(texts, rows, strict=True):
            prediction, correct = self.reading.of(asked[number], text)
            made.append(Reply(prediction, correct, text))
        return made


def method_of(settings: AnswerSettings, form: str) -> Method:
    """What the settings ask for, on a benchmark of this format."""
    if settings.method == "likelihood":
        return ByLikelihood()
    return ByGeneration(Reading(settings.extractor, form), settings.max_new_tokens)
