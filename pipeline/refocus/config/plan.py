"""Settings of `refocus plan`: the machine, and what is assumed where nothing is known yet."""

from typing import Annotated

from pydantic import Field, StringConstraints

from refocus.config.base import Section, Strict

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]*$")]


class SourceGuess(Strict):
    """What is assumed of a data set or benchmark until it is ingested."""

    questions: int = Field(0, ge=0, description="its multiple-choice questions")
    clips: int = Field(0, ge=0, description="its clips")
    seconds: tuple[float, ...] = Field((), description="lengths of its clips, each as common as the others")
    characters: float = Field(150.0, ge=0, description="characters of a question with its options")
    options: float = Field(4.0, ge=0, description="options of a question")
    note: str = Field("", description="where these numbers come from")


class PlanSettings(Section):
    """What `refocus plan` reckons with; nothing else reads it."""

    gpu: str = Field("NVIDIA H200", description="the GPU that hours are given for, by name only")
    tflops: float = Field(
        790.0, gt=0, description="its bf16 rate in TFLOP/s; 790: large dense matrix products on one H200"
    )
    efficiency: float = Field(0.5, gt=0, le=1, description="share of that rate that models reach")
    decode_speed: float = Field(
        25.0, gt=0, description="seconds of video that one core decodes per second; 25: H.264, 720p, 30 fps"
    )
    jpeg_frame_kb: float = Field(
        25.0, gt=0, description="kB of a stored frame; 25: 384 x 384 at quality 90, the larger of two real videos"
    )
    video_frame_kb: float = Field(
        11.3, gt=0, description="kB of a frame with decode.storage: video; 11.3: rate factor 26, 4 frames per second"
    )
    margin_row_bytes: float = Field(
        255.0, gt=0, description="bytes of a question's row for one subset; 255: 99 in the table and 156 in the store"
    )
    kept_share: float = Field(
        0.102, ge=0, le=1, description="share of the questions that passes the filter; 0.102: the paper's 98K of 962K"
    )
    characters_per_token: float = Field(
        4.0, gt=0, description="of question texts, where the LMM's tokenizer is not at hand"
    )
    system_tokens: int = Field(45, ge=0, description="tokens before the first frame, where it is not at hand")
    frame_text_tokens: int = Field(
        8, ge=0, description="tokens of `Frame12: <img>`, `</img>` and the newline, where it is not at hand"
    )
    suffix_text_tokens: int = Field(
        12, ge=0, description="tokens of `Options:` and the opened answer, where it is not at hand"
    )
    probe: int = Field(200, ge=0, description="videos per source whose headers are read for their lengths")
    sources: dict[Name, SourceGuess] = Field({}, description="data sets and benchmarks that are not ingested yet")
