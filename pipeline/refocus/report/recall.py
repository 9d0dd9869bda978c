"""Whether picks show the evidence, without asking any LMM: recall, coverage and precision at k picks.

Of one question with spans of evidence S and picks P (recall@k of retrieval, with spans in place of documents):
recall is the share of S that some pick lies in, coverage whether it is all of them, precision the share of P that lies
in any span.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from refocus.evaluate.intervals import mean_over_videos
from refocus.evaluate.scoring import Outcome, Score
from refocus.qa.loose_values import Span
from refocus.qa.records import Question
from refocus.select.picks import Selection
from refocus.select.selections import ALONE

WHOLE = 0.95  # of a clip: evidence that is longer is in every frame, and every selector finds it
MEASURES = ("recall", "coverage", "precision")


@dataclass(frozen=True)
class Sought:
    """A question whose evidence is known and does not last all of its clip.

    spans_s: when each piece of it is visible, widened to the frame shown where no kept frame lies in it. timestamps_s:
    of the clip's kept frames.
    """

    question: Question
    spans_s: tuple[Span, ...]
    timestamps_s: tuple[float, ...]

    def measure(self, selection: Selection) -> dict[str, float]:
        """MEASURES of one selection, each from 0 to 1."""
        shown = [[low <= time_s < high for time_s in selection.timestamps_s] for low, high in self.spans_s]
        found = sum(map(any, shown)) / len(shown)
        inside = sum(map(any, zip(*shown, strict=True)))
        return {
            "recall": found,
            "coverage": float(found == 1),
            "precision": inside / max(1, len(selection.timestamps_s)),
        }

    def all_shown_by(self, frames: Iterable[int]) -> bool:
        """Whether some kept frames hold every piece of the evidence."""
        times = [self.timestamps_s[frame] for frame in frames]
        return all(any(low <= time_s < high for time_s in times) for low, high in self.spans_s)

    def by_chance(self, picks: int) -> float:
        """The recall to expect of so many frames drawn without looking, all different."""
        total, n = len(self.timestamps_s), min(picks, len(self.timestamps_s))
        chances = [1 - math.comb(total - width, n) / math.comb(total, n) for width in self._widths]
        return sum(chances) / len(chances)

    @property
    def _widths(self) -> list[int]:
        """How many kept frames show each span."""
        return [sum(low <= time_s < high for time_s in self.timestamps_s) for low, high in self.spans_s]

    @property
    def depth(self) -> float:
        """Where the first span begins, from 0 (at the start of the clip) to 1 (it ends with the clip)."""
        (low, high), start = self.spans_s[0], self.timestamps_s[0]
        room = _length(self.timestamps_s) - (high - low)
        return min(1.0, max(0.0, (low - start) / room)) if room > 0 else 0.0

    def by_uniform(self, picks: int) -> float:
        """The recall to expect of so many evenly spaced frames if the evidence lay anywhere: n w / T, at most 1."""
        chances = [min(1.0, picks * width / len(self.timestamps_s)) for width in self._widths]
        return sum(chances) / len(chances)


def everywhere(spans: Sequence[Span], timestamps_s: Sequence[float]) -> bool:
    """Whether some evidence lasts all of a clip with these kept frames, so that any frame shows it."""
    return any(high - low >= WHOLE * _length(timestamps_s) for low, high in spans)


def _length(times: Sequence[float]) -> float:
    """Seconds that the kept frames stand for."""
    return (times[-1] - times[0]) * len(times) / max(1, len(times) - 1)


def mean_of(
    measure: str, sought: Sequence[Sought], runs: Sequence[Mapping[str, Selection]], level: float
) -> Score | None:
    """One of MEASURES over questions, averaged over runs, with an interval over videos; None where picks are missing.

    Questions that all came out alike say nothing of how they would vary, and get no interval.
    """
    outcomes = [list(_outcomes(measure, sought, run)) for run in runs]
    found = mean_over_videos(outcomes, level)
    if found is None:
        return None
    if found.low is None or found.high is None or found.low == found.high:
        return Score(found.value, None, None, found.questions)
    return Score(found.value, found.low, found.high, found.questions)


def _outcomes(measure: str, sought: Sequence[Sought], run: Mapping[str, Selection]) -> Iterator[Outcome]:
    for one in sought:
        selection = run.get(one.question.qa_id)
        if selection is not None and ALONE not in selection.flags:
            q = one.question
            yield Outcome(q.qa_id, q.clip_id, q.category, q.flags, one.measure(selection)[measure])
