"""Settings of `refocus filter` (stage 4; paper A.1)."""

from pydantic import Field

from refocus.config.base import Section


class FilterSettings(Section):
    """Which questions are kept for training."""

    tau: float = Field(0.21, ge=0, description="questions whose margins vary strictly more than this are kept")
    ddof: int = Field(1, ge=0, le=1, description="variance divides by subsets minus this; 1 = unbiased")
    min_subsets: int = Field(8, ge=2, description="questions with fewer subsets (short clips) are dropped: too_short")
