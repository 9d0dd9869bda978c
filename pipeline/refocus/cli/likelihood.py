"""`refocus likelihood`: how likely a policy is to pick each frame."""

import argparse
from pathlib import Path

from refocus.cli.flags import add_settings, read_settings
from refocus.config.likelihood import LikelihoodSettings
from refocus.core.devices import claim
from refocus.core.errors import UsageError

HELP = "measure how likely a policy is to pick each frame, from many rollouts per question"
DESCRIPTION = """\
In:  a question table, the index files of its stored frames, a trained policy.
Out: one row per question: qa_id; frequency, the share of the rollouts that pick each kept frame; marginal, Eq. 10: the
     categorical of every step averaged over steps and rollouts.
Paper: Eq. 10 (appendix C); the tables behind Table 3 and Figures 4 and 9 to 13.

  refocus likelihood --qa qa/videomme.parquet --index frames/videomme/*.parquet --model train/demo/policy \\
      --selector refocus/demo --n-frames 32 --out likelihood.parquet
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the flags."""
    add = parser.add_argument
    add("--qa", type=Path, required=True, metavar="QA.parquet", help="question table")
    add("--index", type=Path, nargs="+", required=True, metavar="INDEX.parquet", help="index files of its frames")
    add("--model", required=True, metavar="DIR_OR_ID", help="folder or hub id of the policy")
    add("--selector", default="refocus", metavar="NAME", help="what its picks are called (default: refocus)")
    add("--n-frames", type=int, default=32, metavar="N", help="frames per rollout (default: 32)")
    add("--out", type=Path, required=True, metavar="LIKELIHOOD.parquet", help="where the table goes")
    add_settings(parser, LikelihoodSettings, without=("percents", "ranking"))


def run(args: argparse.Namespace) -> None:
    """Writes the likelihoods of every question."""
    settings = read_settings(args, LikelihoodSettings)
    if settings.samples < 1:
        raise UsageError("--samples must be at least 1")
    claim(settings.runtime.device)

    from refocus.frames.frame_store import FrameStore
    from refocus.qa.records import read_questions
    from refocus.select.benchmark import check_index
    from refocus.select.likelihood import LikelihoodTable, likelihoods, write_likelihoods
    from refocus.select.policy_selector import load_policy

    runtime = settings.runtime
    store, questions = FrameStore.open(args.index), read_questions(args.qa)
    check_index(questions, store, args.qa)
    policy = load_policy(args.model, runtime.device, runtime.threads, runtime.kernels)
    rows = likelihoods(policy, store, questions, args.n_frames, settings)
    benchmark = questions[0].dataset if questions else args.qa.stem
    made = LikelihoodTable(benchmark, args.selector, rows)
    computed = settings.identity_on(policy.device.type)
    write_likelihoods(args.out, made, {**computed, "model": args.model, "frames": args.n_frames})
