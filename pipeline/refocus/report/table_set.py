"""All tables there is something for: the paper's tables 1 and 4, and the synthetic world's."""

from pathlib import Path

from refocus.config.tables import TablesSettings
from refocus.report.results import Results
from refocus.report.table_files import write
from refocus.report.tables import table1, table4, world_table


def write_tables(results: Results, n_frames: int, settings: TablesSettings, out: Path) -> None:
    """Writes each table as .csv, .md and .tex.

    Args:
        n_frames: of table 1 and of the world's table by selector.
    """
    made = {
        "table1": table1(results, n_frames, settings),
        "table4": table4(results, settings),
        "world": world_table(results, [n_frames], settings),
        "world_frames": world_table(results, results.frames, settings, detail=True),
    }
    for name, table in made.items():
        if table is not None:
            write(table, out, name)
