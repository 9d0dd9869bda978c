"""Tiny random LMM folders of every family with a word-level tokenizer, for tests that need the real thing."""

import json
from pathlib import Path
from typing import Any

import torch
from tokenizers import Regex, Tokenizer, models, pre_tokenizers
from transformers import (
    AutoModelForImageTextToText,
    InternVLConfig,
    InternVLForConditionalGeneration,
    InternVLVisionConfig,
    LlavaOnevisionConfig,
    LlavaOnevisionForConditionalGeneration,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2Config,
    Qwen3VLConfig,
    Qwen3VLMoeConfig,
    SiglipVisionConfig,
)

SPECIAL = ["<unk>", "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<img>", "</img>", "<IMG_CONTEXT>"]
TEXT = """system user assistant You are a helpful Please choose the correct answer to multiple choice question
regarding video The must be single uppercase letter Frame Options Answer What colour is shown red green blue yellow
circle square before after when disappears first last how many"""
WORDS = TEXT.split()
QWEN = ("<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>")
QWEN_VISION = {
    "depth": 2,
    "hidden_size": 32,
    "num_heads": 2,
    "patch_size": 8,
    "spatial_merge_size": 2,
    "temporal_patch_size": 2,
    "out_hidden_size": 64,
    "image_size": 32,  # what refocus feeds; the authors' configurations have no such key
}
ROPE = {"rope_type": "default", "rope_theta": 10000.0}


def build_tokenizer(letters: str = "ABCDEF", *context: str) -> PreTrainedTokenizerFast:
    """Words, digits, punctuation, newline and single letters; a letter is another token after a space."""
    special = [*SPECIAL[:-1], *(context or SPECIAL[-1:])]
    marks = ("<", ">", "seconds", " seconds") if context[:1] == QWEN[:1] else ()
    pieces = [
        *special,
        *marks,
        "\n",
        " ",
        ".",
        ":",
        ",",
        "-",
        "?",
        *"0123456789",
        *letters,
        *(" " + c for c in letters),
    ]
    pieces += WORDS + [" " + word for word in WORDS]
    vocabulary = {piece: number for number, piece in enumerate(dict.fromkeys(pieces))}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(r" ?[A-Za-z]+|[0-9]|\n|[^\sA-Za-z0-9]| "), behavior="isolated")
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token="<unk>", eos_token="<|endoftext|>", additional_special_tokens=special[2:]
    )


