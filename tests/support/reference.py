"""The reward pass as the paper writes it: one full forward pass per question and subset. Imports nothing of ours.

Windows and complements of A.1 (two readings, 32 frames evenly from each), the prompt of B.6.1, the letter's logits at
the last position, the margin of Eq. 5.
"""

import math

import torch
from transformers import (
    AutoConfig,
    InternVLForConditionalGeneration,
    LlavaOnevisionForConditionalGeneration,
    PreTrainedTokenizerFast,
)

SYSTEM = (
    "You are a helpful assistant. Please choose the correct answer to the multiple-choice question regarding a video. "
    "The answer must be a single uppercase letter."
)
MEAN, STD = torch.tensor([0.5, 0.4, 0.3]).view(3, 1, 1), torch.tensor([0.2, 0.3, 0.25]).view(3, 1, 1)


def sixteen_subsets(n_frames, scheme, k=32):
    """(number, frames) of every window and complement that is not empty."""
    if scheme == "wrapped":
        cut = [i * n_frames // 8 for i in range(9)]
        windows = [set(range(cut[i], cut[i + 2])) for i in range(7)]
        windows.append(set(range(cut[7], n_frames)) | set(range(0, cut[1])))
    else:
        w = math.ceil(n_frames / 8)
        s = math.ceil(w / 2)
        windows = [{t for t in range(i * s, i * s + w) if t < n_frames} for i in range(7)]
        windows.append({t for t in range(n_frames) if t < s or t >= 7 * s})
    result = []
    for number, region in enumerate(windows + [set(range(n_frames)) - window for window in windows]):
        frames = sorted(region)
        if len(frames) > k:
            frames = [frames[math.floor((i + 0.5) * len(frames) / k)] for i in range(k)]
        if frames:
            result.append((number, frames))
    return result


class Reference:
    """The stock model of a folder."""

    def __init__(self, folder):
        config = AutoConfig.from_pretrained(folder)
        self.onevision = config.model_type == "llava_onevision"
        self.per_frame = 4 if self.onevision else config.image_seq_length
        kind = LlavaOnevisionForConditionalGeneration if self.onevision else InternVLForConditionalGeneration
        self.model = kind.from_pretrained(folder).eval()
        self.tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)

    def prompt(self, n_frames, question, options):
        lines = "".join(f"\n{'ABCDEFGHIJKLMN'[i]}. {option}" for i, option in enumerate(options))
        if self.onevision:
            shown = "<video>" * (self.per_frame * n_frames + 1) + "\n"
        else:
            one = "<IMG_CONTEXT>" * self.per_frame
            shown = "".join(f"Frame{i + 1}: <img>{one}</img>\n" for i in range(n_frames))
        return (
            f"<|im_start|>system\n{SYSTEM}<|im_end|>\n<|im_start|>user\n{shown}{question}\nOptions:{lines}<|im_end|>\n"
            "<|im_start|>assistant\nAnswer:"
        )

    @torch.no_grad()
    def letters(self, images, question, options):
        """(options, 2) logits of each letter without and with a space before it."""
        pixels = (torch.from_numpy(images).permute(0, 3, 1, 2) / 255 - MEAN) / STD
        ids = self.tokenizer(self.prompt(len(images), question, options), return_tensors="pt").input_ids
        shown = {"pixel_values_videos": pixels[None]} if self.onevision else {"pixel_values": pixels}
        logits = self.model(input_ids=ids, **shown, logits_to_keep=1).logits[0, -1]
        names = "ABCDEFGHIJKLMN"[: len(options)]
        return torch.stack([logits[self.tokenizer.convert_tokens_to_ids([name, f" {name}"])] for name in names])

    def rows(self, images, questions, scheme):
        """(question, subset, frames, letters, margin) of every question (text, options, answer) and subset."""
        for number, (text, options, answer) in enumerate(questions):
            for subset, frames in sixteen_subsets(len(images), scheme):
                letters = self.letters(images[frames], text, options)
                z = [math.log(math.exp(a) + math.exp(b)) for a, b in letters.tolist()]
                other = max(value for i, value in enumerate(z) if i != answer)
                yield number, subset, frames, letters, math.tanh((z[answer] - other) / 2)
