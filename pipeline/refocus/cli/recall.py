"""`refocus recall`: whether the picks of every selector show the evidence."""

import argparse
import logging
from pathlib import Path
from typing import TYPE_CHECKING

from refocus.cli.flags import add_settings, read_settings
from refocus.config.niah import NiahSettings
from refocus.config.parsing import parse, parse_json
from refocus.config.tables import FiguresSettings
from refocus.config.variants import from_json
from refocus.core.errors import UsageError

if TYPE_CHECKING:
    from refocus.report.recall_set import RecallSet

log = logging.getLogger(__name__)

HELP = "measure how much of the evidence every selector's picks show"
DESCRIPTION = """\
In:  question tables, selections, the index files of the stored frames, and tables of when the evidence is visible.
Out: evidence_recall.{csv,md,tex}: recall, coverage and precision of every selector at every number of picks, where
     evidence is known; and, with --figures, a picture of the recall at --n-frames picks. No LMM is asked.
     With --niah-settings, of benchmarks whose every question asks for one needle: niah.{csv,md,tex} and the maps of
     Figure 5, fig5_niah (also as .csv): found or not, by depth of the needle and length of the video.
Paper: V-NIAH is Figure 5; the rest is ours.

  refocus recall --qa qa/videomme.parquet --truth world/truth/videomme.parquet --selections selections \\
      --index frames/videomme/*.parquet --n-frames 4 --out tables --figures figures
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the flags."""
    add = parser.add_argument
    add("--qa", type=Path, nargs="+", required=True, metavar="QA.parquet", help="question tables of the benchmarks")
    add("--truth", type=Path, nargs="+", required=True, metavar="PATH", help="when the evidence is visible")
    add("--selections", type=Path, nargs="+", required=True, metavar="PATH", help="selection tables, or folders")
    add("--index", type=Path, nargs="+", required=True, metavar="INDEX.parquet", help="index files of the frames")
    add("--variants", metavar="JSON", help="which runs are seeds of one setting (default: all of them)")
    add("--n-frames", type=int, metavar="N", help="picks that the picture is about (default: the most there are)")
    add("--out", type=Path, required=True, metavar="DIR", help="folder for the table")
    add("--figures", type=Path, metavar="DIR", help="folder for the picture")
    add("--niah-settings", metavar="JSON", help="the niah section: draw needle maps, with as many depths as it says")
    add_settings(parser, FiguresSettings)


def run(args: argparse.Namespace) -> None:
    """Writes the tables and, where a folder is named for them, the pictures."""
    from refocus.report.recall_set import read_recall_set

    settings = read_settings(args, FiguresSettings)
    level = settings.confidence_level
    data = read_recall_set(args.qa, args.truth, args.selections, args.index, from_json(args.variants), level)
    if not data.frames:
        raise UsageError("there are no selections in " + ", ".join(map(str, args.selections)))
    if not any(group.sought for group in data.groups):
        named = ", ".join(map(str, args.qa))
        log.warning("no question of %s has evidence in the tables of --truth: nothing can be recalled", named)
    n = args.n_frames or data.frames[-1]
    if n not in data.frames:
        raise UsageError(f"--n-frames {n}: nothing was picked at {n} frames, only at {list(data.frames)}")
    if args.niah_settings:
        depths = parse(NiahSettings, parse_json(args.niah_settings, "--niah-settings")).depths
        _needles(data, n, depths, settings, args.out, args.figures)
    else:
        _recall(data, n, settings, args.out, args.figures)


def _recall(data: "RecallSet", n: int, settings: FiguresSettings, tables: Path, figures: Path | None) -> None:
    from refocus.report.recall_figure import draw_recall
    from refocus.report.recall_table import recall_table
    from refocus.report.style import save
    from refocus.report.table_files import write

    write(recall_table(data), tables, "evidence_recall")
    if figures:
        save(draw_recall(data, n), figures, "evidence_recall", settings.formats, settings.dpi)


def _needles(
    data: "RecallSet", n: int, depths: int, settings: FiguresSettings, tables: Path, figures: Path | None
) -> None:
    from refocus.core.files import write_text
    from refocus.report.needle_figure import draw_needles
    from refocus.report.needle_maps import grid, needle_csv, needle_table
    from refocus.report.style import save
    from refocus.report.table_files import write

    cells = grid([one for group in data.groups for one in group.sought], depths)
    write(needle_table(data, cells, n), tables, "niah")
    if figures:
        save(draw_needles(data, cells, n), figures, "fig5_niah", settings.formats, settings.dpi)
        write_text(figures / "fig5_niah.csv", needle_csv(data, cells, n))
