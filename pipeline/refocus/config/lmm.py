"""Settings of a video LMM used as reward model or to answer."""

from pydantic import Field

from refocus.config.base import Section


class LmmSettings(Section):
    """One entry of `lmms`; device, threads and batch size are those of the stage that runs it."""

    path: str = Field("OpenGVLab/InternVL3-8B-hf", description="folder or hub id of the model")
    family: str = Field("auto", description="auto, internvl or llava_onevision: prompt and image layout")
    dtype: str = Field("bfloat16", description="float32, bfloat16 or float16: the type the weights compute in")
    attention: str = Field("auto", description="auto, sdpa, flash_attention_2 or eager: attention kernel")
