"""Selectors that need no model: uniform, uniform of all frames seen, random, and an oracle that knows the evidence."""

from collections.abc import Mapping, Sequence

from refocus.core.errors import RefocusError
from refocus.frames.sampling import sample, uniform
from refocus.qa.evidence import Evidence, visible
from refocus.qa.loose_values import Span
from refocus.qa.records import Question
from refocus.select.methods import draw
from refocus.select.picks import Picks
from refocus.select.selector import ClipView, question_seed

NO_EVIDENCE = "no_evidence"  # flag of uniform picks for a question whose evidence the annotations do not tell


class UniformSelector:
    """The baseline: midpoints of n equal parts of the clip, the same for every question."""

    def pick(
        self, clip: ClipView, questions: Sequence[Question], budgets: Sequence[int]
    ) -> Mapping[int, Sequence[Picks]]:
        """See `Selector.pick`; picked in temporal order."""
        return {n: [Picks(tuple(uniform(clip.n_frames, n)))] * len(questions) for n in budgets}


class UniformSeenSelector:
    """Uniform at the cost of selection, counted in frames seen: the LMM gets what a selector would have looked at.

    A selector looks at every kept frame before it hands n to the LMM. Here nobody selects, and the LMM gets these
    frames itself, at most `most` of them, evenly spread, whatever n is.
    """

    def __init__(self, most: int):
        self.most = most

    def pick(
        self, clip: ClipView, questions: Sequence[Question], budgets: Sequence[int]
    ) -> Mapping[int, Sequence[Picks]]:
        """min(most, T) frames for every number of frames asked for, in temporal order."""
        return {n: [Picks(tuple(uniform(clip.n_frames, self.most)))] * len(questions) for n in budgets}


class RandomSelector:
    """Frames drawn without replacement, seeded per question; fewer frames are the first of more."""

    def __init__(self, seed: int = 0):
        self.seed = seed

    def pick(
        self, clip: ClipView, questions: Sequence[Question], budgets: Sequence[int]
    ) -> Mapping[int, Sequence[Picks]]:
        """See `Selector.pick`."""
        seeds = [question_seed(self.seed, question.qa_id) for question in questions]
        drawn = [draw(clip.n_frames, max(budgets), seed) for seed in seeds]
        return {n: [picks.first(n) for picks in drawn] for n in budgets}


class OracleSelector:
    """Sees when the evidence is visible: frames inside it first, evenly spread, the rest uniform over the others.

    With several spans each gets a share, so that n picks reach n spans; they may overlap. A span too short to hold a
    kept frame counts as the frame being shown at its middle. Where annotations leave out a question it gets uniform
    frames, and a flag.
    """

    def __init__(self, evidence: Evidence):
        self.evidence = evidence

    def pick(
        self, clip: ClipView, questions: Sequence[Question], budgets: Sequence[int]
    ) -> Mapping[int, Sequence[Picks]]:
        """See `Selector.pick`; scores are 1 inside the evidence and 0 outside.

        Raises:
            RefocusError: a question's evidence is not known, though the table is to be complete.
        """
        return {n: [self._one(clip, question, n) for question in questions] for n in budgets}

    def _one(self, clip: ClipView, question: Question, n: int) -> Picks:
        spans = self.evidence.of(question)
        if not spans and self.evidence.complete:
            raise RefocusError(
                f"the oracle does not know when the evidence of question {question.source_id} is visible; "
                "it serves only benchmarks that come with a truth table, or whose annotations say it"
            )
        if not spans:
            return Picks(tuple(uniform(clip.n_frames, n)), flags=(NO_EVIDENCE,))
        regions = [_frames_inside(clip.timestamps_s, span) for span in spans]
        every = set().union(*regions)
        inside = _spread(regions, n)
        inside += _fill(sorted(every.difference(inside)), n - len(inside))  # spans that overlap share frames
        rest = _fill([frame for frame in range(clip.n_frames) if frame not in every], n - len(inside))
        return Picks((*inside, *rest), (1.0,) * len(inside) + (0.0,) * len(rest))


def _frames_inside(timestamps_s: Sequence[float], span: Span) -> list[int]:
    start, end = visible(span, timestamps_s) if timestamps_s else span
    return [frame for frame, time in enumerate(timestamps_s) if start <= time < end]


def _fill(frames: Sequence[int], n: int) -> list[int]:
    """At most n of some frames, evenly spread; none where n is 0."""
    return list(sample(frames, n)) if n else []


def _spread(regions: Sequence[Sequence[int]], n: int) -> list[int]:
    """At most n distinct frames, shared out among the regions, evenly spread in each; one per region comes first."""
    shares = [0] * len(regions)
    left = n
    while left and any(share < len(region) for share, region in zip(shares, regions, strict=True)):
        for index, region in enumerate(regions):
            if left and shares[index] < len(region):
                shares[index] += 1
                left -= 1
    chosen = [_fill(region, share) for region, share in zip(regions, shares, strict=True)]
    rounds = max(shares, default=0)
    queue = [frames[turn] for turn in range(rounds) for frames in chosen if turn < len(frames)]
    return list(dict.fromkeys(queue))
