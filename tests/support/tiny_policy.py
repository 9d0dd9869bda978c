"""A tiny random policy with its own word-level tokenizer, for tests that need the real architecture."""

import dataclasses

import torch
from refocus.config.policy import PolicySettings
from refocus.lmm.prompts import Prompt
from refocus.policy.config import PolicyConfig
from refocus.policy.frame_policy import FramePolicy
from tokenizers import Regex, Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

SPECIAL = ["<unk>", "<|endoftext|>", "<|system|>", "<|user|>", "<|startofframe|>"]
TEXT = "You are a helpful AI assistant What colour shape is the red green blue circle square left right A B C D"
VISION = {
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "image_size": 32,
    "patch_size": 8,
}
SMALL = PolicyConfig(
    width=16,
    layers=3,
    state=8,
    head_dim=8,
    chunk=8,
    vocab=64,
    start_of_frame=SPECIAL.index("<|startofframe|>"),
    vision=VISION,
)
PROMPTS = [
    Prompt("What colour is the circle?", ("red", "green")),
    Prompt("What shape is red?", ("circle", "square", "the circle")),
    Prompt("Is the square left?"),
]


def build_tokenizer() -> PreTrainedTokenizerFast:
    """Words, digits, punctuation and newline."""
    words = dict.fromkeys([*SPECIAL, "\n", ".", "?", ",", *"0123456789", *TEXT.split()])
    tokenizer = Tokenizer(models.WordLevel({word: index for index, word in enumerate(words)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(r"[ \t]+"), "removed"),
            pre_tokenizers.Split(Regex(r"\n|[A-Za-z]+|[0-9]|[^\sA-Za-z0-9]"), "isolated"),
        ]
    )
    tokenizer.add_special_tokens(SPECIAL)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>")


def build_policy(seed: int = 0, dtype: torch.dtype = torch.float64, **changes: object) -> FramePolicy:
    """A random policy in float64 with heads large enough that its picks are far from uniform."""
    torch.manual_seed(seed)
    policy = FramePolicy(dataclasses.replace(SMALL, **changes), build_tokenizer())
    policy.initialise_selection(PolicySettings(value_gain=1.0, reinit_norm=1.0, logit_scale=4.0), seed)
    return policy.to(dtype)


def build_features(policy: FramePolicy, counts: list[int], seed: int = 0) -> list[torch.Tensor]:
    """Random tower features of clips with so many frames each."""
    generator = torch.Generator().manual_seed(seed)
    dtype = policy.heads.scale.dtype
    return [torch.randn(count, policy.config.grid**2, 16, generator=generator, dtype=dtype) for count in counts]
