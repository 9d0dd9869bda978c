"""Table 2 of the paper: Video-MMMU's three tracks, and the knowledge gained by watching."""

from collections.abc import Sequence
from dataclasses import replace

from refocus.config.tables import TablesSettings
from refocus.evaluate.knowledge import knowledge_gain
from refocus.evaluate.scoring import Outcome
from refocus.report.columns import Column, columns_of
from refocus.report.cost_table import cost_cell
from refocus.report.harness import Harness, intervals, world_mark
from refocus.report.results import UNIFORM, BenchmarkData, ResultRow, Results
from refocus.report.table_files import MISSING, NO_VIDEO, Cell, Coverage, Table
from refocus.report.tables import COST_NOTE, SECONDS
from refocus.select.cost import SelectionCost

DELTA = "delta"
NOT_BEFORE = "the questions were not asked without the lecture (adapter_options: {visual: question_only})"


def table2(
    results: Results, frames: int, settings: TablesSettings, spent: Sequence[SelectionCost] = ()
) -> Table | None:
    """LMM x selector against the tracks of Video-MMMU (paper Table 2), at one number of frames.

    Δknowledge is over the Adaptation questions, before and after the lecture. spent: what selections cost.
    Returns:
        None where no benchmark is Video-MMMU.
    """
    lectures = [benchmark for benchmark in results.benchmarks.values() if benchmark.format == "videommmu"]
    if not lectures:
        return None
    harness = Harness(results, settings)
    columns = [column for benchmark in lectures for column in columns_of(benchmark)]
    body = []
    for lmm in results.lmms:
        for row in results.rows:
            cells = [harness.cell(lmm, row, column, frames, table=2) for column in columns]
            cells += [_delta(harness, lmm, row, benchmark, frames) for benchmark in lectures]
            cost = cost_cell(results, row, spent, SECONDS[0], [benchmark.name for benchmark in lectures])
            body.append(((lmm, row.name), (*cells, cost)))
    titles = [(c.key, f"{c.group} (n={c.count(results.asked(c.benchmark))})") for c in columns]
    titles += [(f"{benchmark.name}.{DELTA}", "Δknowledge") for benchmark in lectures]
    notes = [
        *harness.notes((cell for _, cells in body for cell in cells), [benchmark.name for benchmark in lectures]),
        "Δknowledge: (after - before) / (100 - before) of the Adaptation track; before: the question's picture alone",
        NOT_BEFORE if results.before_lecture is None else _shown_before(results, results.before_lecture),
        COST_NOTE,
    ]
    title = f"Table 2: Video-MMMU, accuracy in % with {frames} frames{world_mark(results)}"
    return Table(title, ("LMM", "selector"), (*titles, SECONDS), tuple(body), tuple(notes))


def _delta(harness: Harness, lmm: str, row: ResultRow, lectures: BenchmarkData, frames: int) -> Cell:
    adaptation = Column(lectures.name, DELTA, lambda asked: asked.category == "Adaptation")
    after, uniform = (harness.outcomes(lmm, one, adaptation, frames) for one in (row, UNIFORM))
    pictures = harness.results.before_lecture
    before = _before(harness.results, lmm, lectures, pictures) if pictures else []
    known = {outcome.qa_id for outcome in before}
    counted = [outcome for outcome in after if outcome.qa_id in known]
    lost = list(filter(adaptation.keep, harness.results.without_video(lmm, row, lectures.name, frames)))
    lost += [outcome for outcome in after if outcome.qa_id not in known]
    made = intervals(harness.settings)
    best = harness.best(lmm, lectures.name, frames)
    over_best = harness.outcomes(lmm, best, adaptation, frames) if best not in (None, row) else []
    paper = harness.paper(2, lmm, row, adaptation, frames)
    return Cell(
        score=knowledge_gain(after, before, before, **made),
        gain=knowledge_gain(after, uniform, before, **made) if row != UNIFORM else None,
        over_best=knowledge_gain(after, over_best, before, **made),
        best=best.name if best else "",
        is_best=row == best,
        paper=paper.value if paper else None,
        why=NO_VIDEO if before and lost else MISSING,
        coverage=replace(Coverage.of(counted, lost, frames), short=0) if before else Coverage(),
    )


def _before(results: Results, lmm: str, lectures: BenchmarkData, pictures: BenchmarkData) -> list[Outcome]:
    """Uniform's results without the lecture, under the ids and clips of the questions with it."""
    frames = _fewest(results, pictures)
    asked = {question.source_id: question for question in lectures.questions}
    twins = {question.qa_id: asked.get(question.source_id) for question in pictures.questions}
    found = results.outcomes(lmm, UNIFORM, pictures.name, frames) if frames else []
    return [
        replace(outcome, qa_id=twin.qa_id, clip_id=twin.clip_id) for outcome in found if (twin := twins[outcome.qa_id])
    ]


def _fewest(results: Results, pictures: BenchmarkData) -> int | None:
    """The fewest frames that the picture was shown in: all are the same picture, and the authors show one."""
    return min(results.frames_of(pictures.name), default=None)


def _shown_before(results: Results, pictures: BenchmarkData) -> str:
    return f"before: {_fewest(results, pictures)} frames of the question's picture, by uniform (the authors show one)"
