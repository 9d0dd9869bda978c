"""The sizes of models that decide what they cost: from a folder's config.json, else as published."""

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

from refocus.config.lmm import MODEL_TYPES, QWEN_SIDE
from refocus.config.policy import PolicySettings
from refocus.core.errors import UsageError
from refocus.core.model_folder import CONFIG, find_folder, local_folder, read_json, split_revision
from refocus.policy.config import MAMBA2_SIZES, PolicyConfig
from refocus.policy.public_checkpoints import is_public, read_public

MARKER_TOKENS = 10  # `<123.4 seconds>` and the two marks around a frame


@dataclass(frozen=True)
class Tower:
    """A vision transformer. `tokens` counts a class token too, `patches` does not."""

    layers: int
    width: int
    ffn: int
    tokens: int
    patches: int
    patch: int  # pixels per side


@dataclass(frozen=True)
class LmmShape:
    """A video-LMM: tower, a connector of two linear layers, and a decoder with grouped-query attention.

    The connector takes `connector_tokens` vectors of `connector_in` numbers per frame.
    """

    tower: Tower
    connector_tokens: int
    connector_in: int
    frame_tokens: int  # tokens of one frame in the prompt
    frame_text: bool  # each frame has a label (`Frame1: <img>…</img>`) around it
    layers: int
    width: int
    ffn: int
    heads: int
    kv_heads: int
    head_dim: int
    vocab: int


