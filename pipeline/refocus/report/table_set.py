"""All tables there is something for: the paper's, the synthetic world's, and what selectors cost."""

from collections.abc import Sequence
from pathlib import Path

from refocus.config.tables import TablesSettings
from refocus.report.cost_table import cost_table
from refocus.report.distance_table import table3
from refocus.report.knowledge_table import table2
from refocus.report.results import Results
from refocus.report.table_files import write
from refocus.report.tables import table1, table4
from refocus.report.world_table import world_table
from refocus.select.cost import SelectionCost


def write_tables(
    results: Results,
    n_frames: int,
    settings: TablesSettings,
    out: Path,
    spent: Sequence[SelectionCost] = (),
    likelihoods: Sequence[Path] = (),
) -> None:
    """Writes each table as .csv, .md and .tex.

    Args:
        n_frames: of table 1, of the world's table by selector and of the table of costs.
        spent: what the selections cost.
        likelihoods: tables of `refocus likelihood`, for table 3.
    """
    made = {
        "table1": table1(results, n_frames, settings, spent),
        "table2": table2(results, n_frames, settings, spent),
        "table3": table3(results, likelihoods, settings),
        "table4": table4(results, settings, spent),
        "selectors": cost_table(results, spent, n_frames, settings),
        "world": world_table(results, [n_frames], settings),
        "world_frames": world_table(results, results.frames, settings, detail=True),
    }
    for name, table in made.items():
        if table is not None:
            write(table, out, name)
