"""Checkpoints: everything a run needs to go on as if it had never stopped, in folders that are complete or absent.

A folder `step-00000050` holds the policy's trained tensors, the optimiser's moments, every process's random states and
what identifies the run. No pickles.
"""

import json
import os
import random
import shutil
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from pipeline.errors import UsageError
from pipeline.files import write_json
from pipeline.policy.model import FramePolicy
from pipeline.train.optim import Optimiser
from pipeline.train.parallel import Ranks

PATTERN = "step-*"


class Checkpoints:
    """The checkpoints of one run in one folder; the newest `keep` stay."""

    def __init__(self, folder: Path, identity: Mapping[str, Any], keep: int):
        self.folder, self.identity, self.keep = folder, dict(identity), keep

    def save(self, step: int, policy: FramePolicy, optimiser: Optimiser, ranks: Ranks) -> None:
        """Writes the state before step `step`; called by all processes, written by the first."""
        states = ranks.gather(_random_state(ranks.device))
        if ranks.first:
            self.folder.mkdir(parents=True, exist_ok=True)
            draft = self.folder / f".draft-{uuid.uuid4().hex[:8]}"
            draft.mkdir()
            save_file(_plain(trained(policy)), draft / "policy.safetensors")
            save_file(_plain(optimiser.tensors()), draft / "optimiser.safetensors")
            rng = {f"{rank}/{key}": t for rank, state in enumerate(states) for key, t in state["tensors"].items()}
            save_file(_plain(rng), draft / "random.safetensors")
            state = {"step": step, "identity": self.identity, "python": [state["python"] for state in states]}
            write_json(draft / "state.json", state)
            final = self.folder / f"step-{step:08d}"
            shutil.rmtree(final, ignore_errors=True)
            os.replace(draft, final)
            for old in self._found()[: -self.keep]:
                shutil.rmtree(old)
        ranks.wait()

    def resume(self, policy: FramePolicy, optimiser: Optimiser, ranks: Ranks) -> int:
        """Restores the newest checkpoint and returns its step; 0 where there is none.

        Raises:
            UsageError: it belongs to other settings or data; the message names what differs.
        """
        found = self._found()
        if not found:
            return 0
        folder = found[-1]
        state = json.loads((folder / "state.json").read_text(encoding="utf-8"))
        differing = differences(state["identity"], json.loads(json.dumps(self.identity)))
        if differing:
            raise UsageError(
                f"{folder} belongs to another run: {', '.join(differing)} differ; "
                "give another --work-dir, or remove that folder to start anew"
            )
        policy.load_state_dict(load_file(folder / "policy.safetensors"), strict=False)
        optimiser.restore(load_file(folder / "optimiser.safetensors"))
        if ranks.rank < len(state["python"]):
            rng = load_file(folder / "random.safetensors")
            mine = {key.partition("/")[2]: t for key, t in rng.items() if key.partition("/")[0] == str(ranks.rank)}
            _restore_random(mine, state["python"][ranks.rank])
        return state["step"]

    def _found(self) -> list[Path]:
        """Complete checkpoints, oldest first."""
        return sorted(path for path in self.folder.glob(PATTERN) if (path / "state.json").is_file())


def trained(policy: FramePolicy) -> dict[str, Tensor]:
    """The tensors training changes: all but the frozen tower's."""
    return {name: tensor for name, tensor in policy.state_dict().items() if not name.startswith("vision.")}


def differences(old: Any, new: Any, key: str = "") -> list[str]:
    """Dotted names of the values that differ between two nested mappings."""
    if isinstance(old, dict) and isinstance(new, dict):
        names = [*old, *(name for name in new if name not in old)]
        return [d for n in names for d in differences(old.get(n), new.get(n), f"{key}.{n}" if key else n)]
    return [] if old == new else [key]


def _plain(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}


def _random_state(device: torch.device) -> dict[str, Any]:
    name, keys, position, has_gauss, gauss = np.random.get_state()
    tensors = {"torch": torch.get_rng_state(), "numpy": torch.from_numpy(keys.astype(np.int64))}
    if device.type == "cuda":
        tensors["cuda"] = torch.cuda.get_rng_state(device)
    return {"tensors": tensors, "python": {"random": random.getstate(), "numpy": [name, position, has_gauss, gauss]}}


def _restore_random(tensors: Mapping[str, Tensor], python: Mapping[str, Any]) -> None:
    torch.set_rng_state(tensors["torch"])
    if "cuda" in tensors and torch.cuda.is_available():
        torch.cuda.set_rng_state(tensors["cuda"])
    name, position, has_gauss, gauss = python["numpy"]
    np.random.set_state((name, tensors["numpy"].numpy().astype(np.uint32), position, has_gauss, gauss))
    version, words, gauss_next = python["random"]
    random.setstate((version, tuple(words), gauss_next))
