"""A tiny random InternVL folder with its own word-level tokenizer, for tests that need a real architecture."""

import json
from pathlib import Path

import torch
from tokenizers import Regex, Tokenizer, models, pre_tokenizers
from transformers import (
    InternVLConfig,
    InternVLForConditionalGeneration,
    InternVLVisionConfig,
    PreTrainedTokenizerFast,
    Qwen2Config,
)

SPECIAL = ["<unk>", "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<img>", "</img>", "<IMG_CONTEXT>"]
TEXT = """system user assistant You are a helpful Please choose the correct answer to multiple choice question
regarding video The must be single uppercase letter Frame Options Answer What colour is shown red green blue yellow
circle square before after when disappears first last how many"""
WORDS = TEXT.split()


def build_tokenizer() -> PreTrainedTokenizerFast:
    """Words, digits, punctuation, newline and single letters; a letter is another token after a space."""
    pieces = [*SPECIAL, "\n", " ", ".", ":", ",", "-", "?", *"0123456789", *"ABCDEF", *(" " + c for c in "ABCDEF")]
    pieces += WORDS + [" " + word for word in WORDS]
    vocabulary = {piece: number for number, piece in enumerate(dict.fromkeys(pieces))}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(r" ?[A-Za-z]+|[0-9]|\n|[^\sA-Za-z0-9]| "), behavior="isolated")
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token="<unk>", eos_token="<|endoftext|>", additional_special_tokens=SPECIAL[2:]
    )


def build_lmm(folder: Path, *, seed: int = 0, heads: int = 4, kv_heads: int = 2) -> Path:
    """Writes a random model whose answers depend on frames and question (weights drawn wide, not near zero)."""
    torch.manual_seed(seed)
    tokenizer = build_tokenizer()
    config = InternVLConfig(
        vision_config=InternVLVisionConfig(
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=1,
            num_attention_heads=2,
            image_size=32,
            patch_size=8,
        ),
        text_config=Qwen2Config(
            hidden_size=48,
            intermediate_size=96,
            num_hidden_layers=2,
            num_attention_heads=heads,
            num_key_value_heads=kv_heads,
            vocab_size=len(tokenizer),
            max_position_embeddings=4096,
            tie_word_embeddings=False,
        ),
        image_token_id=tokenizer.convert_tokens_to_ids("<IMG_CONTEXT>"),
        image_seq_length=4,
        tie_word_embeddings=False,
    )
    model = InternVLForConditionalGeneration(config).eval()
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "lambda" in name:
                weight.fill_(1.0)
            elif weight.ndim > 1:
                weight.normal_(0, 1.5 / weight[0].numel() ** 0.5 if weight.ndim == 2 else 0.3)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    notes = {"image_mean": [0.5, 0.4, 0.3], "image_std": [0.2, 0.3, 0.25]}
    (folder / "preprocessor_config.json").write_text(json.dumps(notes), encoding="utf-8")
    return folder
