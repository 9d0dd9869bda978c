"""The control for question dependence: each question gets the picks made for another question of its clip."""

from collections.abc import Mapping, Sequence

from refocus.core.errors import RefocusError
from refocus.qa.records import Question
from refocus.select.picks import Picks, Selection
from refocus.select.selections import ALONE
from refocus.select.selector import ClipView


class SwappedSelector:
    """Rotates picks among a clip's questions, so that no question keeps its own.

    A question alone on its clip gets no frames and the flag `alone_on_clip`; it is left out of the scores and counted.
    """

    def __init__(self, made: Mapping[int, Mapping[str, Selection]]):
        """made: the picks to hand around, by number of frames and qa_id."""
        self.made = made

    def pick(
        self, clip: ClipView, questions: Sequence[Question], budgets: Sequence[int]
    ) -> Mapping[int, Sequence[Picks]]:
        """See `Selector.pick`; `questions` must be all questions of the clip.

        Raises:
            RefocusError: picks of a question or of a number of frames are missing.
        """
        if len(questions) == 1:
            return {n: [Picks((), (), (ALONE,))] for n in budgets}
        donors = [*questions[1:], questions[0]]
        return {n: [self._made_for(donor, n) for donor in donors] for n in budgets}

    def _made_for(self, question: Question, n: int) -> Picks:
        try:
            return self.made[n][question.qa_id].picks
        except KeyError:
            raise RefocusError(f"there are no picks of {n} frames for question {question.qa_id} to swap") from None
