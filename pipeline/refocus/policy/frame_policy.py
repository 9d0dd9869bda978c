"""The frame-selection policy as it is used: its network, with its files, its initialisation and its picks."""

import os
from collections.abc import Sequence
from typing import Self

import numpy as np
import torch
from torch import Tensor

from refocus.config.policy import PolicySettings
from refocus.lmm.prompts import Prompt
from refocus.policy import initialise, pick, pretrained
from refocus.policy.network import PolicyNetwork


class FramePolicy(PolicyNetwork):
    """pi_theta of the paper. Built from its config, or read with `from_pretrained`."""

    @classmethod
    def from_pretrained(cls, path: str | os.PathLike[str], settings: PolicySettings | None = None) -> Self:
        """Reads a folder or hub model, float32 whatever it was stored as; safetensors only.

        Args:
            path: what `save_pretrained` wrote, or a public Mamba-2, Video-Ma2mba or ReFoCUS
                (`refocus.policy.public_checkpoints`).
            settings: `vision`, `variant` and `prompt` of it are applied.
        Raises:
            UsageError: a file is missing, or its keys are not this model's.
        """
        return pretrained.load(cls, path, settings)

    def save_pretrained(self, folder: str | os.PathLike[str], dtype: torch.dtype = torch.float32) -> None:
        """Writes config.json, model.safetensors (stored as `dtype`) and the tokenizer's files."""
        pretrained.save(self, folder, dtype)

    def initialise_selection(self, settings: PolicySettings, seed: int) -> None:
        """Turns a supervised base into a policy before training: B.2, see `refocus.policy.initialise`."""
        initialise.initialise_selection(self, settings, seed)

    def pick(
        self,
        features: Tensor | np.ndarray,
        prompts: Sequence[Prompt],
        n_frames: int,
        seeds: Sequence[int],
        mode: str = "sample",
        temperature: float = 1.0,
        samples: int = 64,
    ) -> pick.PickedFrames:
        """Frames for each question about one clip, with their scores; see `refocus.policy.pick`."""
        return pick.pick(self, features, prompts, n_frames, seeds, mode, temperature, samples)

    def marginals(
        self,
        features: Tensor | np.ndarray,
        prompts: Sequence[Prompt],
        n_frames: int,
        seeds: Sequence[int],
        samples: int = 64,
        temperature: float = 1.0,
    ) -> Tensor:
        """The representative selection distribution p_{v,q} of Eq. 10, (q, t); see `refocus.policy.pick`."""
        return pick.marginals(self, features, prompts, n_frames, seeds, samples, temperature)
