"""`refocus marginals`: how often a policy chooses each frame, for Table 3."""

import argparse
from pathlib import Path

from refocus.cli.flags import add_settings, read_settings
from refocus.config.marginals import MarginalsSettings
from refocus.core.devices import claim

HELP = "how often a policy chooses each frame of a benchmark's videos (Eq. 10), for Table 3"
DESCRIPTION = """\
In:  a question table, the index files of its stored frames, a policy.
Out: one row per question: qa_id and probability, one number per kept frame, of sum 1: the categorical distributions of
     the rollout's steps, averaged over steps and over rollouts.
Paper: Eq. 10 and Appendix C.

  refocus marginals --qa qa/videomme.parquet --index frames/videomme/*.parquet --model train/t32/policy \\
      --selector refocus/t32 --n-frames 32 --out marginals.parquet
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the flags."""
    parser.add_argument("--qa", type=Path, required=True, metavar="QA.parquet", help="question table of a benchmark")
    parser.add_argument(
        "--index", type=Path, nargs="+", required=True, metavar="INDEX.parquet", help="index files of its frames"
    )
    parser.add_argument("--model", required=True, metavar="DIR_OR_ID", help="folder or hub id of the policy")
    parser.add_argument(
        "--selector", default="refocus", metavar="NAME", help="the policy's name in Table 3 (default: refocus)"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="MARGINALS.parquet", help="where the table goes")
    add_settings(parser, MarginalsSettings)


def run(args: argparse.Namespace) -> None:
    """Writes the distributions."""
    settings = read_settings(args, MarginalsSettings)
    claim(settings.runtime.device)

    from refocus.frames.frame_store import FrameStore
    from refocus.qa.records import read_questions
    from refocus.select.marginals import drawn_by_lot, find_marginals, write_marginals
    from refocus.select.policy_selector import load_policy

    questions = read_questions(args.qa)
    asked = drawn_by_lot(questions, settings.videos, settings.seed)
    policy = load_policy(args.model, settings.runtime.device, settings.runtime.threads, settings.runtime.kernels)
    n_frames = settings.n_frames or 32
    found = find_marginals(policy, asked, FrameStore.open(args.index), n_frames, settings)
    benchmark = questions[0].dataset if questions else args.qa.stem
    made = {**settings.identity(), "n_frames": n_frames, "benchmark": benchmark, "selector": args.selector}
    write_marginals(args.out, found, made)
