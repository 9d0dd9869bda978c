"""Tables 1 and 4 of the paper from all answers there are."""

from collections.abc import Sequence

from refocus.config.tables import TablesSettings
from refocus.report.columns import columns_of, overall
from refocus.report.cost_table import cost_cell
from refocus.report.harness import Harness, world_mark
from refocus.report.results import Results
from refocus.report.table_files import Table
from refocus.select.cost import SelectionCost

SECONDS = ("seconds", "s per question")
COST_NOTE = "s per question: seconds of selecting, for all numbers of frames together; the table of selectors has more"


def table1(results: Results, frames: int, settings: TablesSettings, spent: Sequence[SelectionCost] = ()) -> Table:
    """LMM x selector against the benchmarks' groups, at one number of frames (paper Table 1).

    Video-MMMU's tracks are in Table 2. spent: what selections cost.
    """
    harness = Harness(results, settings)
    columns = [
        c for b in results.benchmarks.values() for c in ([overall(b)] if b.format == "videommmu" else columns_of(b))
    ]
    body = []
    for lmm in results.lmms:
        for row in results.rows:
            cells = [harness.cell(lmm, row, column, frames, table=1) for column in columns]
            body.append(((lmm, row.name), (*cells, cost_cell(results, row, spent, SECONDS[0]))))
    counts = [column.count(results.asked(column.benchmark)) for column in columns]
    titles = [(c.key, f"{c.benchmark} {c.group} (n={count})") for c, count in zip(columns, counts, strict=True)]
    notes = harness.notes((cell for _, cells in body for cell in cells), results.benchmarks)
    title = f"Table 1: accuracy in % with {frames} frames{world_mark(results)}"
    return Table(title, ("LMM", "selector"), (*titles, SECONDS), tuple(body), (*notes, COST_NOTE))


def table4(results: Results, settings: TablesSettings, spent: Sequence[SelectionCost] = ()) -> Table:
    """Number of frames against LMMs, one block per benchmark and selector (paper Table 4).

    spent: what selections cost.
    """
    harness = Harness(results, settings)
    body = []
    for benchmark in results.benchmarks.values():
        for row in results.rows:
            cost = cost_cell(results, row, spent, SECONDS[0], [benchmark.name])
            for frames in results.frames:
                cells = [harness.cell(lmm, row, overall(benchmark), frames, table=4) for lmm in results.lmms]
                labels = (benchmark.name, row.name, results.trained_at(row), f"{frames} frm")
                body.append((labels, (*cells, cost)))
    notes = (
        *harness.notes((cell for _, cells in body for cell in cells), results.benchmarks),
        "trained at: frames per subset in training; with fewer, the first picks of the same rollout",
        COST_NOTE,
    )
    labels = ("benchmark", "selector", "trained at", "frames")
    title = f"Table 4: overall accuracy in % by number of frames{world_mark(results)}"
    return Table(title, labels, (*((lmm, lmm) for lmm in results.lmms), SECONDS), tuple(body), notes)