def _internvl(layers: int, width: int, ffn: int, heads: int, kv_heads: int) -> LmmShape:
    """InternVL3 with the InternViT-300M tower at 448 pixels: 1024 patches, shuffled into 256 tokens."""
    tower = Tower(layers=24, width=1024, ffn=4096, tokens=1025, patches=1024, patch=14)
    return LmmShape(tower, 256, 4096, 256, True, layers, width, ffn, heads, kv_heads, width // heads, 151_674)


PUBLISHED = {
    "OpenGVLab/InternVL3-1B-hf": _internvl(24, 896, 4864, 14, 2),
    "OpenGVLab/InternVL3-2B-hf": _internvl(28, 1536, 8960, 12, 2),
    "OpenGVLab/InternVL3-8B-hf": _internvl(28, 3584, 18944, 28, 4),
}
POLICIES = {
    name: PolicyConfig(width=width, layers=layers, pool_at="tower")
    for name, size in (
        ("interlive/video-ma2mba-0.3b", "370m"),
        ("interlive/video-ma2mba-1.3b", "1.3b"),
        ("interlive/ReFoCUS-1.3B", "1.3b"),
        ("interlive/ReFoCUS-2.7B", "2.7b"),
        *((f"state-spaces/mamba2-{size}", size) for size in MAMBA2_SIZES),
        *((f"AntonV/mamba2-{size}-hf", size) for size in MAMBA2_SIZES),
    )
    for width, layers in [MAMBA2_SIZES[size]]
}


def lmm_shape(path: str) -> tuple[LmmShape, str]:
    """The shape of a model folder or hub id, and where it is known from.

    Raises:
        UsageError: neither a folder with a supported config.json nor one of `PUBLISHED`.
    """
    if local_folder(path) is not None:
        file = find_folder(path) / CONFIG
        return read_lmm(read_json(file), str(file)), str(file)
    if (shape := PUBLISHED.get(split_revision(path)[0])) is not None:
        return shape, "published shape"
    raise UsageError(f"{path}: the shape of this LMM is not known; give a folder, or one of {', '.join(PUBLISHED)}")


def policy_shape(policy: PolicySettings) -> tuple[PolicyConfig, str]:
    """The shape of the policy a run starts from.

    Raises:
        UsageError: neither a policy folder nor one of `POLICIES`.
    """
    if local_folder(policy.start) is not None:
        file = find_folder(policy.start) / CONFIG
        values = read_json(file)
        if is_public(values):
            return read_public(values, policy.start, vision=policy.vision).config, str(file)
        return PolicyConfig.from_dict(values), str(file)
    if (config := POLICIES.get(split_revision(policy.start)[0])) is not None:
        return config, "published size: Mamba-2 with a SigLIP so400m tower"
    raise UsageError(
        f"{policy.start}: the shape of this policy is not known; give a folder, or one of {', '.join(POLICIES)}"
    )


def read_lmm(config: dict[str, Any], where: str) -> LmmShape:
    """The shape in a transformers `config.json`.

    Raises:
        UsageError: an architecture whose cost is not known here, or a missing key.
    """
    try:
        vision, kind = config["vision_config"], config["model_type"]
        text = config["text_config"] if kind != "qwen2_5_vl" else config.get("text_config", config)  # published flat
        labelled = False
        if kind == "internvl":
            tower, tokens, labelled = square_tower(vision, class_token=True), int(config["image_seq_length"]), True
            connector_tokens, connector_in = tokens, round(vision["hidden_size"] / config["downsample_ratio"] ** 2)
        elif kind == "llava_onevision":
            tower = square_tower(vision, class_token=False)
            tokens = math.ceil(math.isqrt(tower.patches) / 2) ** 2
            connector_tokens, connector_in = tower.patches, tower.width
        elif kind in ("qwen2_5_vl", "qwen3_vl", "qwen3_vl_moe"):
            tower, merged = qwen_tower(vision), int(vision["spatial_merge_size"]) ** 2
            connector_in, seen = merged * tower.width, tower.patches // merged
            tokens = seen + (0 if kind == "qwen2_5_vl" else MARKER_TOKENS)
            connector_tokens = seen * (1 + len(vision.get("deepstack_visual_indexes", ())))
        else:
            raise UsageError(f"{where}: the cost of a '{kind}' is not known ({', '.join(MODEL_TYPES)})")
        heads = int(text["num_attention_heads"])
        return LmmShape(
            tower,
            connector_tokens=connector_tokens,
            connector_in=connector_in,
            frame_tokens=tokens,
            frame_text=labelled,
            layers=int(text["num_hidden_layers"]),
            width=int(text["hidden_size"]),
            ffn=_ffn(text),
            heads=heads,
            kv_heads=int(text.get("num_key_value_heads") or heads),
            head_dim=int(text.get("head_dim") or text["hidden_size"] // heads),
            vocab=int(text["vocab_size"]),
        )
    except KeyError as error:
        raise UsageError(f"{where}: no key {error}, so the cost of the model is not known") from None


def square_tower(vision: dict[str, Any], class_token: bool) -> Tower:
    """The tower in the `vision_config` of a transformers model with one size of picture."""
    patch = _side(vision["patch_size"])
    patches = (_side(vision["image_size"]) // patch) ** 2
    return Tower(
        int(vision["num_hidden_layers"]),
        int(vision["hidden_size"]),
        int(vision["intermediate_size"]),
        patches + class_token,
        patches,
        patch,
    )


def qwen_tower(vision: dict[str, Any]) -> Tower:
    """The tower in the `vision_config` of a Qwen-VL model, on one frame; attention within windows counts as whole."""
    patch = _side(vision["patch_size"])
    patches = (int(vision.get("image_size", QWEN_SIDE)) // patch) ** 2
    gated = 1.5 if vision.get("hidden_act", "silu") == "silu" else 1  # three matrices in the feed-forward, not two
    ffn = round(gated * vision["intermediate_size"])
    return Tower(int(vision["depth"]), int(vision["hidden_size"]), ffn, patches, patches, patch)


def policy_tower(config: PolicyConfig) -> Tower:
    """The policy's vision tower up to its penultimate layer."""
    values = dataclasses.asdict(config)["vision"]
    patches = config.grid**2
    return Tower(
        values["num_hidden_layers"] - 1,
        values["hidden_size"],
        values["intermediate_size"],
        patches,
        patches,
        values["patch_size"],
    )


def _ffn(text: dict[str, Any]) -> int:
    """Width that one token meets in the decoder's feed-forward; of experts those that it is sent to."""
    if "moe_intermediate_size" in text:
        return int(text["num_experts_per_tok"] * text["moe_intermediate_size"])
    return int(text["intermediate_size"])


def _side(size: Any) -> int:
    return int(size[0] if isinstance(size, list | tuple) else size)
