"""Settings of `refocus reward` (stage 3; paper A.1 and Eq. 5)."""

from typing import Literal

from pydantic import Field

from refocus.config.base import LmmRuntime, Section


class RewardRuntime(LmmRuntime):
    """How the reward pass runs."""

    readers: int = Field(2, ge=1, description="threads that read and decode frames ahead of the LMM")


class RewardSettings(Section):
    """Which frame subsets of every question are scored, and by which LMM."""

    version: int = Field(1, ge=1, description="raised when the same settings give other margins")
    model: str = Field(
        "internvl3-8b", description="the scoring LMM: an entry of `lmms`; on the command line a folder or hub id"
    )
    windows: Literal["wrapped", "literal"] = Field(
        "wrapped",
        description="wrapped: windows of T/4 frames at a stride of T/8, the last one wrapping around; literal: the "
        "formulas as printed",
    )
    sampling: Literal["midpoints", "endpoints"] = Field(
        "midpoints",
        description="midpoints: the middle frame of equal parts of the region; endpoints: evenly from its first to its "
        "last frame",
    )
    frames_per_subset: int = Field(
        32, ge=1, description="frames per subset, at most; a region with fewer gives all it has"
    )
    runtime: RewardRuntime = Field(RewardRuntime(), description="changes no margin")
