"""`refocus import`: what other programs picked, as a selection table."""

import argparse
import logging
import re
from pathlib import Path

from refocus.cli.flags import local_path
from refocus.core.errors import UsageError

HELP = "read the index files of other programs as a selection table"
DESCRIPTION = """\
In:  a file of one of the formats of `refocus export` (their names are there), the question table of the benchmark, and
     the index files of its stored frames, which say what each video is.
Out: n{frames}.s{seed}.parquet as `refocus select` writes it, of a selector called imported/NAME. `refocus answer` takes
     its folder, and `refocus tables` the answers, beside those of other selectors.
     Frames that are not among the stored ones keep their own number and time; `frame_indices` is then empty, and
     answering them needs the videos (--pixels native).

  refocus import aks selected_frames.json --qa qa/videomme.parquet --index frames/videomme/*.parquet \\
      --videos data/videomme --annotations videomme.json --name aks-blip --out selections/videomme/imported--aks-blip
"""

log = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the flags."""
    parser.add_argument("format", metavar="FORMAT", help="one of the names that `refocus export --help` lists")
    parser.add_argument("file", type=local_path, metavar="FILE", help="the other program's file")
    parser.add_argument("--qa", type=Path, required=True, metavar="QA.parquet", help="question table of the benchmark")
    parser.add_argument(
        "--index", type=Path, nargs="+", required=True, metavar="INDEX.parquet", help="index files of its frames"
    )
    videos = "folder of the videos, where picks are not all among the stored frames"
    parser.add_argument("--videos", type=local_path, metavar="DIR", help=videos)
    annotations = "the annotation file whose rows the file counts"
    parser.add_argument("--annotations", type=local_path, metavar="PATH", help=annotations)
    parser.add_argument(
        "--n-frames",
        type=int,
        metavar="N",
        help="how many frames of each list are picks, from its beginning (default: all, if the lists are equally long)",
    )
    exact = "every list has exactly --n-frames frames: nothing is cut off"
    parser.add_argument("--exact", action="store_true", help=exact)
    seed = "seed in the table's name, so that it stands beside those of other selectors (default: 0)"
    parser.add_argument("--seed", type=int, default=0, metavar="S", help=seed)
    parser.add_argument("--name", required=True, help="the selector is called imported/NAME")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the selection table")


def run(args: argparse.Namespace) -> None:
    """Writes the table."""
    from refocus.core.files import digest
    from refocus.frames.frame_store import FrameStore
    from refocus.select.exports.formats import export_format
    from refocus.select.exports.imported import imported_rows
    from refocus.select.exports.picked import ExportSources, read_asked
    from refocus.select.selections import file_name, write_selections
    from refocus.select.selector_digest import content_digest

    if not re.fullmatch(r"[a-z0-9][a-z0-9._-]*", args.name):
        raise UsageError(f"--name {args.name}: small letters, digits, '.', '_' and '-', as in paths")
    if args.n_frames is not None and args.n_frames < 1:
        raise UsageError(f"--n-frames takes a positive number, not {args.n_frames}")
    if args.exact and args.n_frames is None:
        raise UsageError("--exact says that every list has --n-frames frames: give that number")
    format, asked = export_format(args.format), read_asked(args.qa)
    if not args.file.is_file():
        raise UsageError(f"there is no file {args.file}")
    picks = format.read(args.file, asked, ExportSources(args.annotations, args.videos))
    lengths = {one.meant for one in picks.values()}
    if args.exact and lengths != {args.n_frames}:
        found = " to ".join(map(str, sorted({min(lengths, default=0), max(lengths, default=0)})))
        raise UsageError(
            f"{args.file}: its lists have {found} frames and are to be answered with {args.n_frames}; only of a "
            "ranking the first ones are the picks of a smaller number"
        )
    if args.n_frames is None and len(lengths) > 1:
        few, most = min(lengths), max(lengths)
        raise UsageError(
            f"{args.file}: its lists have {few} to {most} frames; say with --n-frames how many of each are picks"
        )
    n = args.n_frames or max(lengths, default=0)
    if few := sum(len(one) < n for one in picks.values()):
        log.warning("%s: %d of %d questions have fewer than %d frames", args.file, few, len(picks), n)
    chosen = {qa_id: one.first(n) for qa_id, one in picks.items()}
    rows = imported_rows(asked, chosen, FrameStore.open(args.index), args.videos)
    notes = {"selector": f"imported/{args.name}", "benchmark": asked.benchmark, "frames": n, "seed": args.seed}
    origin = {"format": format.name, "file": content_digest(args.file)}
    made = {**notes, "imported": origin, "selector_digest": digest({"selector": notes["selector"], **origin})}
    write_selections(args.out / file_name(n, args.seed), rows, made)
