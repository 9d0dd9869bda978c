"""All results side by side: the questions and formats of the benchmarks, and every file of answers."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from refocus.config.answer import Extractor
from refocus.config.selectors import KINDS, kind_of, run_of
from refocus.config.variants import Variant
from refocus.core.errors import RefocusError, UsageError
from refocus.evaluate.answers import Answer, AnswerSet, read_answers
from refocus.evaluate.replies import Reading
from refocus.evaluate.scoring import Outcome, mean_outcomes, outcomes, without_video
from refocus.qa.adapters.videommmu import BEFORE_LECTURE
from refocus.qa.formats import format_of
from refocus.qa.records import Question, read_questions
from refocus.select.selections import tables_below

# By the prefix of the world's categories: what must be seen to answer.
WORLD_GROUPS = {"sequence/": "two moments", "moment/": "one moment", "static/": "any frame"}
NEEDLE = "needle/"  # category of the questions about its haystacks


@dataclass(frozen=True)
class BenchmarkData:
    """A benchmark's questions and the format they came in ('' if unknown)."""

    name: str
    format: str
    questions: tuple[Question, ...]

    @property
    def before_lecture(self) -> bool:
        """Whether these are Video-MMMU's Adaptation questions, asked with their picture alone."""
        return all(BEFORE_LECTURE in question.flags for question in self.questions)

    @property
    def is_haystacks(self) -> bool:
        """Whether these are the haystacks rendered in the synthetic world (V-NIAH)."""
        return bool(self.questions) and all(q.category.startswith(NEEDLE) for q in self.questions)

    @property
    def is_world(self) -> bool:
        """Whether this is the synthetic world, whose categories are `sequence/`, `moment/` or `static/` and a kind."""
        return bool(self.questions) and all(q.category.startswith(tuple(WORLD_GROUPS)) for q in self.questions)


@dataclass(frozen=True)
class ResultRow:
    """One row of results: a selector, or the mean over the runs of its kind (`refocus (mean of 3 runs)`)."""

    name: str
    selectors: tuple[str, ...]

    @property
    def kind(self) -> str:
        """uniform, refocus, oracle or another name of KINDS."""
        return kind_of(self.selectors[0])


@dataclass(frozen=True)
class Pooled:
    """Results on several benchmarks, and the questions that are in none of them for lack of a readable video."""

    counted: list[Outcome]
    lost: list[Outcome]

    def of(self, keep: Callable[[Outcome], bool]) -> "Pooled":
        """Those of some questions."""
        return Pooled(list(filter(keep, self.counted)), list(filter(keep, self.lost)))


class Results:
    """Looks results up by LMM, row, benchmark and number of frames.

    Attributes:
        benchmarks: by name.
        before_lecture: Video-MMMU's questions without the lecture, if they were asked; no benchmark of their own.
    """

    def __init__(
        self, benchmarks: Sequence[BenchmarkData], made: Iterable[AnswerSet], variants: Sequence[Variant] = ()
    ):
        """Raises UsageError where answers belong to a benchmark or to questions that are not given, or come twice.

        Without `variants` all runs count as seeds of one setting.
        """
        self.variants = tuple(variants)
        self._questions = {benchmark.name: benchmark.questions for benchmark in benchmarks}
        self.benchmarks = {b.name: b for b in benchmarks if not b.before_lecture}
        self.before_lecture = next((b for b in benchmarks if b.before_lecture), None)
        self._made: dict[tuple[str, str, str, int], AnswerSet] = {}
        for answers in made:
            key = (answers.lmm, answers.selector, answers.benchmark, answers.frames)
            if answers.benchmark not in self._questions:
                raise UsageError(f"there are answers to {answers.benchmark}, but not its question table")
            if key in self._made:
                raise UsageError(
                    f"there are two files of answers for {' '.join(map(str, key))}; give one seed at a time"
                )
            self._made[key] = answers
            _check_asked(answers, self._questions[answers.benchmark])

    @classmethod
    def read(cls, benchmarks: Iterable[Path], answers: Iterable[Path], variants: Sequence[Variant] = ()) -> "Results":
        """Reads question tables, and files of answers or folders that hold them at any depth."""
        return cls([read_benchmark(path) for path in benchmarks], map(read_answers, tables_below(answers)), variants)

    @cached_property
    def lmms(self) -> list[str]:
        """Names of the answering LMMs."""
        return sorted({key[0] for key in self._made})

    @cached_property
    def frames(self) -> list[int]:
        """Numbers of frames anything was answered with."""
        return sorted({key[3] for key in self._made})

    def frames_of(self, benchmark: str) -> list[int]:
        """Numbers of frames that a benchmark was answered with."""
        return sorted({key[3] for key in self._made if key[2] == benchmark})

    @cached_property
    def rows(self) -> list[ResultRow]:
        """The rows, in the order of KINDS; a setting with several seeds also gets their mean."""
        return result_rows({key[1] for key in self._made}, self.variants)

    def trained_at(self, row: ResultRow) -> str:
        """Frames per subset that a row's policy was trained with (`8`, `2→4→8`); empty if unknown or without one."""
        run = run_of(row.selectors[0])
        return next((variant.trained for variant in self.variants if run in variant.runs), "")

    def lmm_path(self, lmm: str) -> str:
        """Folder or hub id of an LMM."""
        return next(made.lmm_path for key, made in self._made.items() if key[0] == lmm)

    def counted_by(self, extractor: Extractor | None) -> "Results":
        """The same with generated replies read by an extractor; None: as they were when they were answered."""
        if extractor is None:
            return self
        benchmarks = [*self.benchmarks.values(), *filter(None, [self.before_lecture])]
        by_name = {benchmark.name: benchmark for benchmark in benchmarks}
        made = [read_again(answers, by_name[answers.benchmark], extractor) for answers in self._made.values()]
        return Results(benchmarks, made, self.variants)

    def outcomes(self, lmm: str, row: ResultRow, benchmark: str, frames: int) -> list[Outcome]:
        """Results of a row on one benchmark; empty where any of its runs is missing."""
        runs = [outcomes(self._questions[benchmark], run.answers) for run in self._runs(lmm, row, benchmark, frames)]
        return mean_outcomes(runs) if len(runs) > 1 else next(iter(runs), [])

    def without_video(self, lmm: str, row: ResultRow, benchmark: str, frames: int) -> list[Outcome]:
        """The questions that one of a row's runs was not asked, because their frames were not there."""
        lost: dict[str, Outcome] = {}
        for run in self._runs(lmm, row, benchmark, frames):
            lost |= {o.qa_id: o for o in without_video(self._questions[benchmark], run.answers)}
        return list(lost.values())

    def pooled(self, lmm: str, row: ResultRow, benchmarks: Iterable[str], frames: int) -> "Pooled":
        """A row's results on several benchmarks together; nothing where one of them was not run."""
        pooled = Pooled([], [])
        for name in benchmarks:
            if not self._runs(lmm, row, name, frames):
                return Pooled([], [])
            pooled.counted.extend(self.outcomes(lmm, row, name, frames))
            pooled.lost.extend(self.without_video(lmm, row, name, frames))
        return pooled

    def _runs(self, lmm: str, row: ResultRow, benchmark: str, frames: int) -> list[AnswerSet]:
        """The answers of a row's runs; none where any of them is missing."""
        found = [self._made.get((lmm, selector, benchmark, frames)) for selector in row.selectors]
        runs = [run for run in found if run is not None]
        return runs if len(runs) == len(found) else []

    def answer(self, lmm: str, selector: str, benchmark: str, frames: int, qa_id: str) -> Answer | None:
        """One answer, or None where it was not made."""
        made = self._made.get((lmm, selector, benchmark, frames))
        return made.answers.get(qa_id) if made else None

    @cached_property
    def readings(self) -> set[Reading]:
        """How the replies were read of the answers that were generated."""
        forms = {b.name: b.format for b in filter(None, [*self.benchmarks.values(), self.before_lecture])}
        return {Reading(made.extractor, forms[made.benchmark]) for made in self._made.values() if made.extractor}

    def asked(self, benchmark: str) -> list[Question]:
        """The questions that an LMM can answer as it was asked: all where it wrote, else those with options."""
        wrote = any(made.extractor for made in self._made.values() if made.benchmark == benchmark)
        return [question for question in self._questions[benchmark] if wrote or question.options]

    def flag_counts(self) -> dict[str, int]:
        """How many answers carry each flag, over all files."""
        counts: dict[str, int] = {}
        for made in self._made.values():
            for answer in made.answers.values():
                for flag in answer.flags:
                    counts[flag] = counts.get(flag, 0) + 1
        return counts


