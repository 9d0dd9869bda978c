"""DeepSpeed's ZeRO stage 1 in the place of torch's (`runtime.strategy: deepspeed`); needs the extra `deepspeed`.

Only its optimiser is used: it takes the gradients that were added up here, sums them over processes, clips and steps.
Its engine wants one forward and one backward per micro-batch, equally many in every process; a step here has neither.
"""

import contextlib
import importlib
import logging
import os
from collections.abc import Iterable, Iterator
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from refocus.config.train import TrainSettings
from refocus.core.errors import UsageError
from refocus.policy.network import PolicyNetwork
from refocus.train.optim import Optimiser
from refocus.train.parallel import Ranks

MOMENTS = ("exp_avg", "exp_avg_sq")  # AdamW's names


def load(device: str) -> ModuleType:
    """The package `deepspeed`, computing on the CPU where `device` is "cpu".

    Raises:
        UsageError: it is not installed, or something it needs is not.
    """
    if device == "cpu":
        os.environ.setdefault("DS_ACCELERATOR", "cpu")
    try:
        package = importlib.import_module("deepspeed")
    except ImportError as error:
        raise UsageError(
            f"train.runtime.strategy is deepspeed, but the package deepspeed cannot be imported ({error}): "
            "pip install '.[deepspeed]' in a checkout, or set it to zero1"
        ) from None
    logging.getLogger("DeepSpeed").setLevel(logging.WARNING)
    return package


class DeepSpeedOptimiser(Optimiser):
    """An `Optimiser` whose moments lie in DeepSpeed's flat partitions, for float32 weights and several processes.

    Its checkpoints hold the moments of each parameter, as those of the other strategies do.
    """

    def __init__(self, policy: PolicyNetwork, settings: TrainSettings, reinit_layers: int, ranks: Ranks):
        super().__init__(policy, settings, reinit_layers, ranks)
        # DeepSpeed cannot take scalars: vectors of length 1 step in their place
        self.vectors = {name: nn.Parameter(p.detach().view(1).clone()) for name, p in self.named.items() if not p.dim()}
        self.leaves = {**self.named, **self.vectors}
        vector_of = {id(self.named[name]): vector for name, vector in self.vectors.items()}
        for group in self.adam.param_groups:
            group["params"] = [vector_of.get(id(parameter), parameter) for parameter in group["params"]]
        self.zero = _initialise(self.leaves.values(), self.adam, settings, ranks)
        self._make_moments()

    def _make_moments(self) -> None:
        """Moments of 0, where the parameters find them; DeepSpeed links them after the first of several groups only."""
        from deepspeed.utils import lazy_init_hp_params_optimizer_state

        for members, flat in zip(self.zero.bit16_groups, self.zero.single_partition_of_fp32_groups, strict=True):
            self.zero.state[flat] = {key: torch.zeros_like(flat.detach()) for key in MOMENTS}
            self.zero.state[flat]["step"] = torch.tensor(0.0)
            lazy_init_hp_params_optimizer_state(members, flat, self.zero.state)

    def _reduce_and_step(self, groups: int, factor: float) -> Tensor:
        self.ranks.fill_gradients(self.parameters.values())
        if self.embedding.grad is not None:
            self._take_row(self.embedding.grad)
        for name, vector in self.vectors.items():
            if (gradient := self.named[name].grad) is not None:
                vector.grad, self.named[name].grad = gradient.view(1), None
        for leaf in self.leaves.values():
            if leaf.grad is not None:
                leaf.grad *= self.ranks.world / max(groups, 1)  # DeepSpeed takes the mean over processes
        self._set_rates(self.zero.param_groups, factor)
        self.zero.reduce_gradients()
        self.zero.step()  # leaves the weights alone where the norm is not finite
        self.zero.zero_grad(set_to_none=True)
        with torch.no_grad():
            for name, vector in self.vectors.items():
                self.named[name].copy_(vector.view(()))
        return torch.as_tensor(float(self.zero._global_grad_norm))

    def tensors(self) -> dict[str, Tensor]:
        """All moments, put together from all processes; called by all, given in the first."""
        from deepspeed.utils import safe_get_full_optimizer_state

        steps = next(iter(self.zero.state.values()))["step"]
        found: dict[str, Tensor] = {}
        for name, leaf in self.leaves.items():
            parts = {key: safe_get_full_optimizer_state(leaf, key).view_as(self.named[name]) for key in MOMENTS}
            if self.ranks.first:
                found |= {f"{name}/{key}": part.cpu() for key, part in parts.items()} | {f"{name}/step": steps.clone()}
        return found

    def holds(self, key: str) -> bool:
        return key.rpartition("/")[0] in self.leaves

    def restore(self, tensors: Iterable[tuple[str, Tensor]]) -> None:
        from deepspeed.utils import safe_set_full_optimizer_state

        with torch.no_grad():
            self.row.copy_(self.embedding[self.row_index])
            for name, vector in self.vectors.items():
                vector.copy_(self.named[name].view(1))
        self.zero.refresh_fp32_params()
        for key, value in tensors:
            name, _, part = key.rpartition("/")
            if part in MOMENTS:
                safe_set_full_optimizer_state(self.leaves[name], value.to(self.ranks.device), part)
                continue
            for state in self.zero.state.values():
                state["step"].copy_(torch.maximum(state["step"].cpu(), value))


def _initialise(leaves: Iterable[Tensor], adam: torch.optim.Optimizer, settings: TrainSettings, ranks: Ranks) -> Any:
    """DeepSpeed's optimiser around `adam`, with the configuration that our settings make."""
    config = {
        "train_micro_batch_size_per_gpu": 1,  # batches are cut here; DeepSpeed only wants a number
        "gradient_accumulation_steps": 1,
        "gradient_clipping": settings.max_grad_norm,
        "zero_optimization": {"stage": 1, "overlap_comm": False, "contiguous_gradients": False},
        "zero_allow_untested_optimizer": True,  # torch's AdamW
        "zero_force_ds_cpu_optimizer": False,
    }
    deepspeed = load(ranks.device.type)
    with _local_rank(ranks):
        return deepspeed.initialize(
            model=nn.ParameterList(leaves), optimizer=adam, config=config, dist_init_required=False
        )[1]


@contextlib.contextmanager
def _local_rank(ranks: Ranks) -> Iterator[None]:
    """DeepSpeed asks for torchrun's LOCAL_RANK, which processes started by ourselves do not have."""
    if "LOCAL_RANK" in os.environ:
        yield
        return
    os.environ["LOCAL_RANK"] = str(ranks.rank)
    try:
        yield
    finally:
        del os.environ["LOCAL_RANK"]
