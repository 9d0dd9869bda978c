"""Tiny random checkpoints in the layouts of the public hub repositories, written by their own parameter names.

Nothing of `refocus.policy` is used here, so that reading them tests the map of names. Each writer returns its folder:

    write_mamba2         state-spaces/mamba2-*        mamba_ssm's config.json and names
    write_mamba2_hf      AntonV/mamba2-*-hf           transformers' Mamba2Config and names
    write_siglip         google/siglip-*              a whole SigLIP, of which the vision half is used
    write_video_ma2mba   interlive/video-ma2mba-*     mamba_ssm's names, the tower and the projector (`llava_mamba`)
    write_refocus        interlive/ReFoCUS-*          the same with the selection heads (`refocus`)

The reward model's tiny folder, in the layout of `OpenGVLab/InternVL3-*-hf`, is `tests.support.tiny_lmm.build_lmm`.
"""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from refocus.lmm.prompts import Prompt
from safetensors.torch import save_file
from tokenizers import Regex, Tokenizer, models, pre_tokenizers
from torch import Tensor
from transformers import PreTrainedTokenizerFast, SiglipVisionConfig, SiglipVisionModel

TEXT = """You are a helpful AI assistant What colour shape is the red green blue circle square left right who why when
where how many does do did happen after before first last video person man woman yes no A B C D E F"""
SPECIAL = ["<unk>", "<|endoftext|>", "<|padding|>"]
SHAPE = {"width": 32, "layers": 3, "state": 8, "head_dim": 8, "groups": 1, "expand": 2, "conv": 4, "chunk": 8}
VISION = {  # 30 pixels are 7 patches and a rest, as 384 are 27 and a rest; 7 patches pool to 4
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "image_size": 30,
    "patch_size": 4,
}
# What the tests of these layouts ask, and its text in the released prompt
PROMPT = Prompt("What colour is the circle?", ("red", "green"))
BEFORE = "<|system|>You are a helpful AI assistant.<|endoftext|><|user|>"
AFTER = "\nWhat colour is the circle?\nA. red\nB. green<|endoftext|>"
FRAMES = np.random.default_rng(0).integers(0, 255, (5, 30, 30, 3), dtype=np.uint8)
PICKS = [[3, 0, 4], [1, 1, 2]]
TOWER = "mm_model.vision_tower.vision_tower.vision_model."
Tensors = dict[str, Tensor]


def build_tokenizer() -> PreTrainedTokenizerFast:
    """Words, digits, punctuation and newline; as gpt-neox-20b it has no token for the start of frames."""
    words = dict.fromkeys([*SPECIAL, "\n", *".?,:<>|'-", *"0123456789", *TEXT.split()])
    tokenizer = Tokenizer(models.WordLevel({word: index for index, word in enumerate(words)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(r"[ \t]+"), "removed"),
            pre_tokenizers.Split(Regex(r"\n|[A-Za-z]+|[0-9]|[^\sA-Za-z0-9]"), "isolated"),
        ]
    )
    tokenizer.add_special_tokens(SPECIAL)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>", eos_token="<|endoftext|>")


def write_mamba2(
    folder: Path, *, seed: int = 0, dtype: torch.dtype = torch.float32, shards: int = 1, **shape: int
) -> Path:
    """`state-spaces/mamba2-*`, had it been published as safetensors; without tokenizer files, as there."""
    shape = {**SHAPE, **shape}
    config = _ssm_config(shape, len(build_tokenizer()))
    tensors = _backbone(_draw(seed), shape, _rows(config), "embedding")
    tensors["lm_head.weight"] = tensors["backbone.embedding.weight"].clone()
    return _write(folder, config, tensors, dtype, shards, tokenizer=False)


def write_mamba2_hf(
    folder: Path, *, seed: int = 0, dtype: torch.dtype = torch.float32, shards: int = 1, **shape: int
) -> Path:
    """`AntonV/mamba2-*-hf`: `vocab_size` already counts the padding rows."""
    shape = {**SHAPE, **shape}
    rows = _rows(_ssm_config(shape, len(build_tokenizer())))
    config = {
        "architectures": ["Mamba2ForCausalLM"],
        "model_type": "mamba2",
        "hidden_size": shape["width"],
        "num_hidden_layers": shape["layers"],
        "state_size": shape["state"],
        "head_dim": shape["head_dim"],
        "num_heads": shape["width"] * shape["expand"] // shape["head_dim"],
        "n_groups": shape["groups"],
        "expand": shape["expand"],
        "conv_kernel": shape["conv"],
        "chunk_size": shape["chunk"],
        "vocab_size": rows,
        "layer_norm_epsilon": 1e-5,
        "hidden_act": "silu",
        "use_bias": False,
        "use_conv_bias": True,
        "rms_norm": True,
        "norm_before_gate": False,
        "residual_in_fp32": True,
        "time_step_limit": [0.0, math.inf],
        "tie_word_embeddings": True,
        "bos_token_id": 0,
        "eos_token_id": 0,
        "pad_token_id": 0,
        "torch_dtype": "float32",
    }
    return _write(folder, config, _backbone(_draw(seed), shape, rows, "embeddings"), dtype, shards)


