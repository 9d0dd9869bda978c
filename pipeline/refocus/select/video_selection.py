"""Frames that were picked of one video for one question, and everything other programs ask about them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from refocus.select.frame_clock import frame_clock
from refocus.select.picks import Picks, VideoFile
from refocus.select.video_source import VideoSource

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor


@dataclass(frozen=True)
class Curve:
    """One number for each candidate frame of a video: how much a selector likes it for one question.

    Attributes:
        timestamps_s: (T,) when each candidate is shown, in seconds.
        values: (T,) higher is better.
        means: what the values are, for people.
    """

    timestamps_s: tuple[float, ...]
    values: tuple[float, ...]
    means: str


@dataclass(frozen=True)
class VideoSelection:
    """Frames of one video chosen for one question, in temporal order.

    Attributes:
        timestamps_s: when each is shown, in seconds from the video's first frame.
        source_frames: the number of each in the video, from 0 in the order in which frames are shown: what a decoder
            is asked for.
        candidate_indices: the place of each among the candidates, which no decoder knows.
        pick_rank: when each was picked, 1 is the first.
        score: one number per pick, higher is better: a policy's log-probability, a cosine, an LMM's log-certainty;
            empty where the selector has none.
        likelihood: the same for every candidate; None where the selector has none.
        video: what the frames are decoded from.
    """

    timestamps_s: tuple[float, ...]
    source_frames: tuple[int, ...]
    candidate_indices: tuple[int, ...]
    pick_rank: tuple[int, ...]
    score: tuple[float, ...]
    likelihood: Curve | None = field(default=None, compare=False, repr=False)
    video: VideoSource | None = field(default=None, compare=False, repr=False)

    @classmethod
    def of(
        cls,
        picks: Picks,
        timestamps_s: Sequence[float],
        source_frames: Sequence[int],
        likelihood: Curve | None = None,
        video: VideoSource | None = None,
    ) -> "VideoSelection":
        """Sorts picks in time; the two sequences are of all candidates."""
        rank = {candidate: number for number, candidate in enumerate(picks.order, start=1)}
        chosen = sorted(picks.order)
        return cls(
            timestamps_s=tuple(timestamps_s[candidate] for candidate in chosen),
            source_frames=tuple(source_frames[candidate] for candidate in chosen),
            candidate_indices=tuple(chosen),
            pick_rank=tuple(rank[candidate] for candidate in chosen),
            score=tuple(picks.score[rank[candidate] - 1] for candidate in chosen) if picks.score else (),
            likelihood=likelihood,
            video=video,
        )

    @property
    def frames_indices(self) -> tuple[int, ...]:
        """`source_frames` under the name that transformers' video metadata has for it."""
        return self.source_frames

    @property
    def pick_order(self) -> tuple[int, ...]:
        """The video's frame numbers in the order they were picked."""
        return tuple(frame for _, frame in sorted(zip(self.pick_rank, self.source_frames, strict=True)))

    @property
    def file(self) -> VideoFile:
        """The video's digest, frames, rate and length; reads the file once more."""
        return self._video.file()

    def arrays(self) -> list[np.ndarray]:
        """The picked frames, (h, w, 3) uint8 RGB each, at native size and aspect; decodes them."""
        return self._video.pictures(self.source_frames, self.timestamps_s)

    def images(self) -> list["Image"]:
        """The picked frames as PIL images, at native size and aspect; decodes them."""
        from PIL import Image

        return [Image.fromarray(picture) for picture in self.arrays()]

    def tensor(self) -> "Tensor":
        """The picked frames as one (n, 3, h, w) uint8 tensor, as torchvision's readers give them; decodes them."""
        import torch

        return torch.from_numpy(np.stack(self.arrays())).permute(0, 3, 1, 2)

    def metadata(self) -> dict[str, Any]:
        """What Qwen-VL's processor and vLLM take beside the frames: `fps`, `frames_indices` whose quotient is each
        frame's second, `total_num_frames`, `duration`, and `do_sample_frames`: False."""
        clock = frame_clock(self, self.file)
        return {
            "total_num_frames": clock.total_num_frames,
            "fps": clock.fps,
            "duration": clock.duration,
            "frames_indices": list(clock.frames_indices),
            "do_sample_frames": False,
        }

    @property
    def _video(self) -> VideoSource:
        if self.video is None:
            raise ValueError("this selection does not know its video")
        return self.video
