"""The settings of a configuration that were run, and what any of its selectors reached on any group of questions."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import mean

from refocus.config.root import Root
from refocus.config.selectors import kind_of, of_run, run_of, slug
from refocus.config.variants import Variant, variants
from refocus.core import parquet
from refocus.core.results_folder import ANSWERS, INDEX, METRICS, POLICY_CONFIG, QUESTIONS
from refocus.evaluate.intervals import Interval, mean_over_videos, paired, unpaired
from refocus.evaluate.scoring import Outcome
from refocus.report.contrast import Contrast, Side
from refocus.report.results import WORLD_GROUPS, ResultRow, Results
from refocus.report.series import Lines, read_metrics

Keep = Callable[[Outcome], bool]
# knows the answer; asks the LMM about every frame; hands it far more frames
NO_BASELINE = ("oracle", "confidence", "uniform-seen")


@dataclass(frozen=True)
class QuestionSet:
    """Questions that are looked at together: `name` for readers."""

    name: str
    keep: Keep


DEPENDENT = QuestionSet("one or two moments", lambda outcome: not outcome.category.startswith("static/"))


class Study:
    """The finished runs of a configuration and what was answered with their frames."""

    def __init__(self, root: Root, folder: Path):
        self.root, self.folder = root, folder
        self.variants = variants(root)
        self._outcomes: dict[tuple[str, str, int], list[Outcome]] = {}

    # ---- settings

    @cached_property
    def runs(self) -> dict[str, Lines]:
        """The metrics of the finished runs."""
        done = [run for run in self.root.use.runs if POLICY_CONFIG.at(self.folder, run=run, state="policy").is_file()]
        return {run: read_metrics(METRICS.at(self.folder, run=run)) for run in done}

    @cached_property
    def base(self) -> Variant | None:
        """The setting that changes nothing of the configuration's."""
        return next((variant for variant in self.variants if not self.changes(variant)), None)

    def changed(self, key: str) -> dict[object, Variant]:
        """The settings that differ from the configuration's in one key alone, by its value."""
        found = [variant for variant in self.variants if self.changes(variant) == [key]]
        return {getattr(self.root.run_train(variant.runs[0]), key): variant for variant in found}

    @cached_property
    def direct(self) -> dict[int, Variant]:
        """The settings that differ from the configuration's in T' at most, by T'."""
        found = [variant for variant in self.variants if set(self.changes(variant)) <= {"picks"}]
        return {self.picks(variant): variant for variant in sorted(found, key=self.picks)}

    def changes(self, variant: Variant) -> list[str]:
        """The keys of `train` and `policy`, other than the seed, that a setting sets otherwise."""
        run = variant.runs[0]
        pairs = ((self.root.train, self.root.run_train(run)), (self.root.policy, self.root.run_policy(run)))
        changed = []
        for before, after in pairs:
            old, new = before.identity(), after.identity()
            changed += [key for key in {**old, **new} if key != "seed" and old.get(key) != new.get(key)]
        return changed

    def picks(self, variant: Variant) -> int:
        """The last T' of a setting."""
        return self.root.run_train(variant.runs[0]).picks

    # ---- sides of a comparison

    def by(self, selector: str, lmm: str | None = None, frames: int | None = None) -> Side:
        """The picks of a selector without runs, as many as the main table has, answered by the first LMM."""
        return Side(f"`{selector}`", (selector,), lmm or self.root.use.lmms[0], frames or self.root.main_n_frames)

    def of(
        self, variant: Variant, name: str, kind: str = "refocus", lmm: str | None = None, frames: int | None = None
    ) -> Side:
        """The picks of a setting's runs; `name` is for readers."""
        selectors = tuple(f"{kind}/{run}" for run in variant.runs)
        return Side(name, selectors, lmm or self.root.use.lmms[0], frames or self.root.main_n_frames)

    # ---- results

    @cached_property
    def results(self) -> Results:
        """Questions and the answers there are, of the configuration's own selectors, frames and seed."""
        root = self.root
        questions = [QUESTIONS.at(self.folder, dataset=name) for name in root.use.benchmarks]
        answers = [
            ANSWERS.at(self.folder, benchmark=name, lmm=lmm, selector=slug(selector), frames=n, seed=root.select.seed)
            for name in root.use.benchmarks
            for lmm in root.use.lmms
            for selector in root.selectors_on(name)
            for n in root.answer.n_frames
        ]
        found = [path for path in questions if path.is_file()]
        made = Results.read(found, [path for path in answers if path.is_file()] if found else [], self.variants)
        return made.counted_by(root.tables.extractor)

    @cached_property
    def missing(self) -> list[str]:
        """What the numbers lack: runs that are not finished, and finished ones without all their answers.

        Questions that one selector has no answer to are left out of its numbers and of what it is compared with.
        """
        lacking = [run for run in self.root.use.runs if run not in self.runs]
        asked = [
            (f"answers of {selector} by {lmm}", [Side("", (selector,), lmm, n) for n in self.root.answer.n_frames])
            for selector in self.root.use.selectors
            if run_of(selector) not in lacking
            for lmm in self.root.use.lmms
        ]
        lost = []
        for name, sides in asked:
            if not all(self.outcomes(side) for side in sides):
                lost.append(name)
            elif unanswered := max(map(self._unanswered, sides)):
                lost.append(f"{unanswered} {name}")
        return [f"run {run}" for run in lacking] + lost

    def _unanswered(self, side: Side) -> int:
        """Questions that were not answered with a side's frames, or whose video could not be read."""
        row = ResultRow("", side.selectors)
        return sum(len(self.results.without_video(side.lmm, row, b, side.frames)) for b in self.results.benchmarks)

    def outcomes(self, side: Side, keep: Keep = lambda outcome: True) -> list[list[Outcome]]:
        """The results of each of a side's selectors on some questions, over all benchmarks; of those that have any."""
        runs = []
        for selector in side.selectors:
            key = (selector, side.lmm, side.frames)
            if key not in self._outcomes:
                row = ResultRow(selector, (selector,))
                parts = [self.results.outcomes(side.lmm, row, b, side.frames) for b in self.results.benchmarks]
                self._outcomes[key] = [outcome for part in parts for outcome in part] if all(parts) else []
            runs.append([outcome for outcome in self._outcomes[key] if keep(outcome)])
        return [run for run in runs if run]

    def score(self, side: Side, group: QuestionSet = DEPENDENT) -> Interval | None:
        """A side's accuracy on a group, its runs averaged."""
        return mean_over_videos(self.outcomes(side, group.keep), self.root.tables.confidence_level)

    def seeds(self, side: Side, group: QuestionSet = DEPENDENT) -> list[float]:
        """A side's accuracy on a group, run by run."""
        return [mean(outcome.correct for outcome in run) for run in self.outcomes(side, group.keep)]

    def compare(
        self,
        what: str,
        ours: Side,
        theirs: Side,
        group: QuestionSet = DEPENDENT,
        *,
        beside: QuestionSet | None = None,
        least: float = 0.0,
        decides: bool = True,
    ) -> Contrast:
        """Two sides on one group of questions, paired; or, with `beside`, one side's group against another's other."""
        level = self.root.tables.confidence_level
        other = beside or group
        one, two = self.outcomes(ours, group.keep), self.outcomes(theirs, other.keep)
        return Contrast(
            what=what,
            ours=ours,
            theirs=theirs,
            scores=(self.score(ours, group), self.score(theirs, other)),
            seeds=(tuple(self.seeds(ours, group)), tuple(self.seeds(theirs, other))),
            difference=(unpaired if beside else paired)(one, two, level),
            least=least,
            decides=decides,
        )

    # ---- groups of questions, from the data

    @cached_property
    def kinds(self) -> list[QuestionSet]:
        """Every category of the benchmarks."""
        names = {question.category for b in self.results.benchmarks.values() for question in b.questions}
        order = sorted(names, key=lambda name: (_place(name), name))
        return [QuestionSet(f"`{name}`", _of_kind(name)) for name in order]

    @cached_property
    def groups(self) -> list[QuestionSet]:
        """The groups of the world that there are questions of: on two moments, on one, on any frame."""
        names = {question.category for b in self.results.benchmarks.values() for question in b.questions}
        there = [prefix for prefix in WORLD_GROUPS if any(name.startswith(prefix) for name in names)]
        return [QuestionSet(WORLD_GROUPS[prefix], _begins(prefix)) for prefix in there]

    def group(self, prefix: str) -> QuestionSet | None:
        """The group of the categories that begin so, if there are questions of it."""
        return next((group for group in self.groups if group.name == WORLD_GROUPS[prefix]), None)

    @cached_property
    def clip_frames(self) -> dict[str, int]:
        """Frames of every clip of the benchmarks, from the index."""
        indexes = [
            path
            for name in self.root.use.benchmarks
            for path in sorted(INDEX.at(self.folder, dataset=name, shard="x").parent.glob("*.index.parquet"))
        ]
        tables = [parquet.read_table(path, columns=["clip_id", "n_frames"]).to_pydict() for path in indexes]
        return {clip: n for table in tables for clip, n in zip(table["clip_id"], table["n_frames"], strict=True)}

    # ---- baselines

    @property
    def baselines(self) -> list[str]:
        """The selectors in use that need no training and no more than the video and the question."""
        return [s for s in self.root.use.selectors if kind_of(s) not in NO_BASELINE and not of_run(s)]

    def best_baseline(self, group: QuestionSet = DEPENDENT) -> str | None:
        """The baseline of highest accuracy on a group; chosen on the questions it is compared on, which favours it."""
        scores = {s: score.value for s in self.baselines if (score := self.score(self.by(s), group)) is not None}
        return max(scores, key=scores.__getitem__, default=None)

    def baselines_for(self, group: QuestionSet) -> list[str]:
        """The best baseline over all questions on moments and, where another is better on a group, the group's own."""
        found = [name for name in (self.best_baseline(), self.best_baseline(group)) if name is not None]
        values = [score.value for name in found if (score := self.score(self.by(name), group)) is not None]
        return found if len(values) == 2 and values[1] > values[0] else found[:1]


def _place(category: str) -> int:
    return next((n for n, prefix in enumerate(WORLD_GROUPS) if category.startswith(prefix)), len(WORLD_GROUPS))


def _of_kind(name: str) -> Keep:
    return lambda outcome: outcome.category == name


def _begins(prefix: str) -> Keep:
    return lambda outcome: outcome.category.startswith(prefix)