def build_lmm(
    folder: Path,
    *,
    seed: int = 0,
    heads: int = 4,
    kv_heads: int = 2,
    letters: str = "ABCDEF",
    image_size: int = 32,
    **text: int,
) -> Path:
    """Writes a random model whose answers depend on frames and question (weights drawn wide, not near zero).

    `text` replaces sizes of the decoder; a frame takes (image_size / 16)² tokens.
    """
    torch.manual_seed(seed)
    tokenizer = build_tokenizer(letters)
    config = InternVLConfig(
        vision_config=InternVLVisionConfig(
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=1,
            num_attention_heads=2,
            image_size=image_size,
            patch_size=8,
        ),
        text_config=_text(tokenizer, heads, kv_heads, **text),
        image_token_id=tokenizer.convert_tokens_to_ids("<IMG_CONTEXT>"),
        image_seq_length=(image_size // 16) ** 2,
        tie_word_embeddings=False,
    )
    return _write(folder, InternVLForConditionalGeneration(config), tokenizer, 0.3)


def build_onevision(folder: Path, *, seed: int = 0, letters: str = "ABCDEF") -> Path:
    """The same of the other family: 3 x 3 patches a frame, pooled to 2 x 2 as 27 x 27 are to 14 x 14."""
    torch.manual_seed(seed)
    tokenizer = build_tokenizer(letters, "<video>")
    config = LlavaOnevisionConfig(
        vision_config=SiglipVisionConfig(
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=2,
            num_attention_heads=2,
            image_size=24,
            patch_size=8,
            vision_use_head=False,
        ),
        text_config=_text(tokenizer, 4, 2),
        image_token_index=tokenizer.convert_tokens_to_ids("<img>"),
        video_token_index=tokenizer.convert_tokens_to_ids("<video>"),
    )
    return _write(folder, LlavaOnevisionForConditionalGeneration(config), tokenizer, 0.5)


def build_qwen2_5(folder: Path, *, seed: int = 0, letters: str = "ABCDEF") -> Path:
    """Qwen2.5-VL: 4 x 4 patches a frame, merged to 2 x 2, in windows of one token and of a frame."""
    torch.manual_seed(seed)
    tokenizer = build_tokenizer(letters, *QWEN)
    config = Qwen2_5_VLConfig(
        vision_config={
            **QWEN_VISION,
            "intermediate_size": 64,
            "fullatt_block_indexes": [1],
            "window_size": 16,
            "tokens_per_second": 2,
        },
        text_config={**_qwen_text(tokenizer), "rope_parameters": {**ROPE, "mrope_section": [2, 3, 3]}},
        **_qwen_tokens(tokenizer),
    )
    return _write(folder, Qwen2_5_VLForConditionalGeneration(config), tokenizer, 0.5)


def build_qwen3(
    folder: Path, *, seed: int = 0, letters: str = "ABCDEF", config: type[PreTrainedConfig] = Qwen3VLConfig, **text: Any
) -> Path:
    """Qwen3-VL: the same frames, shown again to the first of two decoder layers; `text` goes into its config."""
    torch.manual_seed(seed)
    tokenizer = build_tokenizer(letters, *QWEN)
    values = config(
        vision_config={
            **QWEN_VISION,
            "intermediate_size": 64,
            "num_position_embeddings": 36,
            "deepstack_visual_indexes": [0],
        },
        text_config={
            **_qwen_text(tokenizer),
            **text,
            "head_dim": 16,
            "rope_parameters": {**ROPE, "mrope_section": [4, 2, 2], "mrope_interleaved": True},
        },
        **_qwen_tokens(tokenizer),
    )
    return _write(folder, AutoModelForImageTextToText.from_config(values), tokenizer, 0.5)


def build_qwen3_moe(folder: Path, *, seed: int = 0, letters: str = "ABCDEF") -> Path:
    """Qwen3-VL with two of four experts a token."""
    experts = {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 32, "decoder_sparse_step": 1}
    return build_qwen3(folder, seed=seed, letters=letters, config=Qwen3VLMoeConfig, **experts)


BUILDERS = {
    "internvl": build_lmm,
    "llava_onevision": build_onevision,
    "qwen2_5_vl": build_qwen2_5,
    "qwen3_vl": build_qwen3,
    "qwen3_vl_moe": build_qwen3_moe,
}


def _qwen_text(tokenizer: PreTrainedTokenizerFast) -> dict[str, Any]:
    return {
        "hidden_size": 64,
        "intermediate_size": 96,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "vocab_size": len(tokenizer),
        "max_position_embeddings": 4096,
    }


def _qwen_tokens(tokenizer: PreTrainedTokenizerFast) -> dict[str, int]:
    names = ("vision_start_token_id", "vision_end_token_id", "image_token_id", "video_token_id")
    return {name: tokenizer.convert_tokens_to_ids(token) for name, token in zip(names, QWEN, strict=True)}


def _text(tokenizer: PreTrainedTokenizerFast, heads: int, kv_heads: int, **sizes: int) -> Qwen2Config:
    usual = {"hidden_size": 48, "intermediate_size": 96, "num_hidden_layers": 2}
    return Qwen2Config(
        **{**usual, **sizes},
        num_attention_heads=heads,
        num_key_value_heads=kv_heads,
        vocab_size=len(tokenizer),
        max_position_embeddings=4096,
        tie_word_embeddings=False,
    )


def _write(folder: Path, model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, spread: float) -> Path:
    model.eval()
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "lambda" in name:
                weight.fill_(1.0)
            elif weight.ndim > 1:
                weight.normal_(0, 1.5 / weight[0].numel() ** 0.5 if weight.ndim == 2 else spread)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    notes = {"image_mean": [0.5, 0.4, 0.3], "image_std": [0.2, 0.3, 0.25]}
    (folder / "preprocessor_config.json").write_text(json.dumps(notes), encoding="utf-8")
    return folder
