"""Which questions the gallery shows: all of them, or as many as fit, drawn by a lot that the page states."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from refocus.core.files import digest
from refocus.report.examples import proportion

TRAINING_SHARE = 0.25  # of the places, where both kinds of question have more than their share


@dataclass(frozen=True)
class Candidate:
    """A question that could be shown."""

    qa_id: str
    dataset: str
    category: str

    @property
    def stratum(self) -> str:
        """What places are shared out among."""
        return f"{self.dataset}: {self.category}"


@dataclass(frozen=True)
class GallerySample:
    """The ids that are shown, of each of the two, and how they were chosen, in words."""

    benchmarks: frozenset[str]
    training: frozenset[str]
    rule: str


def sample(benchmarks: Sequence[Candidate], training: Sequence[Candidate], most: int, seed: int) -> GallerySample:
    """At most `most` questions, three quarters of them from benchmarks where both have enough.

    Within each, places are shared out among data sets and kinds in proportion to their questions, and filled by a
    seeded lot; answers play no part, so that right and wrong stand in their true proportion.
    """
    reserved = min(len(training), max(int(TRAINING_SHARE * most), most - len(benchmarks)))
    taken = _drawn(benchmarks, min(len(benchmarks), most - reserved), seed)
    learned = _drawn(training, reserved, seed)
    parts = [
        f"{len(shown):,} of {len(every):,} {name}"
        for name, shown, every in (
            ("benchmark questions", taken, benchmarks),
            ("training questions", learned, training),
        )
        if every
    ]
    text = " and ".join(parts) or "There are no questions"
    if len(taken) + len(learned) < len(benchmarks) + len(training):
        text += (
            f", drawn by lot (figures.seed {seed}) in proportion to data set and kind, whatever was answered; "
            "--questions N shows more"
        )
    return GallerySample(taken, learned, f"{text}.")


def _drawn(candidates: Sequence[Candidate], places: int, seed: int) -> frozenset[str]:
    if places >= len(candidates):
        return frozenset(one.qa_id for one in candidates)
    shares = proportion(Counter(one.stratum for one in candidates), places)
    order = sorted(candidates, key=lambda one: digest([seed, one.qa_id]))
    chosen: list[str] = []
    for one in order:
        if shares[one.stratum]:
            shares[one.stratum] -= 1
            chosen.append(one.qa_id)
    return frozenset(chosen)
