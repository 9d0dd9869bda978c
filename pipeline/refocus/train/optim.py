"""AdamW with two learning rates, linear warm-up and decay, and `<start_of_frame>` as a parameter of its own (B.1)."""

import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from refocus.config.train import TrainSettings
from refocus.policy.initialise import reinitialised
from refocus.policy.network import PolicyNetwork
from refocus.train.parallel import Ranks

RATES = ("pretrained", "new")


def lr_factor(step: int, steps: int, settings: TrainSettings) -> float:
    """Share of the full learning rate: up linearly over the warm-up, then linearly down to 0 after the last step."""
    warm = math.ceil(settings.lr_warmup * steps)
    if step < warm:
        return (step + 1) / (warm + 1)
    return 1.0 if settings.lr_decay == "constant" else (steps - step) / (steps - warm)


class Optimiser:
    """Steps the trainable parameters of a policy.

    The embedding is pretrained but its row `<start_of_frame>` is new: the row is a leaf of its own that takes over the
    row's gradient and is written back after each step. With `runtime.strategy: zero1` and several processes each holds
    the moments of its share of the parameters (ZeRO-1), which changes no value.
    """

    def __init__(self, policy: PolicyNetwork, settings: TrainSettings, reinit_layers: int, ranks: Ranks | None = None):
        self.settings, self.ranks = settings, ranks or Ranks()
        self.embedding = policy.backbone.embedding.weight
        self.row_index = policy.config.start_of_frame
        self.row = nn.Parameter(self.embedding.detach()[self.row_index].clone())
        self.parameters = {name: p for name, p in policy.named_parameters() if p.requires_grad}
        self.named = {**self.parameters, "start_of_frame": self.row}
        self.base = {"pretrained": settings.lr_pretrained, "new": settings.lr_new}
        self.sharded = self.ranks.world > 1 and settings.runtime.strategy == "zero1"
        # `local` holds this process's moments
        self.adam, self.local = self._adam(self._groups(reinitialised(policy, reinit_layers)))
        self._held = {id(parameter) for group in self.local.param_groups for parameter in group["params"]}

    def _groups(self, new: set[str]) -> list[dict[str, Any]]:
        """The parameters by learning rate, and by whether they decay (matrices do)."""
        members: dict[tuple[str, bool], list[Tensor]] = {
            (rate, decayed): [] for rate in RATES for decayed in (True, False)
        }
        for name, parameter in self.parameters.items():
            members["new" if name in new else "pretrained", parameter.dim() >= 2].append(parameter)
        members["new", False].append(self.row)
        return [
            {"params": tensors, "rate": rate, "weight_decay": self.settings.weight_decay if decayed else 0.0}
            for (rate, decayed), tensors in members.items()
            if tensors
        ]

    def _adam(self, groups: list[dict[str, Any]]) -> tuple[torch.optim.Optimizer, torch.optim.Optimizer]:
        """What is stepped, and what holds this process's moments: the same, unless they are sharded."""
        if not self.sharded:
            adam = torch.optim.AdamW(groups, lr=0.0, betas=self.settings.betas)
            return adam, adam
        from torch.distributed.optim import ZeroRedundancyOptimizer

        zero = ZeroRedundancyOptimizer(groups, torch.optim.AdamW, lr=0.0, betas=self.settings.betas)
        return zero, zero.optim

    def zero_grad(self) -> None:
        """Forgets all gradients."""
        for parameter in self.named.values():
            parameter.grad = None

    def step(self, factor: float, groups: int = 1) -> dict[str, float]:
        """Adds up the processes' gradients, divides them by `groups`, clips their global norm and updates.

        Args:
            factor: of the base learning rates.
            groups: how many the summed loss is of, over all processes and micro-batches.
        Returns:
            The norm before clipping and the two learning rates.
        """
        norm = self._reduce_and_step(groups, factor)
        with torch.no_grad():
            self.embedding[self.row_index] = self.row
        return {"grad_norm": float(norm), **{f"lr/{rate}": self.base[rate] * factor for rate in RATES}}

    def _reduce_and_step(self, groups: int, factor: float) -> Tensor:
        self.ranks.sum_gradients(self.parameters.values())
        for parameter in self.parameters.values():
            if parameter.grad is not None:
                parameter.grad /= max(groups, 1)
        norm = nn.utils.clip_grad_norm_(list(self.parameters.values()), self.settings.max_grad_norm)
        if self.embedding.grad is not None:
            self._take_row(self.embedding.grad)
        self._set_rates(self.adam.param_groups, factor)
        if norm.isfinite():
            self.adam.step()
        return norm

    def _take_row(self, gradient: Tensor) -> None:
        """Moves the gradient of `<start_of_frame>` from the embedding's to the leaf of its own."""
        self.row.grad = gradient[self.row_index].clone()
        gradient[self.row_index] = 0

    def _set_rates(self, groups: list[dict[str, Any]], factor: float) -> None:
        for group in groups:
            group["lr"] = self.base[group["rate"]] * factor

    # ---- its state

    def tensors(self) -> dict[str, Tensor]:
        """The moments to be saved by this process, `<parameter>/<key>`: its share, or all in the first process."""
        if not self.sharded and not self.ranks.first:
            return {}
        return {
            f"{name}/{key}": value
            for name, parameter in self.named.items()
            for key, value in self.local.state.get(parameter, {}).items()
        }

    def holds(self, key: str) -> bool:
        """Whether this process needs the moment `key`, a key of what `tensors` gave in some process."""
        return id(self.named.get(key.rpartition("/")[0])) in self._held

    def restore(self, tensors: Iterable[tuple[str, Tensor]]) -> None:
        """Takes the moments this process `holds`; call it after the policy's own weights are back."""
        self.local.state.clear()
        for key, value in tensors:
            name, _, part = key.rpartition("/")
            parameter = self.named[name]
            self.local.state[parameter][part] = value if part == "step" else value.to(parameter.device)
        with torch.no_grad():
            self.row.copy_(self.embedding[self.row_index])
