"""Accuracy from the frames above and below each share of the likelihood (Fig. 4), and what those frames show.

Fig. 4 is called symmetric: what the likely frames gain, the unlikely ones lose. Four readings of that are checked.
Where they fail, evidence explains why: accuracy is set beside what it would be if it depended on nothing but whether
the shown frames hold all of the evidence.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from refocus.config.answer import Extractor
from refocus.config.selectors import kind_of, run_of
from refocus.core.errors import RefocusError
from refocus.evaluate.answers import AnswerSet, read_answers
from refocus.evaluate.intervals import Interval, mean_over_videos, paired
from refocus.evaluate.scoring import Outcome, mean_outcomes, outcomes
from refocus.frames.frame_store import FrameStore
from refocus.qa.evidence import Evidence
from refocus.qa.records import Question
from refocus.report.recall import Sought
from refocus.report.recall_set import SoughtGroup
from refocus.report.results import WORLD_GROUPS, BenchmarkData, read_again
from refocus.select.likelihood_bins import ALL, Bin, bins

MIRROR = 0.05  # by how much gain and loss may differ
Answered = Mapping[Bin, Mapping[str, Sequence[Outcome]]]  # by bin and run


@dataclass(frozen=True)
class BinGroup:
    """One group of questions as one LMM answers them.

    answered: by bin and training run. shown: for each bin and run, whether the frames hold all evidence, by qa_id, of
    the questions whose evidence is known.
    """

    lmm: str
    name: str
    answered: Answered
    shown: Mapping[Bin, Mapping[str, Mapping[str, bool]]]
    level: float

    @cached_property
    def percents(self) -> list[int]:
        """Every k."""
        return sorted({one.percent for one in self.answered if one.side != ALL})

    def score(self, one: Bin) -> Interval | None:
        """Accuracy, the runs averaged; its interval ends where accuracies end."""
        found = mean_over_videos(list(self.answered[one].values()), self.level)
        if found is None or found.low is None or found.high is None:
            return found
        return replace(found, low=max(0.0, found.low), high=min(1.0, found.high))

    def value(self, one: Bin) -> float:
        """Accuracy; NaN without any answer."""
        score = self.score(one)
        return score.value if score else float("nan")

    def difference(self, one: Bin, other: Bin) -> Interval | None:
        """How much more accurate the first is, paired."""
        return paired(list(self.answered[one].values()), list(self.answered[other].values()), self.level)

    def coverage(self, one: Bin) -> float | None:
        """Share of the questions all of whose evidence is shown; None where nothing is known of it."""
        values = [seen for run in self.shown[one].values() for seen in run.values()]
        return float(np.mean(values)) if values else None

    @cached_property
    def by_evidence(self) -> tuple[float, float] | None:
        """Accuracy without and with all evidence in view, over all bins; None where one of these is empty."""
        right: dict[bool, list[float]] = {False: [], True: []}
        for one, runs in self.answered.items():
            for run, made in runs.items():
                for outcome in made:
                    seen = self.shown[one].get(run, {}).get(outcome.qa_id)
                    if seen is not None:
                        right[seen].append(outcome.correct)
        return (float(np.mean(right[False])), float(np.mean(right[True]))) if all(right.values()) else None

    def predicted(self, one: Bin) -> float | None:
        """The accuracy that the evidence in view alone would give."""
        covered = self.coverage(one)
        if covered is None or self.by_evidence is None:
            return None
        without, with_all = self.by_evidence
        return covered * with_all + (1 - covered) * without

    def checks(self) -> dict[str, str]:
        """The readings of “symmetric”, and whether each holds: yes, no, or open where intervals leave it so.

        None where there is nothing but the baseline.
        """
        if not self.percents:
            return {}
        over, under = ([Bin(side, k) for k in self.percents] for side in ("over", "under"))
        pairs = list(zip(over, under, strict=True))
        return {
            "over-k % beats under-k % at every k": _all_above([self.difference(o, u) for o, u in pairs]),
            "over-k % beats all frames at the smallest k": _all_above([self.difference(over[0], Bin(ALL))]),
            "under-k % is better at the largest k than at the smallest": _all_above(
                [self.difference(under[-1], under[0])]
            ),
            f"what over-k % gains under-k % loses, within {100 * MIRROR:g} points": _all_within(
                [self._imbalance(o, u) for o, u in pairs], MIRROR
            ),
        }

    def _imbalance(self, over: Bin, under: Bin) -> Interval | None:
        """The gain of one over all frames minus the loss of the other: twice the lead of their mean."""
        runs = [self.answered[one] for one in (over, under)]
        halves = [mean_outcomes([part[run] for part in runs]) for run in runs[0]]
        lead = paired(halves, list(self.answered[Bin(ALL)].values()), self.level)
        if lead is None or lead.low is None or lead.high is None:
            return lead and replace(lead, value=2 * lead.value)
        return replace(lead, value=2 * lead.value, low=2 * lead.low, high=2 * lead.high)


def _all_above(differences: Sequence[Interval | None]) -> str:
    """Whether all of them are surely above 0; no where one is surely below it."""
    known = [d for d in differences if d is not None and d.low is not None and d.high is not None]
    if any(d.high < 0 for d in known if d.high is not None):
        return "no"
    return "yes" if len(known) == len(differences) and all(d.low > 0 for d in known if d.low is not None) else "open"


def _all_within(differences: Sequence[Interval | None], most: float) -> str:
    """Whether all of them surely lie within so much of 0; no where one is surely beyond."""
    ends = [(d.low, d.high) for d in differences if d is not None and d.low is not None and d.high is not None]
    if any(low > most or high < -most for low, high in ends):
        return "no"
    inside = len(ends) == len(differences) and all(-most <= low and high <= most for low, high in ends)
    return "yes" if inside else "open"


def read_bins(
    paths: Sequence[Path],
    benchmarks: Mapping[str, BenchmarkData],
    truth: Evidence,
    store: FrameStore,
    level: float,
    extractor: Extractor | None = None,
) -> list[BinGroup]:
    """A group per LMM and set of questions: what must be seen in the synthetic world, benchmarks elsewhere.

    Args:
        extractor: which rule counts generated replies; None: as they were when they were answered.
    Raises:
        RefocusError: a file is no table of answers, or a run lacks a bin that another has.
    """
    made = [read_answers(path) for path in paths]
    made = [
        read_again(one, benchmarks[one.benchmark], extractor) if one.benchmark in benchmarks else one for one in made
    ]
    _check_complete(made)
    groups = []
    for lmm in sorted({one.lmm for one in made}):
        for name, asked in _sets(benchmarks).items():
            counted = SoughtGroup(name)
            counted.add(asked, truth, store)
            sought = {one.question.qa_id: one for one in counted.sought}
            groups.append(_group(lmm, name, [one for one in made if one.lmm == lmm], asked, sought, level))
    return [group for group in groups if any(runs for runs in group.answered.values())]


def _check_complete(made: Sequence[AnswerSet]) -> None:
    """Every run has the baseline and both sides of every percentage, on each benchmark."""
    there: dict[tuple[str, str, str], set[Bin]] = {}
    for one in made:
        there.setdefault((one.benchmark, one.lmm, run_of(one.selector)), set()).add(Bin.parse(kind_of(one.selector)))
    wanted = bins(sorted({one.percent for found in there.values() for one in found if one.side != ALL}))
    for (benchmark, lmm, run), found in there.items():
        missing = [one.name for one in wanted if one not in found]
        if missing:
            raise RefocusError(
                f"{benchmark}, {lmm}{f', run {run}' if run else ''}: there are no answers from the frames "
                f"{', '.join(missing)}; run `refocus bins`"
            )


def _group(
    lmm: str,
    name: str,
    made: Sequence[AnswerSet],
    asked: Sequence[Question],
    sought: Mapping[str, Sought],
    level: float,
) -> BinGroup:
    answered: dict[Bin, dict[str, list[Outcome]]] = {}
    shown: dict[Bin, dict[str, dict[str, bool]]] = {}
    for one in made:
        part, run = Bin.parse(kind_of(one.selector)), run_of(one.selector)
        counted = outcomes([q for q in asked if q.dataset == one.benchmark], one.answers)
        if not counted:
            continue
        answered.setdefault(part, {}).setdefault(run, []).extend(counted)
        seen = shown.setdefault(part, {}).setdefault(run, {})
        for outcome in counted:
            if outcome.qa_id in sought:
                frames = one.answers[outcome.qa_id].frame_indices
                seen[outcome.qa_id] = sought[outcome.qa_id].all_shown_by(frames)
    return BinGroup(lmm, name, answered, shown, level)


def _sets(benchmarks: Mapping[str, BenchmarkData]) -> dict[str, list[Question]]:
    if all(benchmark.is_world for benchmark in benchmarks.values()):
        every = [question for benchmark in benchmarks.values() for question in benchmark.questions]
        return {name: [q for q in every if q.category.startswith(prefix)] for prefix, name in WORLD_GROUPS.items()}
    return {name: list(benchmark.questions) for name, benchmark in benchmarks.items()}
