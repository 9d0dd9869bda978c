"""`refocus export`: selections as the files of other programs."""

import argparse
import logging
from pathlib import Path

from refocus.cli.flags import local_path
from refocus.core.errors import UsageError

HELP = "write selections as the index files of other programs"
DESCRIPTION = """\
In:  selection tables (or folders of them) and the question table of their benchmark.
Out: one file that another program takes its frames from:
       jsonl             canonical: a line per question with all that is known; several selections in one file
       aks               AKS, FOCUS selected_frames.json: a list of frame numbers per annotation row
       frame_idx         TSPO, AKS: the annotation rows with frame_idx
       keyframe_indices  WFS-SB: the annotation rows with keyframe_indices
       videoitg          VideoITG frame_indices_jsonl: doc_id and index
       bolt              BOLT: seconds by video and question
       vllm              requests for a vLLM server, frames and their times inside
     What a format's readers would get wrong in silence is avoided or refused; docs/exports.md says what that is.
     `refocus import` reads them back.

  refocus export jsonl selections/videomme/refocus--demo --qa qa/videomme.parquet --out picks.jsonl
  refocus export videoitg selections/videomme/refocus--demo/n32.s0.parquet --qa qa/videomme.parquet \\
      --annotations videomme/test-00000-of-00001.parquet --out videomme_refocus_n32.jsonl
"""

log = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the flags."""
    parser.add_argument("format", metavar="FORMAT", help="one of the names above")
    parser.add_argument("selections", type=Path, nargs="+", metavar="SELECTIONS", help="tables, or folders of tables")
    qa = "question tables of their benchmarks"
    parser.add_argument("--qa", type=Path, nargs="+", required=True, metavar="QA.parquet", help=qa)
    parser.add_argument("--n-frames", type=int, metavar="N", help="only tables of so many frames")
    annotations = "the benchmark's annotation file as the reading program loads it, for formats that count its rows"
    parser.add_argument("--annotations", type=local_path, metavar="PATH", help=annotations)
    parser.add_argument(
        "--videos", type=local_path, metavar="DIR", help="folder of the videos, for vllm and --save-frames"
    )
    parser.add_argument("--served-model", metavar="NAME", help="the name that the vLLM server knows its model by")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="where the file goes")
    parser.add_argument(
        "--save-frames",
        type=Path,
        metavar="DIR",
        help="also write the picked frames as JPEG, at native size and aspect: DIR/<selector>/n<N>.s<seed>/<qa_id>/",
    )


def run(args: argparse.Namespace) -> None:
    """Writes the file, and the frames where they are wanted."""
    from refocus.config.selectors import slug
    from refocus.select.exports.formats import export_format
    from refocus.select.exports.picked import ExportSources, read_asked, read_picked
    from refocus.select.frame_files import save_frames
    from refocus.select.selections import frames_of, tables_below

    format = export_format(args.format)
    if args.save_frames and args.videos is None:
        raise UsageError("--save-frames needs --videos")
    found = [path for path in tables_below(args.selections) if args.n_frames in (None, frames_of(path))]
    if not found:
        raise UsageError(f"there are no selections of {args.n_frames or 'any number of'} frames in what is named")
    tables = read_picked(found, [read_asked(path) for path in args.qa])
    format.write(tables, ExportSources(args.annotations, args.videos, args.served_model), args.out)
    log.info("%s: %d selections of %s frames", args.out, len(tables), sorted({table.n_frames for table in tables}))
    for table in tables if args.save_frames else ():
        for question in table.asked.questions:
            row = table.rows[question.qa_id]
            folder = args.save_frames / slug(table.selector) / table.path.stem / question.qa_id
            if row.frames_indices:
                save_frames(folder, table.asked.video(question, args.videos), row.frames_indices, row.timestamps_s)