def write_siglip(folder: Path, *, seed: int = 0, dtype: torch.dtype = torch.float32, **vision: int) -> Path:
    """`google/siglip-*`: config with a vision half, weights with a text half and the pooling head."""
    vision = {**VISION, **vision}
    config = {
        "model_type": "siglip",
        "text_config": {},
        "vision_config": {"model_type": "siglip_vision_model", **vision},
    }
    tensors = {f"vision_model.{name}": tensor for name, tensor in _tower(seed, vision).items()}
    tensors |= {"text_model.embeddings.token_embedding.weight": torch.zeros(4, 4), "logit_scale": torch.zeros(1)}
    return _write(folder, config, tensors, dtype, 1, tokenizer=False)


def write_video_ma2mba(
    folder: Path,
    *,
    seed: int = 0,
    dtype: torch.dtype = torch.float32,
    shards: int = 1,
    vision: Mapping[str, int] | None = None,
    tokenizer: bool = True,
    changes: Mapping[str, Any] | None = None,
    **shape: int,
) -> Path:
    """`interlive/video-ma2mba-*`. A whole tower stands in `<folder>/siglip`, which its config names.

    Args:
        shape: any of `SHAPE`.
        vision: replaces some of `VISION`.
        tokenizer: False leaves its files out.
        changes: keys of config.json to replace or add.
    """
    config, tensors = _multimodal(Path(folder), seed, {**SHAPE, **shape}, {**VISION, **(vision or {})})
    config |= {"model_type": "llava_mamba", "architectures": ["LlavaMambaForCausalLM"], **(changes or {})}
    return _write(folder, config, tensors, dtype, shards, tokenizer)


def write_refocus(
    folder: Path,
    *,
    seed: int = 0,
    dtype: torch.dtype = torch.float32,
    shards: int = 1,
    vision: Mapping[str, int] | None = None,
    tokenizer: bool = True,
    changes: Mapping[str, Any] | None = None,
    **shape: int,
) -> Path:
    """`interlive/ReFoCUS-*`; `changes` replaces keys of config.json, and the heads' tensors follow it."""
    shape = {**SHAPE, **shape}
    config, tensors = _multimodal(Path(folder), seed, shape, {**VISION, **(vision or {})})
    config |= {
        "model_type": "refocus",
        "architectures": ["RefocusForFrameSelection"],
        "query_frames": 32,
        "frame_generation_method": "autoregressive",
        "start_of_frame_token_id": config["vocab_size"],
        "logit_scale_fn": "softplus",
        "logit_scale_type": "scalar",
        "attention_scaling": False,
        "frame_replacement": True,
        "score_head_norm": False,
        "value_head_norm": False,
        "use_rank_head": False,
        **(changes or {}),
    }
    d, draw = shape["width"], _draw(seed + 1)
    tensors["key_head.weight"] = draw(d, d)
    tensors["query_head.weight"] = draw(d, d)
    tensors["value_head.weight"] = draw(d, d)
    tensors["value_head.bias"] = draw(1, d)[0]
    tensors["logit_scale"] = draw(1, d)[0].abs() if config["logit_scale_type"] == "vector" else torch.tensor(0.9)
    if config["value_head_norm"]:
        tensors["value_head_scale"] = 1 + draw(1, d)[0]
    if config["use_rank_head"]:
        tensors["rank_head.weight"] = draw(1, d)
    return _write(folder, config, tensors, dtype, shards, tokenizer)


def _draw(seed: int):
    """draw(n, fan_in): normal with a spread that keeps activations at the size of their inputs."""
    generator = torch.Generator().manual_seed(seed)
    return lambda n, fan_in: torch.randn(n, fan_in, generator=generator) / math.sqrt(fan_in)


def _ssm_config(shape: Mapping[str, int], tokens: int) -> dict[str, Any]:
    """mamba_ssm's config.json; what equals its defaults in the published files is written out here."""
    return {
        "d_model": shape["width"],
        "d_intermediate": 0,
        "n_layer": shape["layers"],
        "vocab_size": tokens,
        "ssm_cfg": {
            "layer": "Mamba2",
            "d_state": shape["state"],
            "d_conv": shape["conv"],
            "expand": shape["expand"],
            "headdim": shape["head_dim"],
            "ngroups": shape["groups"],
            "chunk_size": shape["chunk"],
        },
        "attn_layer_idx": [],
        "attn_cfg": {},
        "rms_norm": True,
        "residual_in_fp32": True,
        "fused_add_norm": True,
        "pad_vocab_size_multiple": 16,
        "tie_embeddings": True,
    }


