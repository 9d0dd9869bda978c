"""Checkpoints: everything a run needs to go on as if it had never stopped, in folders that are complete or absent.

A folder `step-00000050` holds the policy's trained tensors, the optimiser's moments (one file per process that has
some), every process's random states, and `state.json` (`refocus.train.checkpoint_state`). No pickles.
"""

import json
import logging
import os
import random
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from refocus.core.errors import RefocusError, UsageError
from refocus.core.files import file_digest, replaced, write_json
from refocus.policy.frame_policy import FramePolicy
from refocus.train.checkpoint_state import DRAFT, FOLDER, GONE, STATE, read_whole, sealed
from refocus.train.optim import Optimiser
from refocus.train.parallel import Ranks

log = logging.getLogger(__name__)

POLICY, MOMENTS, RANDOM = "policy.safetensors", "optimiser", "random.safetensors"


class Best(NamedTuple):
    """The best validation so far; compared by accuracy, then by reward."""

    accuracy: float
    reward: float
    step: int


class Checkpoints:
    """The checkpoints of one run in one folder, which all processes see. The newest `keep` stay, and the best."""

    def __init__(self, folder: Path, identity: Mapping[str, Any], keep: int):
        self.folder, self.identity, self.keep = folder, dict(identity), keep

    # ---- writing

    def save(
        self,
        step: int,
        policy: FramePolicy,
        optimiser: Optimiser,
        ranks: Ranks,
        best: Best | None = None,
        logs: Mapping[str, tuple[int, str]] = MappingProxyType({}),
    ) -> None:
        """Writes the state before step `step`; called by all processes, each writes the moments it has.

        Args:
            logs: length and SHA-256 of the logs in the same folder, which a whole checkpoint goes on from.
        """
        states = ranks.gather(_random_state(ranks.device))
        draft = self.folder / f"{DRAFT}{step:08d}"
        files: dict[str, dict[str, Tensor]] = {}
        if ranks.first:
            self._tidy()
            draft.mkdir(parents=True)
            files[POLICY] = trained(policy)
            files[RANDOM] = {f"{rank}/{key}": t for rank, state in enumerate(states) for key, t in state[0].items()}
        ranks.wait()
        if not draft.is_dir():
            raise RefocusError(f"{self.folder} must be one folder for all processes, on all nodes")
        if moments := optimiser.tensors():
            files[f"{MOMENTS}-{ranks.rank:05d}.safetensors"] = moments
        mine = {}
        for name, tensors in files.items():
            save_file(_plain(tensors), draft / name)
            _flush(draft / name)
            mine[name] = file_digest(draft / name)
        everyone = ranks.gather(mine)
        if ranks.first:
            state = {"step": step, "identity": self.identity, "python": [python for _, python in states]}
            state["best"] = list(best) if best else None
            state["logs"] = {name: list(mark) for name, mark in logs.items()}
            state["files"] = {name: digest for share in everyone for name, digest in share.items()}
            write_json(draft / STATE, sealed(state))
            _flush(draft)
            self._replace(draft, self.folder / f"{FOLDER}{step:08d}")
            self._prune(step, best)
        ranks.wait()

    def _replace(self, draft: Path, final: Path) -> None:
        self._remove(final)
        replaced(draft, final)

    def _prune(self, step: int, best: Best | None) -> None:
        """Removes what is neither among the newest, nor the best; what claims to be newer could not be read."""
        found = self._found()
        newest = [path for path in found if _step(path) <= step][-self.keep :]
        for path in found:
            if path not in newest and not (best and _step(path) == best.step):
                self._remove(path)

    def _remove(self, path: Path) -> None:
        """Takes a checkpoint away at once, then deletes it: half of one never looks like a whole."""
        if path.exists():
            gone = path.with_name(f"{GONE}{path.name}")
            os.replace(path, gone)
            shutil.rmtree(gone)

    def _tidy(self) -> None:
        """Deletes what a killed process left behind."""
        for pattern in (f"{DRAFT}*", f"{GONE}*"):
            for path in self.folder.glob(pattern):
                shutil.rmtree(path)

    # ---- reading

    def resume(self, policy: FramePolicy, optimiser: Optimiser, ranks: Ranks) -> tuple[int, Best | None]:
        """Restores the newest checkpoint that is whole, written by any number of processes; called by all.

        Returns:
            Its step and the best validation until then; 0 and None where there is no checkpoint at all.
        Raises:
            UsageError: it belongs to other settings or data; the message names what differs.
            RefocusError: there are checkpoints and none is whole.
        """
        found, error = ranks.gather(self._newest() if ranks.first else None)[0]
        if error is not None:
            raise error
        if found is None:
            return 0, None
        folder = self.folder / found
        state = json.loads((folder / STATE).read_text(encoding="utf-8"))
        self.read(state["step"], policy)
        optimiser.restore(_moments(folder, optimiser))
        if ranks.rank < len(state["python"]):
            rng = load_file(folder / RANDOM)
            mine = {key.partition("/")[2]: t for key, t in rng.items() if key.partition("/")[0] == str(ranks.rank)}
            _restore_random(mine, state["python"][ranks.rank])
        best = state.get("best")
        return state["step"], Best._make(best) if best else None

    def read(self, step: int, policy: FramePolicy) -> None:
        """Gives the policy the weights of one checkpoint."""
        policy.load_state_dict(load_file(self.folder / f"{FOLDER}{step:08d}" / POLICY), strict=False)

    def _newest(self) -> tuple[str | None, RefocusError | None]:
        """The newest whole checkpoint's name, or why none may be taken."""
        found = self._found()
        for folder in reversed(found):
            try:
                state = read_whole(folder)
                differing = differences(state["identity"], json.loads(json.dumps(self.identity)))
            except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
                log.warning("%s cannot be read (%s); the one before it is taken", folder, error)
                continue
            if differing:
                return None, UsageError(
                    f"{folder} belongs to another run: {', '.join(differing)} differ; "
                    "give another --work-dir, or remove that folder to start anew"
                )
            return folder.name, None
        if found:
            return None, RefocusError(
                f"no checkpoint in {self.folder} can be gone on from, as said above; remove the folder to start anew"
            )
        return None, None

    def _found(self) -> list[Path]:
        """Checkpoints, oldest first."""
        return sorted(self.folder.glob(f"{FOLDER}*"), key=_step)


