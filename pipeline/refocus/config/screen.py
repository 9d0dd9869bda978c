"""Settings of `refocus screen` (stage 1b): duplicates among training sets, and training videos that benchmarks use."""

from typing import Literal

from pydantic import Field

from refocus.config.base import Section

What = Literal["drop", "report", "off"]


class ScreenSettings(Section):
    """What happens to questions that should not be trained on twice, or not at all. Dropped ones never reach a pair."""

    duplicates: What = Field(
        "drop", description="questions another training set (the earlier in use.datasets) has too: drop, report or off"
    )
    leaks: What = Field(
        "report", description="training videos that a benchmark in use has too, by YouTube id: drop, report or off"
    )
