"""`refocus verify-frames`: stored frames against a plain decode of their videos."""

import argparse
import logging
import sys
from pathlib import Path

from refocus.core.counted import counted
from refocus.core.errors import RefocusError, UsageError
from refocus.core.results_folder import INDEX

HELP = "stored frames against a plain decode of their videos"
DESCRIPTION = """
Decodes the videos of a shard anew, every frame from the first to the last, by another way than `refocus decode` takes,
and compares: which frames are on screen at the clip's times, when each is presented, and its pixels. Each stored frame
may differ from its source by twice what storing it costs (measured here, frame by frame) and 2 levels of 255 (mean),
and must look more like its source than like the frames beside that. Clips that are partial or failed by their own
account are not compared, and a rotation that is misread is not found: both ways turn pictures alike. It reads the
index's settings, needs the videos as they were, and writes nothing.

A line on stdout for every mismatch: clip, frame, video, what is stored and what is right.
Status 0 if all frames are right, 1 if one is not, if a video cannot be read or if no clip can be compared, 2 for wrong
arguments.

  refocus verify-frames results/frames/nextqa/000000.index.parquet --videos NExTQA --sample 20
  refocus verify-frames 000000.tar --videos NExTQA          (with 000000.index.parquet beside it)
"""

logger = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's flags."""
    parser.add_argument("shard", metavar="SHARD.tar|INDEX.parquet", type=Path, help="a shard or its index")
    parser.add_argument("--videos", metavar="DIR", type=Path, required=True, help="data root of the clips' paths")
    parser.add_argument(
        "--sample", metavar="N", type=int, help="only N of the clips that are ok, always the same ones (default: all)"
    )


def run(args: argparse.Namespace) -> int:
    """Compares one shard.

    Returns:
        1 if a frame is not what it should be, else 0.
    Raises:
        UsageError: an argument is wrong.
        RefocusError: no clip can be compared, or the index or its shard is missing or damaged.
    """
    from refocus.frames.verify import verify_frames

    if not args.videos.is_dir():
        raise UsageError(f"--videos: the folder {args.videos} does not exist")
    if args.sample is not None and args.sample < 1:
        raise UsageError(f"--sample takes a positive number, not {args.sample}")
    index = args.shard
    if index.suffix == ".tar":
        index = INDEX.inside(index.parent, shard=index.stem)
    if not index.is_file():
        raise UsageError(f"{index}: no such file; give the index that refocus decode wrote")
    if index != args.shard:
        _check_tar(args.shard, index)
    verdict = verify_frames(index, args.videos, args.sample)
    for mismatch in verdict.mismatches:
        sys.stdout.write(f"{mismatch}\n")
    for clip, reason in verdict.skipped.items():
        logger.info("cannot be compared: %s: %s", clip, reason)
    logger.info(
        "%s of %s compared, %s; %s cannot be compared",
        counted(verdict.frames, "frame"),
        counted(verdict.clips, "clip"),
        "1 mismatch" if len(verdict.mismatches) == 1 else f"{len(verdict.mismatches)} mismatches",
        counted(len(verdict.skipped) + verdict.unreadable, "clip"),
    )
    if verdict.skipped and not verdict.clips and not verdict.mismatches:
        raise RefocusError(f"{index}: nothing is compared, as none of its clips is ok")
    return 1 if verdict.mismatches else 0


def _check_tar(tar: Path, index: Path) -> None:
    """Refuses a tar that is not the one which the index beside it names: another's frames would be compared."""
    from refocus.core import parquet

    named = set(parquet.read_table(index, columns=["tar"])["tar"].to_pylist()) - {""}
    for name in sorted(named):
        if (index.parent / name).resolve() != tar.resolve():
            raise UsageError(
                f"{index} is about {name}, not about {tar.name}: give the index, or name the tar as it was"
            )
    if not tar.is_file():
        raise UsageError(f"{tar}: no such file")
