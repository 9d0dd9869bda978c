"""A study's results as numbers: what each setting reached, and comparisons of settings that differ in one key.

All uncertainty is over the seeds: Student's t on one value per seed; differences are those of equal seeds.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import mean, stdev

from scipy import stats

from refocus.config.root import Root
from refocus.config.selectors import run_of, slug
from refocus.config.variants import Variant, variants
from refocus.core.results_folder import ANSWERS, METRICS, POLICY_CONFIG, QUESTIONS
from refocus.report.results import ResultRow, Results
from refocus.report.series import Lines, read_metrics, series

END = 0.1  # share of the steps, at the end, that a quantity of training is averaged over


@dataclass(frozen=True)
class Estimate:
    """A mean over seeds with its interval; low and high are None with fewer than two."""

    value: float
    low: float | None
    high: float | None
    values: tuple[float, ...]

    @property
    def sign(self) -> int:
        """1 or -1 where the whole interval is on one side of 0, else 0."""
        if self.low is None or self.high is None or self.low <= 0 <= self.high:
            return 0
        return 1 if self.low > 0 else -1


@dataclass(frozen=True)
class Measure:
    """Something one run has one value of; `values` gives it by run, `digits` says how it is written."""

    title: str
    key: str
    values: Callable[[str], float | None]
    digits: int = 2


@dataclass(frozen=True)
class Comparison:
    """A setting beside the one it changes in one thing."""

    variant: Variant
    base: Variant
    what: str  # `curriculum`, or the changed key of `train` or `policy`

    @property
    def picture(self) -> str:
        """Name of its picture's file."""
        return f"{self.what}-{self.variant.runs[0]}"


@dataclass(frozen=True)
class StudyRow:
    """One measure of a comparison; `difference` is variant minus base over the seeds both have."""

    measure: Measure
    variant: Estimate
    base: Estimate
    difference: Estimate


