"""`refocus train`: policy gradients with margin rewards, from the supervised base to a frame-selection policy."""

import argparse
import dataclasses
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from refocus.cli.flags import add_configuration, add_settings, read_settings
from refocus.config.lmm import LmmSettings
from refocus.config.overlay import load
from refocus.config.parsing import parse, parse_json
from refocus.config.policy import PolicySettings
from refocus.config.train import TrainRuntime, TrainSettings
from refocus.core.errors import UsageError
from refocus.train.job import TrainingJob, job_of_run
from refocus.train.start import start

HELP = "filtered pairs, stored frames, a supervised base and a reward LMM -> a frame-selection policy (Algorithm 1)"
DESCRIPTION = """
Trains the policy of paper section 3.2 with Eq. 2: N subsets per question from one prefix per clip, the reward LMM's
margin on each, advantages within the group, entropy bonus (appendix B). Writes to --out:

  policy/, best/, initial/   after the last step; at the best accuracy on held-back videos; before the first update.
                             The first two with a model card and provenance.json, for `refocus push`
  metrics.jsonl, tensorboard/, curves.png, curves.svg   a line per step; docs/metrics.md says what each number means
  groups.jsonl                                          every group's picks, rewards and log-probabilities, for replay

Checkpoints live in --work-dir. Killed at any moment and started again, the run goes on from the newest and ends as if
it had never stopped; another number of processes may go on with it. SIGTERM saves and ends with status 1. A checkpoint
of other settings or data is refused with the keys that differ; one that is damaged gives way to the one before.

Several GPUs: --processes N here, or torchrun, also over several machines with one shared --work-dir. A step is the same
however it is split: --batch counts questions over all processes, --clips-per-micro-batch only bounds memory.

Examples:
  refocus train --config config.yaml --run demo --out train/demo
  refocus train --pairs pairs.parquet --index 000000.index.parquet --start BASE --reward-model LMM --out run
  refocus train ... --picks 32 --curriculum '[[0.0, 4], [0.25, 8], [0.5, 16], [0.75, 32]]'      T' grows as it learns
  torchrun --nproc-per-node 8 -m refocus train --config config.yaml config/paper.yaml --out train/paper
  torchrun --nnodes 4 --nproc-per-node 8 --rdzv-backend c10d --rdzv-endpoint HOST:29500 \\
           -m refocus -- train --config config.yaml config/paper.yaml --run t32 --out train/t32
(torchrun takes --run and --start for its own unless a -- stands before `train`.)
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's flags. `--reward-model` is a folder or hub id, not the name of an entry of `lmms`."""
    parser.add_argument(
        "--config",
        metavar="CONFIG.yaml",
        type=Path,
        nargs="+",
        help="take all inputs from a configuration: these files, each laid over the ones before it",
    )
    add_configuration(parser)
    parser.set_defaults(configfile=[])  # a run by its flags never takes settings from the folder it is started in
    parser.add_argument("--run", metavar="NAME", help="which of its runs (default: the first that is used)")
    parser.add_argument("--pairs", metavar="PAIRS.parquet", type=Path, help="questions that passed the filter")
    parser.add_argument(
        "--variance", metavar="VARIANCE.parquet", type=Path, help="the filter's table, for --questions random or all"
    )
    parser.add_argument("--qa", metavar="QA.parquet", type=Path, nargs="+", help="the question files behind --variance")
    parser.add_argument(
        "--index", metavar="INDEX.parquet", type=Path, nargs="+", help="index files of the stored frames"
    )
    parser.add_argument("--start", metavar="DIR_OR_ID", help="the supervised base (default: policy.start)")
    parser.add_argument("--reward-model", metavar="DIR_OR_ID", help="the reward LMM")
    parser.add_argument("--lmm-settings", metavar="JSON", help="the reward LMM's entry of `lmms`")
    parser.add_argument("--policy-settings", metavar="JSON", help="the section `policy`")
    parser.add_argument("--out", metavar="DIR", type=Path, required=True, help="where the run's results go")
    parser.add_argument("--work-dir", metavar="DIR", type=Path, help="checkpoints and logs (default: OUT/work)")
    add_settings(parser, TrainSettings, without=("reward_model",))


def run(args: argparse.Namespace) -> None:
    """Trains."""
    if args.config and args.configfile:
        raise UsageError(
            "--config and --configfile: --config names all files, --configfile those over --base; give one"
        )
    files = args.config or ([args.base, *args.configfile] if args.configfile else None)
    job = _job_of_flags(args) if files is None else _job_of_configuration(args, files)
    start(dataclasses.replace(job, command=shlex.join(["refocus", *sys.argv[1:]])))


def _job_of_flags(args: argparse.Namespace) -> TrainingJob:
    for flag, given in (("--pairs", args.pairs), ("--index", args.index)):
        if not given:
            raise UsageError(f"{flag} is missing (or give --config or --configfile)")
    policy = parse(PolicySettings, parse_json(args.policy_settings, "--policy-settings"))
    lmm = parse_json(args.lmm_settings, "--lmm-settings")
    if args.reward_model:
        lmm["path"] = args.reward_model
    if not lmm:
        raise UsageError("which reward LMM? Give --reward-model DIR_OR_ID, or --lmm-settings JSON")
    return TrainingJob(
        pairs=args.pairs,
        frames=tuple(args.index),
        start=args.start or policy.start,
        lmm=parse(LmmSettings, lmm),
        policy=policy,
        settings=read_settings(args, TrainSettings),
        work=args.work_dir or args.out / "work",
        out=args.out,
        variance=args.variance,
        pool=tuple(args.qa or ()),
    )


def _job_of_configuration(args: argparse.Namespace, files: Sequence[Path]) -> TrainingJob:
    inputs = ("pairs", "variance", "qa", "index", "reward_model", "lmm_settings", "policy_settings", "settings")
    names = dict.fromkeys((*inputs, *TrainSettings.model_fields, *TrainRuntime.model_fields))
    for name in names:
        if getattr(args, name, None) is not None:
            flag = name.replace("_", "-")
            raise UsageError(f"--{flag} is not read beside a configuration, which says it already: change it there")
    return job_of_run(load(files), args.run, start=args.start, work=args.work_dir or args.out / "work", out=args.out)
