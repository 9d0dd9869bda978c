"""A video file and a question in, frames out: what every way of picking frames of one file shares."""

import logging
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from refocus.config.decode import DecodeSettings
from refocus.core.errors import RefocusError, UsageError
from refocus.lmm.prompts import Prompt
from refocus.select.picks import Picks, VideoFile
from refocus.select.selector import question_seed
from refocus.video.decode import ClipPlan, DecodedFrames, decode_frames, plan_clip
from refocus.video.frame_times import frame_times
from refocus.video.source_digest import source_digest
from refocus.video.tars import locate
from refocus.video.track import opened_track

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class VideoSelection:
    """Frames of one video file chosen for one question, in temporal order.

    timestamps_s: when each is shown, in seconds from the file's first frame. source_frames: the number of each in the
    file, from 0 in the order in which frames are shown: what a decoder is asked for. candidate_indices: the place of
    each among the candidates (`FrameSelector.candidates`), which no decoder knows. pick_rank: when each was picked, 1
    is the first. score: one number per pick, higher is better: a policy's log-probability, a cosine, an LMM's
    log-certainty; empty where the selector has none.
    """

    timestamps_s: tuple[float, ...]
    source_frames: tuple[int, ...]
    candidate_indices: tuple[int, ...]
    pick_rank: tuple[int, ...]
    score: tuple[float, ...]

    @property
    def frames_indices(self) -> tuple[int, ...]:
        """`source_frames` under the name that transformers' video metadata has for it."""
        return self.source_frames

    @property
    def pick_order(self) -> tuple[int, ...]:
        """The file's frame numbers in the order they were picked."""
        return tuple(frame for _, frame in sorted(zip(self.pick_rank, self.source_frames, strict=True)))


class VideoPicker(ABC):
    """Samples a file's candidate frames, keeps those of the last file, and lets `_picks` choose among them.

    Attributes:
        warning: what a user must know before trusting the picks, or None.
    """

    warning: str | None = None

    def __init__(self, seed: int, decode: DecodeSettings | None = None):
        """decode: how candidate frames are sampled, which for a policy must be as in training."""
        self.seed = seed
        self.decode = decode or DecodeSettings()
        self._last: tuple[tuple[str, int], DecodedFrames, ClipPlan] | None = None

    @abstractmethod
    def _picks(self, candidates: DecodedFrames, prompt: Prompt, frames: int, seed: int) -> Picks:
        """min(frames, T) of the candidates."""

    def select(
        self, video: str | Path, question: str, options: Sequence[str] = (), frames: int = 32, seed: int | None = None
    ) -> VideoSelection:
        """Picks `frames` frames of a video file for a question, with or without answer options.

        The video's candidates are min(4 fps, 512) frames; a clip with no more candidates than `frames` is kept whole.
        The decoded candidates of the last video are kept, so further questions about it are cheap.

        Raises:
            UsageError: frames is not positive, the question is empty, or there is no such file.
            RefocusError: no frame of the file can be decoded.
        """
        if frames < 1:
            raise UsageError(f"frames must be at least 1 (got {frames})")
        if not question.strip():
            raise UsageError("the question is empty")
        candidates = self.candidates(video)
        seed = question_seed(self.seed if seed is None else seed, question)
        picks = self._picks(candidates, Prompt(question, tuple(options)), frames, seed)
        rank = {candidate: number for number, candidate in enumerate(picks.order, start=1)}
        chosen = sorted(picks.order)
        return VideoSelection(
            timestamps_s=tuple(candidates.timestamps_s[candidate] for candidate in chosen),
            source_frames=tuple(candidates.source_frames[candidate] for candidate in chosen),
            candidate_indices=tuple(chosen),
            pick_rank=tuple(rank[candidate] for candidate in chosen),
            score=tuple(picks.score[rank[candidate] - 1] for candidate in chosen) if picks.score else (),
        )

    def candidates(self, video: str | Path) -> DecodedFrames:
        """The frames a video offers: images uint8 (T, h, w, 3), `timestamps_s`, and `source_frames` of the file.

        Raises:
            UsageError: there is no such file.
            RefocusError: nothing of it can be decoded.
        """
        return self._opened(video)[0]

    def file(self, video: str | Path) -> VideoFile:
        """What other programs ask of a file beside the picks; reads it once more, for its digest and all its packets.

        Raises:
            UsageError, RefocusError: as `candidates`.
        """
        plan = self._opened(video)[1]
        fps, duration_s = round(plan.fps, 6) or None, round(plan.duration_s, 6) or None  # as shards have them
        digest = source_digest(locate(Path(video)))
        return VideoFile(str(video), digest, len(frame_times(video)), fps, duration_s)

    def _opened(self, video: str | Path) -> tuple[DecodedFrames, ClipPlan]:
        path = Path(video)
        if not path.is_file():
            raise UsageError(f"there is no file {path}")
        key = (str(path.resolve()), path.stat().st_mtime_ns)
        if self._last is None or self._last[0] != key:
            with opened_track(path) as file:
                plan = plan_clip(file, self.decode.fps, self.decode.max_frames, None, None)
                decoded = decode_frames(file, plan.times_s, self.decode.size)
            if len(decoded.images) == 0:
                raise RefocusError(f"no frame could be decoded: {decoded.error}")
            if decoded.status != "ok":
                log.warning("only part of the file could be decoded: %s", decoded.error)
            self._last = (key, decoded, plan)
        return self._last[1:]
