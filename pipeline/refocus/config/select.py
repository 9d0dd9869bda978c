"""Settings of `select`: how a trained policy is asked for frames."""

from typing import Literal

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


class SelectSettings(Section):
    """How frames are picked; uniform, random and oracle only use the seed."""

    version: int = Field(1, description="raised when the same settings give other picks")
    mode: PickMode = Field(
        "sample",
        description="sample: one draw of Algorithm 2; greedy: the likeliest frame at each step; first_step: the "
        "likeliest frames at the first step, no pick fed back; top_marginal: the frames of highest probability in "
        "Eq. 10",
    )
    temperature: float = Field(
        1.0, gt=0, description="divides the frame logits before sampling; below 1 favours likely frames"
    )
    marginal_samples: int = Field(64, ge=1, description="rollouts averaged by Eq. 10; only for mode: top_marginal")
    seed: int = Field(0, ge=0, description="seed of random and sampled picks, combined with each question's id")
    runtime: SelectRuntime = Field(SelectRuntime(), description="changes no pick")
