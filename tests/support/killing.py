"""Training in a process that kills itself at a chosen place, for tests of what survives."""

import dataclasses
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import refocus.train.checkpoint
import refocus.train.run_log
import refocus.train.step
import torch
from refocus.config.train import TrainSettings
from refocus.policy.frame_policy import FramePolicy
from refocus.train.checkpoint import Checkpoints
from refocus.train.run_log import RunLog

from tests.support.forked import CONTEXT
from tests.support.tiny_policy import build_policy
from tests.support.tiny_training import LateFrames, build_trainer

PLACES: dict[str, tuple[Any, str]] = {
    "prefix": (FramePolicy, "prefix"),
    "rollout": (refocus.train.step, "rollout"),
    "reward": (LateFrames, "__call__"),
    "score": (refocus.train.step, "score"),
    "backward": (torch.Tensor, "backward"),
    "optimiser": (torch.optim.AdamW, "step"),
    "tensors of a checkpoint": (refocus.train.checkpoint, "save_file"),
    "state of a checkpoint": (refocus.train.checkpoint, "write_json"),
    "renaming of a checkpoint": (Checkpoints, "_replace"),
    "removal of a checkpoint": (refocus.train.checkpoint.shutil, "rmtree"),
    "validation": (FramePolicy, "pick"),
    "line of a log": (RunLog, "_write"),
    "publishing of the logs": (RunLog, "publish"),
    "cutting back of the logs": (refocus.train.run_log, "_line"),
    "writing of the policy": (FramePolicy, "save_pretrained"),
}


@dataclasses.dataclass(frozen=True)
class Death:
    """Before or after the n-th call of something; `half` a file or a line is written first where that makes sense."""

    place: str
    call: int
    after: bool = False
    half: bool = False


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def arm(death: Death) -> None:
    """Replaces the function of that place by one that dies."""
    owner, name = PLACES[death.place]
    real, calls = getattr(owner, name), 0

    def deadly(*args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls < death.call:
            return real(*args, **kwargs)
        if death.half:
            write_half(death.place, real, args)
        elif death.after:
            real(*args, **kwargs)
        die()

    setattr(owner, name, deadly)


def write_half(place: str, real: Callable, args: tuple) -> None:
    if place == "line of a log":
        record, name, values = args
        line = refocus.train.run_log._line(values)
        record._files[name].write(line[: len(line) // 2])
        record._files[name].flush()
    else:
        real(*args)
        os.truncate(args[1], os.path.getsize(args[1]) // 2)


def train(folder: Path, settings: TrainSettings, death: Death | None) -> None:
    torch.set_num_threads(1)
    if death:
        arm(death)
    build_trainer(folder, settings, policy=build_policy(dtype=torch.float32)).run()


def run(folder: Path, settings: TrainSettings, death: Death | None = None, seconds: float | None = None) -> int | None:
    """Trains in a process of its own, killed at `death` or after some seconds; its exit code."""
    process = CONTEXT.Process(target=train, args=(folder, settings, death))
    process.start()
    process.join(seconds)
    if process.is_alive():
        process.kill()
        process.join()
    return process.exitcode
