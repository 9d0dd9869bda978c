"""Settings of the policy: where it starts and how the supervised base becomes a selector (B.2)."""

from typing import Literal

from pydantic import Field

from refocus.config.base import Section


class PolicySettings(Section):
    """The frame-selection policy before its first update."""

    start: str = Field(
        "interlive/video-ma2mba-1.3b",
        description="folder or hub id of the model to start from: one of ours, Video-Ma2mba, ReFoCUS or Mamba-2",
    )
    vision: str | None = Field(
        None, description="folder or hub id of a SigLIP tower, for a start that is a language model only"
    )
    variant: Literal["paper", "released"] | None = Field(
        None,
        description="frame logits and prompt: paper (learned factor / sqrt(d), no repeated picks), released (the "
        "authors' class: softplus of the factor, repeats allowed), or null: the start's own",
    )
    prompt: Literal["paper", "released"] | None = Field(
        None, description="paper (B.6.2), released (as the authors' weights were trained), or null: that of the variant"
    )
    initialise: bool = Field(
        True,
        description="true: re-initialise as in B.2, with the settings below; false: go on with a trained policy as it "
        "is",
    )
    reinit_layers: int = Field(2, ge=0, description="last layers of the backbone that are re-initialised")
    reinit_norm: float = Field(0.1, description="gamma, the norm weight in the re-initialised layers")
    reinit_norm_at: Literal["mixer", "block"] = Field(
        "mixer", description="the norm that gamma is for: the gated norm inside the mixer, or the norm before the block"
    )
    key_gain: float = Field(1.0, gt=0, description="gain of the key head's orthogonal initialisation")
    query_gain: float = Field(1.0, gt=0, description="gain of the query head's orthogonal initialisation")
    query_init: Literal["own", "key"] = Field(
        "own",
        description="the query head's first matrix: one of its own, as in B.2, or the key head's, so that the first "
        "scores say how like a frame and the latent are",
    )
    value_gain: float = Field(0.1, gt=0, description="gain of the value head's orthogonal initialisation")
    start_of_frame_std: float = Field(
        0.02, ge=0, description="standard deviation of the <start_of_frame> embedding's initialisation"
    )
    logit_scale: float = Field(1.0, description="initial value of the learned factor of the frame logits")
