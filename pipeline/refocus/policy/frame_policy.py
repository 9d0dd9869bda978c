"""The frame-selection policy as it is used: its network, with its files, its initialisation and its picks."""

import os
from typing import Self

import torch

from refocus.config.policy import PolicySettings
from refocus.policy import initialise, pretrained
from refocus.policy import pick as picking
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

    read_clip = picking.read_clip  # what all questions about a clip start from
    pick = picking.pick  # frames of a clip for some questions
    likelihood = picking.likelihood  # how often each frame is picked, and Eq. 10
    marginals = picking.marginals  # Eq. 10 alone
    step_shares = picking.step_shares  # Eq. 10 over the steps of picks that were made
