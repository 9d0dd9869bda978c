"""Settings of a video LMM used as reward model or to answer."""

from pydantic import Field

from refocus.config.base import Runtime, Section


class LmmRuntime(Runtime):
    """Where and in what portions an LMM computes."""

    device: str = Field("auto", description="auto, cpu or cuda; auto takes a GPU where there is one")
    threads: int = Field(1, ge=1, description="CPU threads torch may use; more than free cores is far slower than one")
    batch_tokens: int | None = Field(
        None, ge=1, description="most tokens computed or held at once; null: what free memory allows"
    )


class LmmSettings(Section):
    """One entry of `lmms`."""

    path: str = Field("OpenGVLab/InternVL3-8B-hf", description="folder or hub id of the model")
    family: str = Field("auto", description="auto, internvl or llava_onevision: prompt and image layout")
    dtype: str = Field("bfloat16", description="float32, bfloat16 or float16: the type the weights compute in")
    attention: str = Field("auto", description="auto, sdpa, flash_attention_2 or eager: attention kernel")
    runtime: LmmRuntime = Field(LmmRuntime(), description="how it runs; never changes what counts as the same result")
