"""`refocus reward`: margins of the 16 frame subsets of every question of one shard."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from refocus.cli.flags import add_lmm, add_settings, read_lmm, read_settings
from refocus.config.base import LmmRuntime
from refocus.config.lmm import LmmSettings
from refocus.config.reward import RewardSettings
from refocus.core.devices import claim
from refocus.core.errors import UsageError
from refocus.core.results_folder import INDEX

if TYPE_CHECKING:
    from refocus.lmm.option_scorer import Lmm

HELP = "a shard of frames and its questions -> margins of the 16 frame subsets (Eq. 5)"
DESCRIPTION = """
Scores every question of a shard on eight windows of its clip and their complements with a video-LMM (paper A.1) and
writes one row per question and subset: the frames shown, every option logit and the margin. Questions that cannot be
scored are listed with their reason in OUT.skipped.parquet beside it. With --store, margins are kept per clip and only
what is missing is computed.

Example: refocus reward --model OpenGVLab/InternVL3-1B-hf --shard 000000.tar --qa nextqa.parquet --out reward.parquet
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's flags."""
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--shard", metavar="SHARD.tar", type=Path, help="frames; SHARD.index.parquet lies beside it")
    source.add_argument("--index", metavar="INDEX.parquet", type=Path, help="frames, by their index")
    parser.add_argument("--qa", metavar="QA.parquet", type=Path, required=True, help="questions, also of other shards")
    parser.add_argument("--out", metavar="REWARD.parquet", type=Path, required=True, help="where the margins go")
    parser.add_argument("--store", metavar="DIR", type=Path, help="keep margins per clip in DIR and resume from there")
    add_lmm(parser)
    add_settings(parser, RewardSettings)


def run(args: argparse.Namespace) -> None:
    """Writes the margins of one shard."""
    settings = read_settings(args, RewardSettings)
    model = read_lmm(args, settings.model)

    from refocus.frames.frame_store import FrameStore
    from refocus.qa.records import read_questions
    from refocus.reward.margin_cache import MarginCache
    from refocus.reward.margin_table import write_margins
    from refocus.reward.score_shard import questions_of, score_shard
    from refocus.select.benchmark import check_index

    if args.shard is not None and args.shard.suffix == ".parquet":
        raise UsageError(f"{args.shard}: --shard takes the .tar of frames; an index stands behind --index")
    index = args.index or INDEX.inside(args.shard.parent, shard=args.shard.stem)
    frames = FrameStore.open([index])
    questions = read_questions(args.qa)
    check_index(questions, frames, args.qa)
    if args.shard is not None:
        questions = questions_of(questions, frames, index)
    identity = {**settings.identity(), "lmm": model.identity()}
    result = score_shard(
        lambda: _load(model, settings.runtime), frames, questions, settings, MarginCache(args.store, identity)
    )
    write_margins(args.out, result.margins, result.skipped, identity)


def _load(model: LmmSettings, runtime: LmmRuntime) -> "Lmm":
    """The reward LMM on a GPU of its own; a shard in which nothing is left to score takes neither."""
    claim(runtime.device)

    import torch

    from refocus.lmm.option_scorer import load_lmm_entry

    torch.set_num_threads(runtime.threads)
    return load_lmm_entry(model, runtime.device, runtime.batch_tokens)
