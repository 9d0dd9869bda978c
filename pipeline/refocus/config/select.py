"""Settings of `select`: how a trained policy is asked for frames, and what every stage has that asks one."""

from typing import Any, ClassVar, Literal

from pydantic import Field

from refocus.config.base import Section, TorchRuntime

PickMode = Literal["sample", "greedy", "first_step", "top_marginal"]


class SelectRuntime(TorchRuntime):
    """How selection runs."""

    kernels: Literal["auto", "torch", "kernels"] = Field(
        "auto",
        description="the policy's scan: auto (CUDA kernels where they are installed), torch, or kernels (an error "
        "without them)",
    )


class PolicySection(Section):
    """A stage that asks a trained policy."""

    added_later: ClassVar[tuple[str, ...]] = ("precision",)

    version: int = Field(1, ge=1, description="raised when the same settings give another result")
    temperature: float = Field(
        1.0, gt=0, description="divides the frame logits before sampling; below 1 favours likely frames"
    )
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto",
        description="number format of the policy's matrix products, over float32 weights; auto: bfloat16 on a GPU, "
        "float32 on a CPU",
    )

    def precision_on(self, device: str) -> str:
        """`precision` on a device of this type (`cpu`, `cuda`)."""
        if self.precision != "auto":
            return self.precision
        return "bfloat16" if device == "cuda" else "float32"

    def identity_on(self, device: str) -> dict[str, Any]:
        """What a device of this type computes; float32 goes unnamed, as when there was nothing else."""
        precision = self.precision_on(device)
        computed = {key: value for key, value in self.identity().items() if key != "precision"}
        return computed if precision == "float32" else {**computed, "precision": precision}


class SelectSettings(PolicySection):
    """How frames are picked; uniform, random and oracle only use the seed."""

    mode: PickMode = Field(
        "sample",
        description="sample: one draw of Algorithm 2; greedy: the likeliest frame at each step; first_step: the "
        "likeliest frames at the first step, no pick fed back; top_marginal: the frames of highest probability in "
        "Eq. 10",
    )
    marginal_samples: int = Field(64, ge=1, description="rollouts averaged by Eq. 10; only for mode: top_marginal")
    seed: int = Field(0, ge=0, description="seed of random and sampled picks, combined with each question's id")
    runtime: SelectRuntime = Field(SelectRuntime(), description="changes no pick")
