"""`refocus certainty`: how sure an LMM is of its answer from each frame alone."""

import argparse
from pathlib import Path

from refocus.cli.flags import add_lmm, add_settings, read_lmm, read_settings
from refocus.config.training_free import CertaintySettings
from refocus.core.devices import claim

HELP = "ask an LMM every question with one frame at a time, for the selector confidence"
DESCRIPTION = """\
In:  a question table, the index files of its stored frames, a video-LMM.
Out: one row per question: qa_id and log_certainty, the logarithm of the largest probability among the answer options
     from each frame alone. What it took is in the schema metadata: one pass of the LMM per question and frame.

  refocus certainty --qa qa/videomme.parquet --index frames/videomme/*.parquet \\
      --model OpenGVLab/InternVL3-8B-hf --out certainty.parquet
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the flags."""
    parser.add_argument("--qa", type=Path, required=True, metavar="QA.parquet", help="question table")
    parser.add_argument(
        "--index", type=Path, nargs="+", required=True, metavar="INDEX.parquet", help="index files of its frames"
    )
    add_lmm(parser)
    parser.add_argument("--out", type=Path, required=True, metavar="CERTAINTY.parquet", help="where the table goes")
    add_settings(parser, CertaintySettings)


def run(args: argparse.Namespace) -> None:
    """Writes the certainty of every question."""
    settings = read_settings(args, CertaintySettings)
    entry = read_lmm(args, settings.model)
    runtime = settings.runtime
    claim(runtime.device)

    import torch

    from refocus.frames.frame_store import FrameStore
    from refocus.lmm.option_scorer import load_lmm_entry
    from refocus.qa.records import read_questions
    from refocus.select.ask_frames import certain_shard
    from refocus.select.benchmark import check_index
    from refocus.select.certainty import write_certainty

    torch.set_num_threads(runtime.threads)
    store, questions = FrameStore.open(args.index), read_questions(args.qa)
    check_index(questions, store, args.qa)
    lmm = load_lmm_entry(entry, runtime.device, runtime.batch_tokens)
    found, cost = certain_shard(lmm, store, questions, runtime.readers)
    write_certainty(args.out, found, cost, {**settings.identity(), "lmm": entry.identity()})
