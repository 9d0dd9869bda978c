"""The reward pass as the paper writes it: one full forward pass per question and subset. Imports nothing of ours.

Windows and complements of A.1 (two readings, 32 frames evenly from each), the prompt of B.6.1, the letter's logits at
the last position, the margin of Eq. 5. The stock model of a folder gets its whole prompt and its pixels, which for the
Qwen-VL models transformers' own image processor cuts into patches.
"""

import math

import numpy as np
import torch
from transformers import AutoConfig, AutoModelForImageTextToText, PreTrainedTokenizerFast
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

SYSTEM = (
    "You are a helpful assistant. Please choose the correct answer to the multiple-choice question regarding a video. "
    "The answer must be a single uppercase letter."
)
MEAN, STD = [0.5, 0.4, 0.3], [0.2, 0.3, 0.25]
LETTERS = "ABCDEFGHIJKLMN"


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

    def __init__(self, folder, dtype=torch.float32):
        self.config = AutoConfig.from_pretrained(folder)
        self.kind = self.config.model_type
        self.model = AutoModelForImageTextToText.from_pretrained(folder, dtype=dtype).eval()
        self.model.set_experts_implementation("eager")  # the grouped one of a mixture of experts has no float64
        self.tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)

    def prompt(self, times, question, options):
        """The whole prompt on frames at these seconds, four tokens each."""
        lines = "".join(f"\n{letter}. {option}" for letter, option in zip(LETTERS, options, strict=False))
        if self.kind == "internvl":
            shown = "".join(f"Frame{i + 1}: <img>{'<IMG_CONTEXT>' * 4}</img>\n" for i in range(len(times)))
        elif self.kind == "llava_onevision":
            shown = "<video>" * (4 * len(times) + 1) + "\n"
        elif self.kind == "qwen2_5_vl":
            shown = f"<|vision_start|>{'<|video_pad|>' * 4 * len(times)}<|vision_end|>"
        else:
            one = f"<|vision_start|>{'<|video_pad|>' * 4}<|vision_end|>"
            shown = "".join(f"<{second:.1f} seconds>{one}" for second in times)
        return (
            f"<|im_start|>system\n{SYSTEM}<|im_end|>\n<|im_start|>user\n{shown}{question}\nOptions:{lines}<|im_end|>\n"
            "<|im_start|>assistant\nAnswer:"
        )

    def inputs(self, images, times, question, options):
        """What the model's `forward` takes."""
        ids = self.tokenizer(self.prompt(times, question, options), return_tensors="pt").input_ids
        pixels = (torch.from_numpy(images) / 255 - torch.tensor(MEAN)) / torch.tensor(STD)
        if not self.kind.startswith("qwen"):
            pixels = pixels.permute(0, 3, 1, 2).to(self.model.dtype)
            video = self.kind == "llava_onevision"
            return {"input_ids": ids, **({"pixel_values_videos": pixels[None]} if video else {"pixel_values": pixels})}
        cut = Qwen2VLImageProcessorPil(
            do_resize=False, do_rescale=False, do_normalize=False, patch_size=self.config.vision_config.patch_size
        ).preprocess([*pixels.numpy()], return_tensors="pt")  # each frame twice, as one temporal patch
        _, high, wide = cut["image_grid_thw"][0].tolist()
        video = (ids == self.config.video_token_id).long()
        found = {
            "input_ids": ids,
            "pixel_values_videos": cut["pixel_values"].to(self.model.dtype),
            "video_grid_thw": torch.tensor([[len(images), high, wide]]),
            "mm_token_type_ids": 2 * video,
        }
        if self.kind == "qwen2_5_vl":  # the stock model knows evenly spaced frames only
            found["position_ids"] = self.positions(video[0].tolist(), times, high // 2)
        return found

    def positions(self, video, times, side):
        """(3, 1, n) as Qwen2.5-VL numbers: time in steps of a second's `tokens_per_second`, text after the largest."""
        found, at, first = [], 0, video.index(1)
        for place, is_video in enumerate(video):
            if is_video:
                frame, cell = divmod(place - first, side * side)
                step = math.floor(times[frame] * self.config.vision_config.tokens_per_second)
                found.append((first + step, first + cell // side, first + cell % side))
                at = max(at, *(number + 1 for number in found[-1]))
            else:
                found.append((at, at, at))
                at += 1
        return torch.tensor(found).T[:, None]

    @torch.no_grad()
    def letters(self, images, times, question, options):
        """(options, 2) logits of each letter without and with a space before it."""
        inputs = self.inputs(np.asarray(images), times, question, options)
        logits = self.model(**inputs, logits_to_keep=1).logits[0, -1]
        names = LETTERS[: len(options)]
        return torch.stack([logits[self.tokenizer.convert_tokens_to_ids([name, f" {name}"])] for name in names])

    def rows(self, images, times, questions, scheme):
        """(question, subset, frames, letters, margin) of every question (text, options, answer) and subset."""
        for number, (text, options, answer) in enumerate(questions):
            for subset, frames in sixteen_subsets(len(images), scheme):
                letters = self.letters(images[frames], [times[frame] for frame in frames], text, options)
                z = [math.log(math.exp(a) + math.exp(b)) for a, b in letters.tolist()]
                other = max(value for i, value in enumerate(z) if i != answer)
                yield number, subset, frames, letters, math.tanh((z[answer] - other) / 2)
