"""Settings of `refocus plan`: the machine, and what is assumed where nothing is known yet."""

from typing import Annotated

from pydantic import Field, StringConstraints

from refocus.config.base import Section, Strict

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]*$")]


class SourceGuess(Strict):
    """What is assumed of a data set or benchmark until it is ingested."""

    questions: int = Field(0, ge=0, description="multiple-choice questions")
    clips: int = Field(0, ge=0, description="clips")
    seconds: tuple[float, ...] = Field((), description="clip lengths in seconds, each for an equal share of the clips")
    characters: float = Field(150.0, ge=0, description="characters per question, options included")
    options: float = Field(4.0, ge=0, description="answer options per question")
    note: str = Field("", description="where these numbers come from")


class PlanSettings(Section):
    """What `refocus plan` reckons with; nothing else reads it."""

    gpu: str = Field("NVIDIA H200", description="name of the GPU that the hours are for; only printed")
    tflops: float = Field(
        790.0, gt=0, description="dense bf16 rate of that GPU, TFLOP/s; 790: large matrix products on one H200"
    )
    efficiency: float = Field(0.5, gt=0, le=1, description="share of that rate that the models reach")
    decode_speed: float = Field(
        25.0, gt=0, description="seconds of video decoded per second on one core; 25: H.264, 720p, 30 fps"
    )
    jpeg_frame_kb: float = Field(
        25.0,
        gt=0,
        description="kB per stored frame with decode.storage: jpeg; 25: 384 x 384 at quality 90, the larger of two "
        "real videos",
    )
    video_frame_kb: float = Field(
        11.3,
        gt=0,
        description="kB per stored frame with decode.storage: video; 11.3: rate factor 26, 4 frames per second",
    )
    margin_row_bytes: float = Field(
        255.0,
        gt=0,
        description="bytes per question and subset on disk; 255: 99 in the reward table and 156 in the store",
    )
    kept_share: float = Field(
        0.102, ge=0, le=1, description="share of the questions that pass the filter; 0.102: the paper's 98K of 962K"
    )
    characters_per_token: float = Field(
        4.0,
        gt=0,
        description="characters per token of text; used, like the next three, where the LMM's tokenizer is not at hand",
    )
    system_tokens: int = Field(45, ge=0, description="tokens before the first frame")
    frame_text_tokens: int = Field(
        8, ge=0, description="text tokens per frame: `Frame12: <img>`, `</img>` and the line break"
    )
    suffix_text_tokens: int = Field(12, ge=0, description="tokens of `Options:` and of the start of the answer")
    probe: int = Field(200, ge=0, description="videos per source whose headers are read for their length")
    sources: dict[Name, SourceGuess] = Field(
        {}, description="what to assume of data sets and benchmarks that are not ingested yet"
    )
