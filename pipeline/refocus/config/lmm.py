"""One video-LMM, which rewards, filters or answers."""

from typing import Literal

from pydantic import Field

from refocus.config.base import Section


class LmmSettings(Section):
    """One entry of `lmms`; device, threads and batch size are those of the stage that runs it."""

    path: str = Field("OpenGVLab/InternVL3-8B-hf", description="folder or hub id of the model")
    family: str = Field(
        "auto", description="decides prompt and image layout: internvl, llava_onevision, or auto: what the model says"
    )
    dtype: Literal["float32", "bfloat16", "float16"] = Field(
        "bfloat16", description="number format of the weights and of what is computed with them"
    )
    attention: Literal["auto", "sdpa", "flash_attention_2", "eager"] = Field(
        "auto", description="attention kernel; auto: the fastest that is installed"
    )
