"""Tiny random SigLIP and CLIP folders with a word-level tokenizer."""

from pathlib import Path

import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import CLIPConfig, CLIPModel, PreTrainedModel, PreTrainedTokenizerFast, SiglipConfig, SiglipModel

WORDS = [
    "what",
    "colour",
    "is",
    "shown",
    "red",
    "green",
    "blue",
    "yellow",
    "circle",
    "square",
    "before",
    "after",
    "when",
    "disappears",
    "?",
    "a",
]
VISION = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2, "patch_size": 8}
TEXT = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2}


def build_siglip(folder: Path, *, seed: int = 0, text_length: int = 12, size: int = 16) -> Path:
    """SigLIP: texts padded to full length, unmasked; no token before the first word."""
    torch.manual_seed(seed)
    tokenizer = _tokenizer(["<pad>", "<unk>", "<eos>"], "$A <eos>")
    text = {**TEXT, "vocab_size": len(tokenizer), "max_position_embeddings": text_length, "projection_size": 32}
    ids = {"pad_token_id": 0, "eos_token_id": 2, "bos_token_id": 2}
    config = SiglipConfig(text_config={**text, **ids}, vision_config={**VISION, "image_size": size})
    return _write(folder, SiglipModel(config), tokenizer)


def build_clip(folder: Path, *, seed: int = 0, text_length: int = 12, size: int = 16) -> Path:
    """CLIP: texts between a start and an end token, masked; the end has the largest id, as in the public models."""
    torch.manual_seed(seed)
    tokenizer = _tokenizer(["<unk>", "<start>"], "<start> $A <end>", last="<end>")
    end = tokenizer.convert_tokens_to_ids("<end>")
    text = {**TEXT, "vocab_size": len(tokenizer), "max_position_embeddings": text_length}
    ids = {"pad_token_id": end, "eos_token_id": end, "bos_token_id": 1}
    config = CLIPConfig(text_config={**text, **ids}, vision_config={**VISION, "image_size": size}, projection_dim=24)
    return _write(folder, CLIPModel(config), tokenizer)


def _tokenizer(first: list[str], template: str, last: str | None = None) -> PreTrainedTokenizerFast:
    pieces = [*first, *WORDS, *([last] if last else [])]
    vocabulary = {piece: number for number, piece in enumerate(pieces)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    special = [(piece, number) for piece, number in vocabulary.items() if piece.startswith("<")]
    tokenizer.post_processor = processors.TemplateProcessing(single=template, special_tokens=special)
    pad = "<pad>" if "<pad>" in vocabulary else last
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>", pad_token=pad)


def _write(folder: Path, model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast) -> Path:
    model.eval()
    with torch.no_grad():
        for weight in model.parameters():
            if weight.ndim > 1:
                weight.normal_(0, 0.3)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
