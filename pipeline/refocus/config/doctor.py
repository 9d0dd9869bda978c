"""Settings of `refocus doctor`: how much of a source may be missing before the doctor fails."""

from typing import Annotated

from pydantic import Field, StringConstraints

from refocus.config.base import Section, Strict

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]*$")]


class SourceLimits(Strict):
    """Limits of one data set or benchmark; null: what its entry says, else the general one."""

    max_missing_share: float | None = Field(
        None, ge=0, le=1, description="in place of this source's max_failure_rate and of doctor.max_missing_share"
    )
    max_rejected_share: float | None = Field(None, ge=0, le=1, description="in place of doctor.max_rejected_share")


class DoctorSettings(Section):
    """What `refocus doctor` accepts; nothing else reads it."""

    max_missing_share: float = Field(
        0.05, ge=0, le=1, description="share of a source's questions whose video may be missing or unreadable"
    )
    max_rejected_share: float = Field(
        0.05, ge=0, le=1, description="share of a source's annotation rows that may be rejected"
    )
    probe: int = Field(200, ge=0, description="videos per source whose headers are read; `--probe all` reads every one")
    sources: dict[Name, SourceLimits] = Field({}, description="limits for single data sets and benchmarks")

    def missing_allowed(self, name: str, tolerated: float | None = None) -> float:
        """`max_missing_share` of one source; where none is set for it, `tolerated`: what decoding it accepts."""
        own = self.sources[name].max_missing_share if name in self.sources else None
        own = tolerated if own is None else own
        return self.max_missing_share if own is None else own

    def rejected_allowed(self, name: str) -> float:
        """`max_rejected_share` of one source."""
        own = self.sources[name].max_rejected_share if name in self.sources else None
        return self.max_rejected_share if own is None else own
