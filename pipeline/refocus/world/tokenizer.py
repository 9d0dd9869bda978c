"""The tiny models' own tokenizer: one token per word of the world, and one per fixed part of the prompts.

Both tiny models share the vocabulary. The fixed sentences of the prompts (B.6) are single tokens because they never
change; what varies (frames, question, options, letters) is split as in any tokenizer.
"""

from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from refocus.lmm.prompts import SYSTEM
from refocus.world.scene import BACKGROUNDS, COLORS, CORNERS, PLACES, SHAPES

POLICY_SYSTEM = "You are a helpful AI assistant."
LETTERS = "ABCDEFGHIJKLMN"
FRAMES = 64  # frames with a token of their own, "Frame1:" …
WORDS = (
    "what color is the where border around background which corner has dot letter option says "
    "shape place tell forwards backwards right before after comes first or a an in on at with nothing "
    "Options Answer Frame yes no"
)
CONTROL = (
    "<pad>",
    "<unk>",
    "<|im_start|>",
    "<|im_end|>",
    "<img>",
    "</img>",
    "<IMG_CONTEXT>",
    "<image>",
    "<video>",
    "<|endoftext|>",
    "<|system|>",
    "<|user|>",
    "<|startofframe|>",
)


def build_tokenizer() -> PreTrainedTokenizerFast:
    """The word-level tokenizer of the world; decodes nothing, encodes every prompt of the world without <unk>."""
    values = [*SHAPES, *COLORS, *BACKGROUNDS, *PLACES, *CORNERS]
    words = sorted({part for text in (*values, WORDS) for part in text.split()})
    plain = [*LETTERS, *words, *"0123456789.:?,", "\n", "system", "user", "assistant"]
    fixed = [SYSTEM, POLICY_SYSTEM, *(f"Frame{number}:" for number in range(1, FRAMES + 1))]
    vocabulary = {word: index for index, word in enumerate(dict.fromkeys([*CONTROL, *fixed, *plain]))}
    core = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    core.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(r"[ \t]+"), "removed"),
            pre_tokenizers.Split(Regex(r"\n|[A-Za-z]+|[0-9]|[^\sA-Za-z0-9]"), "isolated"),
        ]
    )
    core.add_special_tokens([AddedToken(text, special=True, normalized=False) for text in CONTROL])
    core.add_tokens([AddedToken(text, normalized=False) for text in fixed])
    return PreTrainedTokenizerFast(
        tokenizer_object=core, unk_token="<unk>", pad_token="<pad>", eos_token="<|im_end|>", model_max_length=65536
    )


def save_tokenizer(folder: Path) -> None:
    """Writes the tokenizer files a model folder needs."""
    build_tokenizer().save_pretrained(folder)