def trained(policy: FramePolicy) -> dict[str, Tensor]:
    """The tensors training changes: all but the frozen tower's."""
    return {name: tensor for name, tensor in policy.state_dict().items() if not name.startswith("vision.")}


def differences(old: Any, new: Any, key: str = "") -> list[str]:
    """Dotted names of the values that differ between two nested mappings."""
    if isinstance(old, dict) and isinstance(new, dict):
        names = [*old, *(name for name in new if name not in old)]
        return [d for n in names for d in differences(old.get(n), new.get(n), f"{key}.{n}" if key else n)]
    return [] if old == new else [key]


def _step(path: Path) -> int:
    return int(path.name.removeprefix(FOLDER))


def _moments(folder: Path, optimiser: Optimiser) -> Iterator[tuple[str, Tensor]]:
    """The moments this process holds, from whichever processes wrote them."""
    for path in sorted(folder.glob(f"{MOMENTS}*.safetensors")):
        with safe_open(path, "pt") as file:
            yield from ((key, file.get_tensor(key)) for key in file.keys() if optimiser.holds(key))  # noqa: SIM118


def _plain(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}


def _flush(path: Path) -> None:
    """Brings a file, or a folder's list of files, to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _random_state(device: torch.device) -> tuple[dict[str, Tensor], dict[str, Any]]:
    state = np.random.get_state(legacy=False)
    words = torch.from_numpy(state["state"]["key"].astype(np.int64))
    tensors = {"torch": torch.get_rng_state(), "numpy": words}
    if device.type == "cuda":
        tensors["cuda"] = torch.cuda.get_rng_state(device)
    numpy = [state["bit_generator"], state["state"]["pos"], state["has_gauss"], state["gauss"]]
    return tensors, {"random": random.getstate(), "numpy": numpy}


def _restore_random(tensors: Mapping[str, Tensor], python: Mapping[str, Any]) -> None:
    torch.set_rng_state(tensors["torch"])
    if "cuda" in tensors and torch.cuda.is_available():
        torch.cuda.set_rng_state(tensors["cuda"])
    name, position, has_gauss, gauss = python["numpy"]
    np.random.set_state((name, tensors["numpy"].numpy().astype(np.uint32), position, has_gauss, gauss))
    version, words, gauss_next = python["random"]
    random.setstate((version, tuple(words), gauss_next))
