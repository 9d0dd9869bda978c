"""Weights & Biases as a further place for the metrics: optional, imported only where it is asked for."""

import importlib
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from refocus.config.train import TrainRuntime, TrainSettings
from refocus.core.errors import RefocusError, UsageError


def library(runtime: TrainRuntime) -> ModuleType | None:
    """The package `wandb`; None where the runtime does not ask for it.

    Raises:
        UsageError: it is asked for and not installed.
    """
    return None if runtime.wandb == "off" else _imported(runtime)


def _imported(runtime: TrainRuntime) -> ModuleType:
    try:
        return importlib.import_module("wandb")
    except ImportError:
        raise UsageError(
            f"train.runtime.wandb is {runtime.wandb}, but the package wandb is not installed: "
            "pip install '.[wandb]' in a checkout, or set it to off"
        ) from None


def open_mirror(settings: TrainSettings, work: Path, out: Path) -> "WandbMirror | None":
    """The W&B run of a training into `out`; None where its runtime does not ask for one."""
    if settings.runtime.wandb == "off":
        return None
    return WandbMirror(settings.runtime, out.name, work, settings.model_dump(mode="json"))


class WandbMirror:
    """One W&B run with what metrics.jsonl holds, over its own `step`.

    A resumed training opens a new W&B run of the same group, which begins with the lines that were kept: the newest
    of a group is whole and without repeats, as W&B cannot take back what it has logged.
    """

    def __init__(self, runtime: TrainRuntime, name: str, folder: Path, config: Mapping[str, Any]):
        """
        Args:
            name: of the run and of its group. folder: where W&B keeps its files, in `wandb/`.
            config: settings to show beside the curves.
        Raises:
            UsageError: the package is missing. RefocusError: W&B refuses, for example without a login.
        """
        wandb = _imported(runtime)
        folder.mkdir(parents=True, exist_ok=True)
        try:
            self._run = wandb.init(
                project=runtime.wandb_project,
                name=name,
                group=name,
                mode=runtime.wandb,
                dir=str(folder),
                config=dict(config),
                settings={"console": "off", "silent": True},
            )
        except wandb.Error as error:
            raise RefocusError(f"W&B: {error}; train.runtime.wandb: offline needs no connection") from None
        self._run.define_metric("*", step_metric="step")

    def add(self, line: Mapping[str, Any]) -> None:
        """Logs one line of metrics.jsonl."""
        self._run.log(dict(line))

    def close(self) -> None:
        """Ends the W&B run."""
        self._run.finish()
