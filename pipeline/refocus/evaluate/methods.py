"""How an LMM is asked: the likelihood of each option's letter, or a generated reply in which a letter is looked for."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from refocus.config.answer import AnswerSettings
from refocus.core.errors import RefocusError
from refocus.evaluate.letters import Extractor, named_option
from refocus.lmm.prompts import LETTERS, Prompt
from refocus.qa.records import Question

if TYPE_CHECKING:
    from refocus.lmm import Lmm
    from refocus.lmm.option_scorer import Row
    from refocus.lmm.score_subsets import ClipFeatures


@dataclass(frozen=True)
class Reply:
    """What an LMM answers.

    prediction: place of an option, -1 for none. text: as generated, or the likeliest option's letter. logits: one per
    option; none of a generated reply.
    """

    prediction: int
    text: str
    logits: tuple[float, ...] = ()


class Method(Protocol):
    """Asks the questions of one clip."""

    def __call__(
        self, lmm: "Lmm", clip: "ClipFeatures", asked: Sequence[Question], rows: Sequence["Row"]
    ) -> list[Reply]:
        """A reply per row (frames of the clip in the order shown, index into `asked`)."""


def by_likelihood(lmm: "Lmm", clip: "ClipFeatures", asked: Sequence[Question], rows: Sequence["Row"]) -> list[Reply]:
    """The option whose letter is likeliest after `Answer:`.

    Raises:
        RefocusError: the logits are not finite, so that none is.
    """
    from refocus.lmm.score_subsets import option_logits, score_subsets

    raw = score_subsets(lmm, {asked[0].clip_id: clip}, asked, rows)
    made = []
    for (_, number), variants in zip(rows, raw, strict=True):
        logits = tuple(float(value) for value in option_logits(variants))
        if not all(map(math.isfinite, logits)):
            raise RefocusError(f"question {asked[number].qa_id}: the LMM's logits are not finite; use another dtype")
        best = max(range(len(logits)), key=logits.__getitem__)
        made.append(Reply(best, LETTERS[best], logits))
    return made


@dataclass(frozen=True)
class ByGeneration:
    """The option that a greedily generated reply names; a reply that names none is wrong."""

    extractor: Extractor
    most: int  # tokens of a reply

    def __call__(
        self, lmm: "Lmm", clip: "ClipFeatures", asked: Sequence[Question], rows: Sequence["Row"]
    ) -> list[Reply]:
        prompts = [Prompt.of(question) for question in asked]
        texts = lmm.generate(clip.features, rows, prompts, clip.timestamps_s, self.most)
        options = [len(asked[number].options) for _, number in rows]
        return [
            Reply(named_option(text, count, self.extractor), text) for text, count in zip(texts, options, strict=True)
        ]


def method_of(settings: AnswerSettings) -> Method:
    """What the settings ask for."""
    if settings.method == "likelihood":
        return by_likelihood
    return ByGeneration(settings.extractor, settings.max_new_tokens)