def _rows(config: Mapping[str, Any]) -> int:
    multiple = config["pad_vocab_size_multiple"]
    return -(-config["vocab_size"] // multiple) * multiple


def _backbone(draw, shape: Mapping[str, int], rows: int, embedding: str) -> Tensors:
    d, inner = shape["width"], shape["width"] * shape["expand"]
    heads, channels = inner // shape["head_dim"], inner + 2 * shape["groups"] * shape["state"]
    tensors = {f"backbone.{embedding}.weight": draw(rows, d) * math.sqrt(d)}
    for i in range(shape["layers"]):
        mixer = {
            "in_proj.weight": draw(inner + channels + heads, d),
            "conv1d.weight": draw(channels, shape["conv"])[:, None],
            "conv1d.bias": 0.1 * draw(channels, 1)[:, 0],
            "dt_bias": draw(heads, 1)[:, 0] - 1.0,
            "A_log": (1 + 3 * torch.arange(heads) / heads).log(),
            "D": 1 + 0.1 * draw(heads, 1)[:, 0],
            "norm.weight": 1 + 0.1 * draw(inner, 1)[:, 0],
            "out_proj.weight": draw(d, inner),
        }
        tensors |= {f"backbone.layers.{i}.mixer.{name}": tensor for name, tensor in mixer.items()}
        tensors[f"backbone.layers.{i}.norm.weight"] = 1 + 0.1 * draw(d, 1)[:, 0]
    tensors["backbone.norm_f.weight"] = 1 + 0.1 * draw(d, 1)[:, 0]
    return tensors


def _tower(seed: int, vision: Mapping[str, int]) -> Tensors:
    with torch.random.fork_rng():
        torch.manual_seed(seed + 2)
        model = SiglipVisionModel(SiglipVisionConfig(**vision))
        with torch.no_grad():
            for weight in model.parameters():
                weight += 0.3 * torch.randn_like(weight) / math.sqrt(weight.shape[-1])
    return {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}


def _multimodal(
    folder: Path, seed: int, shape: Mapping[str, int], vision: Mapping[str, int]
) -> tuple[dict[str, Any], Tensors]:
    config = _ssm_config(shape, len(build_tokenizer()))
    tower = write_siglip(folder / "siglip", seed=seed, **vision)
    config |= {
        "mm_vision_tower": str(tower.resolve()),
        "mm_projector_type": "mlp2x_gelu",
        "mm_hidden_size": vision["hidden_size"],
        "mm_spatial_pool_mode": "bilinear",
        "mm_spatial_pool_stride": 2,
        "mm_patch_merge_type": "flat",
        "mm_vision_select_layer": -2,
        "mm_vision_select_feature": "patch",
        "use_mm_proj": True,
    }
    draw = _draw(seed)
    tensors = _backbone(draw, shape, _rows(config), "embedding")
    last = f"encoder.layers.{vision['num_hidden_layers'] - 1}."  # deleted, as the head is, before it is saved
    inside = "mm_model.vision_tower.vision_tower.vision_model."
    for name, tensor in _tower(seed, vision).items():
        if not name.startswith((last, "head.")):
            tensors[inside + name] = tensor
    d = shape["width"]
    tensors["mm_model.mm_projector.0.weight"] = draw(d, vision["hidden_size"])
    tensors["mm_model.mm_projector.0.bias"] = 0.1 * draw(1, d)[0]
    tensors["mm_model.mm_projector.2.weight"] = draw(d, d)
    tensors["mm_model.mm_projector.2.bias"] = 0.1 * draw(1, d)[0]
    return config, tensors


def _write(
    folder: Path, config: Mapping[str, Any], tensors: Tensors, dtype: torch.dtype, shards: int, tokenizer: bool = True
) -> Path:
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config, indent=2), encoding="utf-8")
    tensors = {name: tensor.to(dtype).contiguous() for name, tensor in tensors.items()}
    if shards == 1:
        save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    else:
        names = [f"model-{i + 1:05d}-of-{shards:05d}.safetensors" for i in range(shards)]
        place = {name: names[i % shards] for i, name in enumerate(sorted(tensors))}
        for file in names:
            part = {name: tensor for name, tensor in tensors.items() if place[name] == file}
            save_file(part, folder / file, metadata={"format": "pt"})
        index = {"metadata": {}, "weight_map": place}
        (folder / "model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")
    if tokenizer:
        build_tokenizer().save_pretrained(folder)
    return folder