def _check_asked(made: AnswerSet, questions: Iterable[Question]) -> None:
    strangers = list(made.answers.keys() - {question.qa_id for question in questions})
    if strangers:
        raise UsageError(
            f"{len(strangers)} of {len(made.answers)} answers of {made.selector} by {made.lmm} are to questions that "
            f"the table of {made.benchmark} lacks (one is {min(strangers)}); give the table that was asked"
        )


def read_again(made: AnswerSet, benchmark: BenchmarkData, extractor: Extractor | None) -> AnswerSet:
    """The same with generated replies read by an extractor; None: as they were when they were answered."""
    if made.extractor is None or extractor is None:
        return made
    read, reading = dict(made.answers), Reading(extractor, benchmark.format)
    for question in benchmark.questions:
        answer = read.get(question.qa_id)
        if answer is not None and answer.answered:
            named, right = reading.of(question, answer.raw_reply)
            read[question.qa_id] = replace(answer, prediction=named, correct=right)
    return replace(made, answers=read, extractor=extractor)


def result_rows(selectors: Iterable[str], variants: Sequence[Variant] = ()) -> list[ResultRow]:
    """A row per selector, in the order of KINDS, and one for the mean of every setting with several seeds.

    Without `variants` all runs count as seeds of one setting.
    """
    names = sorted(selectors)
    rows = []
    for kind in KINDS:
        of_kind = [name for name in names if kind_of(name) == kind]
        for label, seeds in _settings(of_kind, variants):
            rows += [ResultRow(name, (name,)) for name in seeds]
            if len(seeds) > 1:
                rows.append(ResultRow(f"{kind} {label} (mean of {len(seeds)} runs)".replace("  ", " "), tuple(seeds)))
    others = [name for name in names if kind_of(name) not in KINDS]
    return rows + [ResultRow(name, (name,)) for name in others]


def _settings(selectors: Sequence[str], variants: Sequence[Variant]) -> list[tuple[str, list[str]]]:
    """Selectors of one kind by what their runs were trained with: label and the seeds' selectors."""
    if not variants:
        return [("", list(selectors))]
    grouped = [(v.label, [s for s in selectors if run_of(s) in v.runs]) for v in variants]
    known = {selector for _, seeds in grouped for selector in seeds}
    return [("", [selector]) for selector in selectors if selector not in known] + grouped


UNIFORM = ResultRow("uniform", ("uniform",))
ORACLE = ResultRow("oracle", ("oracle",))


def read_benchmark(path: Path) -> BenchmarkData:
    """A benchmark's question table; its format is what `ingest` noted, else what its name says.

    Raises:
        RefocusError: the table is empty.
    """
    questions = tuple(read_questions(path))
    if not questions:
        raise RefocusError(f"{path} has no questions")
    name = questions[0].dataset
    return BenchmarkData(name, format_of(path, name), questions)
