"""Settings of the policy: where it starts and how the supervised base becomes a selector (B.2)."""

from typing import Literal

from pydantic import Field

from refocus.config.base import Section


class PolicySettings(Section):
    """The frame-selection policy before its first update."""

    start: str = Field(
        "interlive/video-ma2mba-1.3b",
        description="folder or hub id of the supervised base: our own, Video-Ma2mba, ReFoCUS or Mamba-2",
    )
    vision: str | None = Field(
        None, description="SigLIP tower (folder or hub id) of a start that is a language model only, else null"
    )
    variant: Literal["paper", "released"] | None = Field(
        None,
        description="logits and prompt: paper (factor / sqrt(d), no repeats), released (softplus factor, repeats; the "
        "authors' class), or null to keep the start's own",
    )
    prompt: Literal["paper", "released"] | None = Field(
        None, description="prompt: paper (B.6.2), released (the authors' weights), or null for the variant's"
    )
    initialise: bool = Field(
        True, description="B.2's new layers, heads and scale below; false goes on with a trained policy as it is"
    )
    reinit_layers: int = Field(2, ge=0, description="backbone layers at the end that are re-initialised")
    reinit_norm: float = Field(0.1, description="norm weight gamma inside the re-initialised layers")
    reinit_norm_at: Literal["mixer", "block"] = Field(
        "mixer", description="which norm gets it: the gated norm inside the mixer, or the block's norm before it"
    )
    key_gain: float = Field(1.0, gt=0, description="gain of the key head's orthogonal initialisation")
    query_gain: float = Field(1.0, gt=0, description="gain of the query head's orthogonal initialisation")
    value_gain: float = Field(0.1, gt=0, description="gain of the value head's orthogonal initialisation")
    start_of_frame_std: float = Field(0.02, ge=0, description="standard deviation of the <start_of_frame> embedding")
    logit_scale: float = Field(1.0, description="initial value of the learnable factor of the frame logits")
