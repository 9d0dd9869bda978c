"""Settings of `select`: how a trained policy is asked for frames."""

from typing import Literal

from pydantic import Field

from refocus.config.base import Runtime, Section


class SelectRuntime(Runtime):
    """How selection runs."""

    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="where the policy runs: auto, cpu or cuda")
    threads: int = Field(1, ge=1, description="torch threads; more than the free cores makes it much slower")
    kernels: Literal["auto", "torch", "kernels"] = Field(
        "auto", description="the policy's scan on a GPU: CUDA kernels if installed (auto), plain torch, or kernels only"
    )


class SelectSettings(Section):
    """How frames are picked; uniform, random and oracle only use the seed."""

    version: int = Field(1, description="raised when the picks of the same settings change")
    mode: Literal["sample", "greedy", "top_marginal"] = Field(
        "sample",
        description="sample: one draw of Algorithm 2; greedy: the likeliest frame at each step; "
        "top_marginal: the frames with the highest probability of Eq. 10",
    )
    temperature: float = Field(1.0, gt=0, description="divides the frame logits when sampling; below 1 sharpens")
    marginal_samples: int = Field(64, ge=1, description="draws averaged by Eq. 10 in mode top_marginal")
    seed: int = Field(0, ge=0, description="seed of random and sampled picks, mixed with each question's id")
    runtime: SelectRuntime = Field(SelectRuntime(), description="device and threads; never changes the picks")
