"""Settings of `refocus filter` (stage 4; paper A.1)."""

from pydantic import Field

from refocus.config.base import Section


class FilterSettings(Section):
    """Which questions are kept for training."""

    tau: float = Field(0.21, ge=0, description="a question is kept if the variance of its margins is greater than this")
    ddof: int = Field(1, ge=0, le=1, description="1: unbiased variance, 0: population variance")
    min_subsets: int = Field(
        8, ge=2, description="questions with fewer subsets, which are about short clips, are dropped as too_short"
    )
