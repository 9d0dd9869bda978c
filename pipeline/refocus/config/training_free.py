"""Settings of the selectors that no training made: the models that score frames, and each method's own numbers."""

from typing import Annotated, Literal

from pydantic import Field

from refocus.config.base import LmmRuntime, Section, TorchRuntime


class ScorerSettings(Section):
    """One entry of `scorers`: a model that embeds frames and texts side by side."""

    path: str = Field(
        "google/siglip-so400m-patch14-384",
        description="folder or hub id of a CLIP or SigLIP model; of SigLIP 2 those with one size of picture",
    )
    dtype: Literal["float32", "bfloat16", "float16"] = Field(
        "float32", description="number format of the weights and of what is computed with them"
    )


class EmbedRuntime(TorchRuntime):
    """How frames and texts are embedded."""

    batch: int = Field(64, ge=1, description="frames or texts that the model takes at once")
    readers: int = Field(2, ge=1, description="threads that read and decode frames ahead of the model")


class EmbedSettings(Section):
    """Frames and questions as vectors, once for all selectors that compare them."""

    version: int = Field(1, ge=1, description="raised when the same settings give other vectors")
    model: str = Field(
        "siglip", description="what embeds: an entry of `scorers`; on the command line a folder or hub id"
    )
    runtime: EmbedRuntime = Field(EmbedRuntime(), description="changes no vector")


class CertaintyRuntime(LmmRuntime):
    """How an LMM is asked frame by frame."""

    readers: int = Field(2, ge=1, description="threads that read and decode frames ahead of the LMM")


class CertaintySettings(Section):
    """How sure an LMM is of its answer from each frame alone, for `confidence`."""

    version: int = Field(1, ge=1, description="raised when the same settings give other certainties")
    model: str = Field(
        "internvl3-8b", description="the LMM that is asked: an entry of `lmms`; on the command line a folder or hub id"
    )
    runtime: CertaintyRuntime = Field(CertaintyRuntime(), description="changes no certainty")


class TrainingFreeSettings(Section):
    """The methods' own numbers."""

    version: int = Field(1, ge=1, description="raised when the same settings give other picks")
    aks_threshold: float = Field(
        0.8,
        description="aks: lead of the best frames' mean over all frames' mean, scores in [0, 1], from which a stretch "
        "is kept whole; 0.8: the authors' program",
    )
    aks_depth: int = Field(5, ge=0, description="aks: times a stretch is halved, at most; 5: the authors' program")
    bolt_power: float = Field(
        3.0,
        ge=0,
        description="bolt: exponent that sharpens the scores; 3: the authors' scripts for Video-MME and MLVU (2.5 for "
        "LongVideoBench)",
    )
    mdp3_lambda: float = Field(
        0.2,
        gt=0,
        description="mdp3: smaller favours relevance, larger diversity; 0.2: the paper's",
    )
    mdp3_segment: int = Field(32, ge=1, description="mdp3: frames per segment; 32: the paper's")
    mdp3_widths: tuple[Annotated[float, Field(gt=0)], ...] = Field(
        (0.125, 0.25, 0.5, 1.0, 2.0),
        min_length=1,
        description="mdp3: alphas of the Gaussian kernels exp(-d^2 / 2 alpha) that are averaged; 2^-3 to 2^1: the "
        "authors' program",
    )
    seen_frames: int = Field(
        64,
        ge=1,
        description="uniform-seen: evenly spaced frames that the answering LMM gets, at most, whatever answer.n_frames "
        "says; as many as its context holds",
    )
