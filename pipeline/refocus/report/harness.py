"""One figure of a table with what it must be read beside, all in the same harness: the same LMM, number of frames and
questions. Gains over uniform sampling and over the best selector without training, what could not be asked, how many
frames there really were, and the paper's figure.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TypedDict

from refocus.config.selectors import KINDS
from refocus.config.tables import TablesSettings
from refocus.evaluate import open_answers
from refocus.evaluate.answers import OPEN, UNREADABLE
from refocus.evaluate.scoring import Outcome, Score, accuracy, gain
from refocus.report.columns import MACRO_NOTES, Column, overall
from refocus.report.published import Published, published
from refocus.report.results import UNIFORM, ResultRow, Results
from refocus.report.table_files import MISSING, NO_VIDEO, Cell, Coverage
from refocus.select.baselines import NO_EVIDENCE
from refocus.select.last_frame import LAST_FRAME
from refocus.select.selections import ALONE, NO_FRAMES, NOT_ASKED

GAINS = "in brackets: gain over uniform sampling, then over the best selector without training, in the same harness"
STARS = "*: the gain's {level:.0%} interval (paired bootstrap over videos) does not hold 0"
SHORT = "short: questions whose clip has fewer kept frames than asked for, all of which the LMM got"
NO_VIDEOS = "without video: questions whose video is missing or unreadable, or not answered; the figure is of the rest"
FLAG_NOTES = {
    NO_FRAMES: "answers without any decoded frame, which are in no figure",
    UNREADABLE: "answers whose picked frames could not be read from the video, which are in no figure",
    ALONE: "answers of `swapped` to a question alone on its clip are not counted",
    OPEN: "answers to open questions are not counted: they are asked with answer.method: generation alone",
    NOT_ASKED: "answers of `confidence` to questions with too few or too many options for the LMM",
    NO_EVIDENCE: "answers of `oracle` from uniform frames, to questions whose evidence is not known",
    LAST_FRAME: "answers from frames of which the clip's last was put in place of a pick (keep_last_frame)",
}


class Intervals(TypedDict):
    """How the intervals of scores are made."""

    level: float
    resamples: int
    seed: int


def intervals(settings: TablesSettings) -> Intervals:
    """The settings of the intervals."""
    return {"level": settings.confidence_level, "resamples": settings.bootstrap_resamples, "seed": settings.seed}


@dataclass(frozen=True)
class Harness:
    """All results, and how they are counted."""

    results: Results
    settings: TablesSettings
    _best: dict[tuple[str, str, int], ResultRow | None] = field(default_factory=dict)

    def cell(self, lmm: str, row: ResultRow, column: Column, frames: int, table: int) -> Cell:
        """A row's figure in a column, at a number of frames. table: whose figure of the paper stands beside it."""
        ours = self.outcomes(lmm, row, column, frames)
        lost = list(filter(column.keep, self.results.without_video(lmm, row, column.benchmark, frames)))
        best = self.best(lmm, column.benchmark, frames)
        paper = self.paper(table, lmm, row, column, frames)
        return Cell(
            score=accuracy(ours, column.statistic, **intervals(self.settings)),
            gain=self.gain(ours, lmm, UNIFORM, column, frames) if row != UNIFORM else None,
            over_best=self.gain(ours, lmm, best, column, frames) if best not in (None, row) else None,
            best=best.name if best else "",
            is_best=row == best,
            paper=paper.value if paper else None,
            paper_gain=paper.gain if paper else None,
            why=NO_VIDEO if lost else MISSING,
            coverage=Coverage.of(ours, lost, frames),
        )

    def outcomes(self, lmm: str, row: ResultRow, column: Column, frames: int) -> list[Outcome]:
        """A row's results on the questions of a column; none where a run is missing."""
        return list(filter(column.keep, self.results.outcomes(lmm, row, column.benchmark, frames)))

    def gain(self, ours: list[Outcome], lmm: str, over: ResultRow | None, column: Column, frames: int) -> Score | None:
        """The lead over another row on the questions that both answered; None where that was not run."""
        theirs = self.outcomes(lmm, over, column, frames) if over else []
        return gain(ours, theirs, column.statistic, **intervals(self.settings)) if theirs else None

    def best(self, lmm: str, benchmark: str, frames: int) -> ResultRow | None:
        """The selector without training of highest overall figure on a benchmark; None where there is none.

        Chosen on the questions that it is compared on, which favours it; of these, on those that all such selectors
        were asked, so that none leads for having missed the hard ones.
        """
        key = (lmm, benchmark, frames)
        if key not in self._best:
            whole = overall(self.results.benchmarks[benchmark])
            rows = [row for row in self.results.rows if row.kind in KINDS and KINDS[row.kind].training_free]
            asked = {row: found for row in rows if (found := self.outcomes(lmm, row, whole, frames))}
            shared = set.intersection(*({o.qa_id for o in found} for found in asked.values())) if asked else set()
            scores: dict[ResultRow, float] = {}
            for row, found in asked.items():
                counted = [outcome for outcome in found if outcome.qa_id in shared or not shared]
                if score := accuracy(counted, whole.statistic, resamples=0):
                    scores[row] = score.value
            self._best[key] = max(scores, key=scores.__getitem__, default=None)
        return self._best[key]

    def paper(self, table: int, lmm: str, row: ResultRow, column: Column, frames: int) -> Published | None:
        """What the paper prints in this place; nothing beside videos of the synthetic world."""
        benchmark = self.results.benchmarks[column.benchmark]
        if not self.settings.published or benchmark.is_world:
            return None
        form = benchmark.format
        return published(table, self.results.lmm_path(lmm), form, column.group, frames, row.selectors[0])

    def notes(self, cells: Iterable[Cell], benchmarks: Iterable[str]) -> list[str]:
        """What readers of some cells must know: how gains are made, over which selector, and what was not answered."""
        shown = list(cells)
        notes = [GAINS, STARS.format(level=self.settings.confidence_level)]
        names = sorted({cell.best for cell in shown if cell.best})
        if names:
            notes.append(f"best without training, chosen by overall on the same questions: {', '.join(names)}")
        kinds = dict.fromkeys(self.results.benchmarks[name].format for name in benchmarks)
        notes += [MACRO_NOTES[kind] for kind in kinds if kind in MACRO_NOTES]
        return [*notes, *coverage_notes(shown), *flag_notes(self.results)]


def coverage_notes(cells: Iterable[Cell]) -> list[str]:
    """What `short` and `without video` in some cells mean."""
    behind = [cell.coverage for cell in cells]
    notes = [SHORT] * any(coverage.short for coverage in behind)
    return notes + [NO_VIDEOS] * any(coverage.without_video for coverage in behind)


def flag_notes(results: Results) -> list[str]:
    """How many answers are unusual, and in what way."""
    counts = sorted(results.flag_counts().items())
    follows = sorted({reading.follows for reading in results.readings})
    notes = [f"letters found in generated replies as by {whom}" for whom in follows]
    if any(not question.options for name in results.benchmarks for question in results.asked(name)):
        notes.append(f"replies to open questions judged as by {open_answers.FOLLOWS}")
    return notes + [f"{count} {FLAG_NOTES[flag]}" for flag, count in counts if flag in FLAG_NOTES]


def world_mark(results: Results) -> str:
    """For titles: whether results are of the synthetic world."""
    return " (synthetic world)" if any(benchmark.is_world for benchmark in results.benchmarks.values()) else ""
