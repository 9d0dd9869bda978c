"""One video-LMM, which rewards, filters or answers."""

from typing import Literal

from pydantic import Field

from refocus.config.base import Section

MODEL_TYPES = {  # what `family: auto` chooses for the `model_type` of a model's config.json
    "internvl": "internvl",
    "llava_onevision": "llava_onevision",
    "qwen2_5_vl": "qwen2_5_vl",
    "qwen3_vl": "qwen3_vl",
    "qwen3_vl_moe": "qwen3_vl_moe",
}
QWEN_SIDE = 448  # pixels of a Qwen-VL frame where the folder's `vision_config` has no `image_size`


class LmmSettings(Section):
    """One entry of `lmms`; device, threads and batch size are those of the stage that runs it."""

    path: str = Field("OpenGVLab/InternVL3-8B-hf", description="folder or hub id (OWNER/NAME, OWNER/NAME@REVISION)")
    family: Literal["auto", "internvl", "llava_onevision", "qwen2_5_vl", "qwen3_vl", "qwen3_vl_moe"] = Field(
        "auto",
        description="decides prompt, image layout and how frames are told their times; auto: what the model says",
    )
    dtype: Literal["float32", "bfloat16", "float16"] = Field(
        "bfloat16", description="number format of the weights and of what is computed with them"
    )
    attention: Literal["auto", "sdpa", "flash_attention_2", "eager"] = Field(
        "auto", description="attention kernel; auto: the fastest that is installed"
    )


def unsupported(model_type: str) -> str:
    """Why a model of this type cannot be an LMM here."""
    return f"model type '{model_type}' is not a supported LMM (supported: {', '.join(MODEL_TYPES)})"
