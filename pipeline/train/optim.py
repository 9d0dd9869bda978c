"""AdamW with two learning rates, linear warm-up and decay, and `<start_of_frame>` as a parameter of its own (B.1)."""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from pipeline.config.train import TrainSettings
from pipeline.policy.initialise import reinitialised

if TYPE_CHECKING:
    from pipeline.policy.model import FramePolicy

RATES = ("pretrained", "new")


def lr_factor(step: int, steps: int, settings: TrainSettings) -> float:
    """Share of the full learning rate: up linearly over the warm-up, then linearly down to 0 after the last step."""
    warm = math.ceil(settings.warmup * steps)
    if step < warm:
        return (step + 1) / (warm + 1)
    return 1.0 if settings.decay == "constant" else (steps - step) / (steps - warm)


class Optimiser:
    """Steps the trainable parameters of a policy.

    The embedding is pretrained but its row `<start_of_frame>` is new: the row is a leaf of its own that takes over the
    row's gradient and is written back after each step.
    """

    def __init__(self, policy: "FramePolicy", settings: TrainSettings, reinit_layers: int):
        self.settings = settings
        self.embedding = policy.backbone.embedding.weight
        self.row_index = policy.config.start_of_frame
        self.row = nn.Parameter(self.embedding.detach()[self.row_index].clone())
        new = reinitialised(policy, reinit_layers)
        self.parameters = {name: p for name, p in policy.named_parameters() if p.requires_grad}
        members: dict[tuple[str, bool], list[Tensor]] = {
            (rate, decayed): [] for rate in RATES for decayed in (True, False)
        }
        for name, parameter in self.parameters.items():
            members["new" if name in new else "pretrained", parameter.dim() >= 2].append(parameter)
        members["new", False].append(self.row)
        self.base = {"pretrained": settings.lr_pretrained, "new": settings.lr_new}
        groups = [
            {"params": tensors, "rate": rate, "weight_decay": settings.weight_decay if decayed else 0.0}
            for (rate, decayed), tensors in members.items()
            if tensors
        ]
        self.adam = torch.optim.AdamW(groups, lr=0.0, betas=settings.betas)

    def zero_grad(self) -> None:
        """Forgets all gradients."""
        for parameter in (*self.parameters.values(), self.row):
            parameter.grad = None

    def step(self, factor: float) -> dict[str, float]:
        """Clips the gradient's global norm and updates at `factor` times the base rates.

        Returns:
            The norm before clipping and the two learning rates.
        """
        norm = nn.utils.clip_grad_norm_(list(self.parameters.values()), self.settings.clip_norm)
        if self.embedding.grad is not None:
            self.row.grad = self.embedding.grad[self.row_index].clone()
            self.embedding.grad[self.row_index] = 0
        for group in self.adam.param_groups:
            group["lr"] = self.base[group["rate"]] * factor
        if norm.isfinite():
            self.adam.step()
        with torch.no_grad():
            self.embedding[self.row_index] = self.row
        return {"grad_norm": float(norm), **{f"lr/{rate}": self.base[rate] * factor for rate in RATES}}

    def tensors(self) -> dict[str, Tensor]:
        """The moments of every parameter, by name."""
        return {
            f"{name}/{key}": value
            for name, parameter in self._named().items()
            for key, value in self.adam.state.get(parameter, {}).items()
        }

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Takes back what `tensors` gave; call it after the policy's own weights are back."""
        states: dict[str, dict[str, Any]] = {}
        for key, value in tensors.items():
            name, _, part = key.rpartition("/")
            states.setdefault(name, {})[part] = value
        named = self._named()
        for name, state in states.items():
            self.adam.state[named[name]] = {
                key: value if key == "step" else value.to(named[name].device) for key, value in state.items()
            }
        with torch.no_grad():
            self.row.copy_(self.embedding[self.row_index])

    def _named(self) -> dict[str, Tensor]:
        return {**self.parameters, "start_of_frame": self.row}
