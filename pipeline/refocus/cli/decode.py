"""`refocus decode`: clips become frames in a WebDataset shard with an index."""

import argparse
import logging
from pathlib import Path

from refocus.cli.flags import add_settings, local_path, read_settings
from refocus.config.decode import DecodeSettings
from refocus.core.errors import UsageError
from refocus.core.extras import require
from refocus.core.results_folder import INDEX

HELP = "clips -> frames in a WebDataset shard with an index"
DESCRIPTION = """
Takes the frames shown at min(4 fps, 512 frames) of every clip, 384x384, and writes them as JPEG, or with
--storage video as one H.264 video per clip, into SHARD.tar (readable by the webdataset library) and where to find each
of them into SHARD.index.parquet. A file that is missing, corrupt, cut off or hangs gets a row with its reason. Clips
that SHARD.tar or a killed run's draft holds already are not decoded again. Paper 4.1, Table 5.

Example: refocus decode results/qa/nextqa.clips.parquet --videos NExTQA --out 000000.tar --shard 0
"""

logger = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's flags."""
    parser.add_argument("clips", metavar="CLIPS.parquet", type=Path, help="a list of clips, written by ingest")
    parser.add_argument("--videos", metavar="DIR", type=local_path, required=True, help="data root of the clips' paths")
    parser.add_argument("--out", metavar="SHARD.tar", type=Path, required=True, help="the shard")
    parser.add_argument(
        "--index", metavar="INDEX.parquet", type=Path, help="the index (default: SHARD.index.parquet beside it)"
    )
    parser.add_argument(
        "--shared", metavar="DIR", type=Path, help="copy videos that shards of DIR/*/ hold already instead of decoding"
    )
    parser.add_argument("--shard", metavar="K", type=int, help="only the clips of this shard (default: all)")
    add_settings(parser, DecodeSettings)


def run(args: argparse.Namespace) -> None:
    """Builds one shard."""
    from refocus.frames.build_shard import build_shard
    from refocus.qa.records import read_clips

    settings = read_settings(args, DecodeSettings)
    if args.out.suffix != ".tar":
        raise UsageError(f"--out must end in .tar, not {args.out.name!r}")
    if settings.runtime.backend == "decord":
        require("decord")  # its worker processes could only fail clip by clip
    if not args.videos.is_dir():
        raise UsageError(f"--videos: the folder {args.videos} does not exist")
    clips = [row for row in read_clips(args.clips) if args.shard is None or row.shard == args.shard]
    if not clips and args.shard is not None:
        raise UsageError(f"{args.clips} has no clips in shard {args.shard}")
    index = args.index or INDEX.inside(args.out.parent, shard=args.out.stem)
    report = build_shard(clips, args.videos, args.out, index, settings, args.shared, listed_in=args.clips)
    logger.info(
        "%d frames of %d clips: %d decoded, %d copied; %d partial, %d failed",
        report.frames,
        report.clips,
        report.decoded,
        report.copied,
        len(report.partial),
        len(report.failed),
    )