class Study:
    """The finished runs of a configuration and what was answered with their frames."""

    def __init__(self, root: Root, folder: Path):
        self.root, self.folder = root, folder
        self.variants = variants(root)
        done = [run for run in root.use.runs if POLICY_CONFIG.at(folder, run=run, state="policy").is_file()]
        self.runs: dict[str, Lines] = {run: read_metrics(METRICS.at(folder, run=run)) for run in done}

    @cached_property
    def results(self) -> Results:
        """Questions and the answers there are, of the configuration's own selectors, frames and seed."""
        root = self.root
        questions = [QUESTIONS.at(self.folder, dataset=name) for name in root.use.benchmarks]
        answers = [
            ANSWERS.at(self.folder, benchmark=name, lmm=lmm, selector=slug(selector), frames=n, seed=root.select.seed)
            for name in root.use.benchmarks
            for lmm in root.use.lmms
            for selector in root.use.selectors
            for n in root.answer.n_frames
        ]
        found = [path for path in questions if path.is_file()]
        return Results.read(found, [path for path in answers if path.is_file()] if found else [], self.variants)

    @cached_property
    def missing(self) -> list[str]:
        """What the numbers lack: runs that are not finished, and finished ones without all their answers."""
        lacking = [run for run in self.root.use.runs if run not in self.runs]
        selectors = [s for s in self.root.use.selectors if run_of(s) not in lacking]
        frames = self.root.answer.n_frames
        return [f"run {run}" for run in lacking] + [
            f"answers of {s}" for s in selectors if any(self.accuracy(s, n) is None for n in frames)
        ]

    def accuracy(self, selector: str, frames: int) -> float | None:
        """Share of right answers in %, over all benchmarks; in the synthetic world, to moment-dependent questions."""
        lmm = self.root.use.lmms[0]
        row = ResultRow(selector, (selector,))
        parts = [self.results.outcomes(lmm, row, name, frames) for name in self.root.use.benchmarks]
        counted = [o.correct for part in parts for o in part if not o.category.startswith("static/")]
        return 100 * mean(counted) if all(parts) and counted else None

    @cached_property
    def direct(self) -> list[Variant]:
        """The settings that differ from the configuration's in T' alone, by T'."""
        found = [v for v in self.variants if set(self.changes(v)) <= {"picks"}]
        return sorted(found, key=self.frames)

    @cached_property
    def comparisons(self) -> list[Comparison]:
        """Every setting that changes one thing beside T', next to the direct one of its T'."""
        direct = {self.frames(variant): variant for variant in self.direct}
        found = []
        for variant in self.variants:
            changed = set(self.changes(variant)) - {"picks"}
            if len(changed) == 1 and self.frames(variant) in direct:
                found.append(Comparison(variant, direct[self.frames(variant)], changed.pop()))
        return found

    def rows(self, comparison: Comparison) -> list[StudyRow]:
        """The measures that both sides of a comparison have."""
        rows = []
        for measure in self.measures(self.frames(comparison.base)):
            ours, theirs = self.by_seed(comparison.variant, measure), self.by_seed(comparison.base, measure)
            both = [seed for seed in ours if seed in theirs]
            if both:
                differences = [ours[seed] - theirs[seed] for seed in both]
                rows.append(
                    StudyRow(
                        measure,
                        variant=self.estimate(ours.values()),
                        base=self.estimate(theirs.values()),
                        difference=self.estimate(differences),
                    )
                )
        return rows

    def measures(self, frames: int) -> list[Measure]:
        """What settings of one T' are compared in."""

        def answers(run: str) -> float | None:
            return self.accuracy(f"refocus/{run}", frames)

        def swapped(run: str) -> float | None:
            return self.accuracy(f"swapped/{run}", frames)

        return [
            Measure(f"accuracy with {frames} frames, %", "answers", answers, 1),
            Measure("the same with its picks for another question of the video, %", "swapped", swapped, 1),
            self._at_the_end("reward/mean", "reward at the end of training"),
            self._at_the_end("select/temporal_entropy", "temporal entropy at the end, nats"),
            self._at_the_end("policy/entropy_share", "policy entropy at the end, share of its maximum"),
            self._over_training("validation/reward", "margin on held-back videos, mean over training"),
        ]

    def by_seed(self, variant: Variant, measure: Measure) -> dict[int, float]:
        """A measure of a setting's finished runs, by their seed."""
        values = {self.root.run_train(run).seed: measure.values(run) for run in variant.runs if run in self.runs}
        return {seed: value for seed, value in values.items() if value is not None}

    def estimate(self, values: Iterable[float]) -> Estimate:
        """Mean and Student interval of one value per seed."""
        values = tuple(values)
        middle = mean(values)
        if len(values) < 2:
            return Estimate(middle, None, None, values)
        quantile = stats.t.ppf((1 + self.root.tables.confidence_level) / 2, len(values) - 1)
        half = quantile * stdev(values) / len(values) ** 0.5
        return Estimate(middle, middle - half, middle + half, values)

    def changes(self, variant: Variant) -> list[str]:
        """The keys of `train` and `policy`, other than the seed, that a setting sets otherwise."""
        run = variant.runs[0]
        pairs = ((self.root.train, self.root.run_train(run)), (self.root.policy, self.root.run_policy(run)))
        changed = []
        for before, after in pairs:
            old, new = before.identity(), after.identity()
            changed += [key for key in {**old, **new} if key != "seed" and old.get(key) != new.get(key)]
        return changed

    def frames(self, variant: Variant) -> int:
        """The last T' of a setting."""
        return self.root.run_train(variant.runs[0]).picks

    def _at_the_end(self, key: str, title: str) -> Measure:
        return Measure(title, key, lambda run: self._mean(run, key, END))

    def _over_training(self, key: str, title: str) -> Measure:
        return Measure(title, key, lambda run: self._mean(run, key, 1.0))

    def _mean(self, run: str, key: str, share: float) -> float | None:
        """Mean over the last `share` of what a run recorded."""
        _, found = series(self.runs[run], key)
        return mean(found[-max(1, round(share * len(found))) :]) if found else None
