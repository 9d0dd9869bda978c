"""Picks for transformers' processors of InternVL, LLaVA-OneVision, Qwen2.5-VL and Qwen3-VL: frames with their seconds.

f frames · p tokens per frame · n tokens
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers.video_utils import VideoMetadata

from refocus.core.errors import RefocusError
from refocus.lmm.prompts import VIDEO_PAD, VISION_END, VISION_START
from refocus.lmm.qwen import grid_positions, text_positions
from refocus.select.frame_clock import TimedFrames, frame_clock
from refocus.select.picks import VideoFile


def as_video(
    processor: Any, pictures: Sequence[np.ndarray], picked: TimedFrames, file: VideoFile | None
) -> dict[str, Any]:
    """What a processor takes beside `text`: the picked frames as one video that is not sampled again.

    `processor(text=…, **as_video(…), return_tensors="pt")`. Qwen-VL's towers read frames in pairs; here each frame is a
    pair with itself, as in `refocus.lmm.qwen`, so that its time mark is its own and not the mean of two picks.

    Args:
        processor: of a video LMM.
        pictures: (h, w, 3) uint8 RGB in temporal order, as from `refocus.video.pictures.pictures_at`.
        picked: the numbers and seconds of these pictures.
        file: the video they are from.
    Raises:
        RefocusError: there are none, they are of several sizes, or how long the video is is not known.
    """
    sizes = {picture.shape[:2] for picture in pictures}
    if len(sizes) != 1:
        raise RefocusError(f"the picked frames are of {len(sizes)} sizes, and a video has one")
    if len(pictures) != len(picked.frames_indices):
        raise RefocusError(f"{len(pictures)} pictures for {len(picked.frames_indices)} picked frames")
    times = getattr(processor.video_processor, "temporal_patch_size", 1)
    clock, (height, width) = frame_clock(picked, file), sizes.pop()
    metadata = VideoMetadata(
        total_num_frames=clock.total_num_frames,
        fps=clock.fps,
        width=width,
        height=height,
        duration=clock.duration,
        frames_indices=[number for number in clock.frames_indices for _ in range(times)],
    )
    video = np.repeat(np.stack(pictures), times, axis=0)  # (f · times, h, w, 3)
    return {"videos": [video], "video_metadata": [metadata], "do_sample_frames": False}


def qwen3_text(text: str) -> str:
    """A prompt of Qwen3-VL's chat template without the marks around its video, for the processor.

    The processor writes a second and marks of its own for every frame. In its authors' code these take the place of the
    marks around the video; transformers 5 leaves those standing outside, which the model was not trained with.
    """
    return text.replace(f"{VISION_START}{VIDEO_PAD}{VISION_END}", VIDEO_PAD)


def qwen2_5_positions(inputs: Mapping[str, Tensor], config: Any, timestamps_s: Sequence[float]) -> Tensor:
    """Rotary positions of a Qwen2.5-VL prompt with one video, each frame at its own second.

    transformers places the frames of a video at even distances, which picks do not have. As in `refocus.lmm.qwen`, a
    frame at t seconds stands floor(t · tokens_per_second) behind the video's beginning, and what follows the video goes
    on after its largest position.

    Args:
        inputs: what the processor made of the text and `as_video`: one row.
        config: the model's.
        timestamps_s: (f,) seconds of the frames.
    Returns:
        (4, 1, n) int64, to be passed to `model.generate` as `position_ids`: the place in the text, then time, height
        and width.
    Raises:
        RefocusError: the processor made another number of frames, or there is not exactly one video.
    """
    ids, grids = inputs["input_ids"], inputs["video_grid_thw"]
    slots = (ids[0] == config.video_token_id).nonzero().flatten()
    if len(ids) != 1 or len(grids) != 1:
        raise RefocusError(f"one prompt with one video has positions here, not {len(ids)} with {len(grids)}")
    frames, height, width = (int(side) for side in grids[0])
    if frames != len(timestamps_s):
        raise RefocusError(f"the processor made {frames} frames of {len(timestamps_s)}")
    merge = config.vision_config.spatial_merge_size
    start = slots[:1]  # (1,) text tokens before the video
    steps = (torch.tensor(timestamps_s, dtype=torch.float64) * config.vision_config.tokens_per_second).long()
    shown = [grid_positions(start + step, start, height // merge, width // merge) for step in steps.to(ids.device)]
    before, video = text_positions(torch.zeros_like(start), int(start)), torch.cat(shown, dim=-1)
    after = text_positions(video.amax((0, 2)) + 1, ids.shape[1] - int(start) - video.shape[-1])
    places = torch.arange(ids.shape[1], device=ids.device).expand(1, 1, -1)
    return torch.cat([places, torch.cat([before, video, after], dim=-1)])
