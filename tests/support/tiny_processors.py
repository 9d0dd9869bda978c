"""transformers' processors for the tiny models of every family, with the gist of the authors' chat templates."""

from pathlib import Path
from typing import Any

from transformers import AutoConfig, PreTrainedTokenizerFast

from tests.support.tiny_lmm import BUILDERS

MEAN, STD = [0.5, 0.4, 0.3], [0.2, 0.3, 0.25]  # as the model folders say
TURNS = (
    "{% for turn in messages %}<|im_start|>{{ turn.role + '\n' }}"
    "{% for part in turn.content %}{% if part.type == 'video' %}VIDEO{% else %}{{ part.text }}{% endif %}{% endfor %}"
    "{{ '<|im_end|>\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
PLACES = {
    "internvl": "{{ '<video>\n' }}",
    "llava_onevision": "{{ '<video>\n' }}",
    "qwen2_5_vl": "<|vision_start|><|video_pad|><|vision_end|>",
    "qwen3_vl": "<|vision_start|><|video_pad|><|vision_end|>",
}
INTERNVL_TOKENS = {
    "start_image_token": "<img>",
    "end_image_token": "</img>",
    "context_image_token": "<IMG_CONTEXT>",
    "video_token": "<video>",
}


def build_with_processor(name: str, folder: Path, **sizes: Any) -> Path:
    """A tiny model of a family, and beside it what AutoProcessor reads."""
    BUILDERS[name](folder, **sizes)
    build_processor(name, folder)
    return folder


def build_processor(name: str, folder: Path) -> None:
    import transformers

    config = AutoConfig.from_pretrained(folder)
    tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
    tokenizer.pad_token = tokenizer.eos_token
    template = TURNS.replace("VIDEO", PLACES[name])
    statistics = {"image_mean": MEAN, "image_std": STD}
    if name.startswith("qwen"):
        vision = config.vision_config
        shape = {
            "patch_size": vision.patch_size,
            "temporal_patch_size": vision.temporal_patch_size,
            "merge_size": vision.spatial_merge_size,
            "size": {"shortest_edge": 256, "longest_edge": 4096 * 64},
        }
        images = transformers.Qwen2VLImageProcessor(**statistics, **shape)
        if name == "qwen3_vl":
            videos = transformers.Qwen3VLVideoProcessor(**statistics, **shape)
            made = transformers.Qwen3VLProcessor(images, tokenizer, videos, template)
        else:
            videos = transformers.Qwen2VLVideoProcessor(**statistics, **shape)
            made = transformers.Qwen2_5_VLProcessor(images, tokenizer, videos, template)
    elif name == "internvl":
        side = config.vision_config.image_size[0]
        square = {"height": side, "width": side}
        tokenizer = PreTrainedTokenizerFast.from_pretrained(folder, extra_special_tokens=INTERNVL_TOKENS)
        tokenizer.pad_token = tokenizer.eos_token
        images = transformers.GotOcr2ImageProcessor(size=square, **statistics)
        videos = transformers.InternVLVideoProcessor(size=square, **statistics)
        made = transformers.InternVLProcessor(images, tokenizer, videos, config.image_seq_length, template)
    else:
        side = config.vision_config.image_size
        square = {"height": side, "width": side}
        images = transformers.LlavaOnevisionImageProcessor(size=square, **statistics)
        videos = transformers.LlavaOnevisionVideoProcessor(size=square, **statistics)
        patches = (side // config.vision_config.patch_size) ** 2
        made = transformers.LlavaOnevisionProcessor(images, tokenizer, videos, patches, "full", template, "<img>")
    made.save_pretrained(folder)
