"""`refocus train`: policy gradients with margin rewards, from the supervised base to a frame-selection policy."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from refocus.cli.flags import add_configuration, add_settings, read_settings
from refocus.config.lmm import LmmSettings
from refocus.config.parsing import parse, parse_json
from refocus.config.policy import PolicySettings
from refocus.config.train import TrainSettings
from refocus.core.devices import claim
from refocus.core.errors import ResourceMissing, UsageError
from refocus.core.results_folder import INDEX, PAIRS, shard_name
from refocus.train.wandb_mirror import library

if TYPE_CHECKING:
    from refocus.train.run import TrainingJob

HELP = "filtered pairs, stored frames, a supervised base and a reward LMM -> a frame-selection policy (Algorithm 1)"
DESCRIPTION = """
Trains the policy of paper section 3.2 with Eq. 2: N subsets per question from one prefix per clip, the reward LMM's
margin on each, advantages within the group, entropy bonus (appendix B). Writes to --out:

  policy/, best/, initial/   after the last step; at the best accuracy on held-back videos; before the first update
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
    parser.add_argument("--run", metavar="NAME", help="which of its runs (default: the first that is used)")
    parser.add_argument("--pairs", metavar="PAIRS.parquet", type=Path, help="questions that passed the filter")
    parser.add_argument(
        "--index", metavar="INDEX.parquet", type=Path, nargs="+", help="index files of the stored frames"
    )
    parser.add_argument("--start", metavar="DIR_OR_ID", help="the supervised base (default: policy.start)")
    parser.add_argument("--reward-model", metavar="DIR_OR_ID", dest="lmm_path", help="the reward LMM")
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
    files = args.config or [args.base, *args.configfile] if args.config or args.configfile else None
    job = _from_config(args, files) if files else _from_flags(args)
    runtime = job.settings.runtime
    library(runtime)  # before anything is loaded
    claim(runtime.device, runtime.processes)

    import torch

    from refocus.train.parallel import launch
    from refocus.train.run import work

    if runtime.device == "cuda" and not torch.cuda.is_available():
        raise ResourceMissing("no CUDA device is visible; set train.runtime.device to cpu or use a machine with a GPU")
    if runtime.strategy == "deepspeed":
        from refocus.train import deepspeed_zero

        deepspeed_zero.load(runtime.device)  # before models are loaded
    launch(work, job, runtime.processes, runtime.device)


def _from_flags(args: argparse.Namespace) -> "TrainingJob":
    from refocus.train.run import TrainingJob

    for flag, given in (("--pairs", args.pairs), ("--index", args.index)):
        if not given:
            raise UsageError(f"{flag} is missing (or give --config or --configfile)")
    policy = parse(PolicySettings, parse_json(args.policy_settings, "--policy-settings"))
    lmm = parse_json(args.lmm_settings, "--lmm-settings")
    if args.lmm_path:
        lmm["path"] = args.lmm_path
    if not lmm:
        raise UsageError("which reward LMM? Give --reward-model DIR_OR_ID, or --lmm-settings JSON")
    settings = read_settings(args, TrainSettings)
    start = args.start or policy.start
    return TrainingJob(
        args.pairs, tuple(args.index), start, parse(LmmSettings, lmm), policy, settings,
        args.work_dir or args.out / "work", args.out,
    )  # fmt: skip


def _from_config(args: argparse.Namespace, files: Sequence[Path]) -> "TrainingJob":
    """All inputs where the configuration's rules put them, made by `snakemake` before."""
    from refocus.config.overlay import load
    from refocus.train.run import TrainingJob

    root = load(files)
    name = args.run or next(iter(root.use.runs), None)
    if name not in root.runs:
        raise UsageError(f"--run: the configuration has no run '{name}' ({', '.join(root.runs) or 'it has none'})")
    settings, policy = root.run_train(name), root.run_policy(name)
    frames = [
        INDEX.at(root.results, dataset=dataset, shard=shard_name(shard))
        for dataset in root.use.datasets
        for shard in range(root.source(dataset).shards)
    ]
    pairs = PAIRS.at(root.results, model=root.reward.model)
    for path in (pairs, *frames):
        if not path.is_file():
            raise UsageError(f"{path} is missing: run the stages before training (`snakemake {path}`)")
    return TrainingJob(
        pairs, tuple(frames), args.start or policy.start, root.lmms[settings.reward_model], policy, settings,
        args.work_dir or args.out / "work", args.out,
    )  # fmt: skip
