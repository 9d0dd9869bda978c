"""Settings of `marginals`: selection distributions (Eq. 10), for Table 3."""

from pydantic import Field

from refocus.config.base import Section
from refocus.config.select import SelectRuntime


class MarginalsSettings(Section):
    """How often a policy chooses each frame of a video, question by question."""

    version: int = Field(1, ge=1, description="raised when the same settings give other distributions")
    samples: int = Field(64, ge=1, description="rollouts averaged by Eq. 10 (paper, Appendix C)")
    n_frames: int | None = Field(None, ge=1, description="picks of a rollout, T'; null: as in Table 1")
    temperature: float = Field(1.0, gt=0, description="divides the frame logits before sampling")
    videos: int | None = Field(
        200, ge=1, description="videos of each duration group, drawn by lot; null: all (paper, Appendix C: 200)"
    )
    seed: int = Field(0, ge=0, description="seed of the rollouts and of the lot, combined with each question's id")
    runtime: SelectRuntime = Field(SelectRuntime(), description="changes no distribution")
