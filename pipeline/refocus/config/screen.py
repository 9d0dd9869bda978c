"""Settings of `refocus screen` (stage 1b): duplicates among training sets, and training videos that benchmarks use."""

from typing import Literal

from pydantic import Field

from refocus.config.base import Section

What = Literal["drop", "report", "off"]


class ScreenSettings(Section):
    """What happens to questions that should not be trained on twice, or not at all. Dropped ones never reach a pair."""

    duplicates: What = Field(
        "drop",
        description="questions that an earlier set of use.datasets has too: leave them out (drop), only list them "
        "(report), or do not look (off)",
    )
    leaks: What = Field(
        "report",
        description="training questions about videos of a benchmark in use, known by YouTube id: drop, report or off",
    )
