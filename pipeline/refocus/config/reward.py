"""Settings of `refocus reward` (stage 3; paper A.1 and Eq. 5)."""

from typing import Literal

from pydantic import Field

from refocus.config.base import Runtime, Section


class RewardRuntime(Runtime):
    """Where and in what portions the reward pass computes."""

    device: str = Field("auto", description="auto, cpu or cuda; auto takes a GPU where there is one")
    threads: int = Field(1, ge=1, description="CPU threads torch may use; more than free cores is far slower than one")
    batch_tokens: int | None = Field(
        None, ge=1, description="most tokens computed or held at once; null: what free memory allows"
    )
    readers: int = Field(2, ge=1, description="threads that read and decode frames ahead of the model")


class RewardSettings(Section):
    """Which frame subsets of every question are scored, and by which LMM."""

    version: int = Field(1, ge=1, description="raised when the code's results change; part of the store's key")
    model: str = Field("internvl3-8b", description="the scoring LMM: an entry of `lmms`; by hand a folder or hub id")
    windows: Literal["wrapped", "literal"] = Field(
        "wrapped", description="wrapped: windows of T/4 at a stride of T/8; literal: the formulas as printed"
    )
    sampling: Literal["midpoints", "endpoints"] = Field(
        "midpoints", description="how frames are spread over a region: middles of equal parts, or from end to end"
    )
    frames_per_subset: int = Field(
        32, ge=1, description="frames of one subset, at most; a short region gives all its own"
    )
    runtime: RewardRuntime = Field(RewardRuntime(), description="how it runs; never changes the result")
