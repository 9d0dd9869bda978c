"""The trained selector as a library: a video and a question in, frames out."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from refocus.config.decode import DecodeSettings
from refocus.config.select import SelectSettings
from refocus.core.errors import RefocusError, UsageError
from refocus.core.model_folder import SHIPPED
from refocus.core.project import project_root
from refocus.lmm.prompts import Prompt
from refocus.select.policy_selector import ask_policy, load_policy
from refocus.select.selector import question_seed
from refocus.video.decode import DecodedFrames, decode_frames, plan_clip

if TYPE_CHECKING:
    from refocus.policy.frame_policy import FramePolicy

log = logging.getLogger(__name__)

SMALLEST_REAL_POLICY = 100_000_000  # parameters; a policy for real video has a SigLIP tower alone four times this size
WORLD_ONLY = (
    "this is a tiny demonstration model that only knows the synthetic world of `make demo`: "
    "on any other video its picks mean nothing"
)


@dataclass(frozen=True)
class VideoSelection:
    """Frames of one video file chosen for one question, in temporal order.

    timestamps_s: when each is shown, in seconds from the file's first frame. source_frames: the number of each in the
    file, from 0 in the order in which frames are shown: what a decoder is asked for. candidate_indices: the place of
    each among the candidates (`FrameSelector.candidates`), which no decoder knows. pick_rank: when each was picked, 1
    is the first. score: log-probability of each pick.
    """

    timestamps_s: tuple[float, ...]
    source_frames: tuple[int, ...]
    candidate_indices: tuple[int, ...]
    pick_rank: tuple[int, ...]
    score: tuple[float, ...]


class FrameSelector:
    """Picks the frames of a video that help to answer a question.

    >>> selector = FrameSelector.from_pretrained("results/train/demo/policy")
    >>> selector.select("lecture.mp4", "What is written on the board?", frames=8).timestamps_s
    """

    def __init__(
        self,
        policy: "FramePolicy",
        settings: SelectSettings | None = None,
        decode: DecodeSettings | None = None,
    ):
        """policy: a `FramePolicy`. decode: how candidate frames are sampled, which must be as in training."""
        self.policy = policy
        self.settings = settings or SelectSettings()
        self.decode = decode or DecodeSettings()
        self._last: tuple[tuple[str, int], DecodedFrames] | None = None

    @classmethod
    def from_pretrained(
        cls,
        path: str | Path | None = None,
        settings: SelectSettings | None = None,
        decode: DecodeSettings | None = None,
    ) -> "FrameSelector":
        """Loads a policy folder or hub id; without one, the tiny embedded model, with a warning.

        Raises:
            UsageError: there is no such model.
            ResourceMissing: settings ask for CUDA where there is none.
        """
        settings = settings or SelectSettings()
        runtime = settings.runtime
        policy = load_policy(path or embedded_model(), runtime.device, runtime.threads, runtime.kernels)
        selector = cls(policy, settings, decode)
        if path is None:
            log.warning("no model is named: %s", selector.warning)
        return selector

    @property
    def warning(self) -> str | None:
        """What a user must know before trusting the picks, or None."""
        size = sum(parameter.numel() for parameter in self.policy.parameters())
        return WORLD_ONLY if size < SMALLEST_REAL_POLICY else None

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
        seed = question_seed(self.settings.seed if seed is None else seed, question)
        prompt = Prompt(question, tuple(options))
        picks = ask_policy(self.policy, candidates.images, [prompt], frames, [seed], self.settings)[0]
        rank = {candidate: number for number, candidate in enumerate(picks.order, start=1)}
        chosen = sorted(picks.order)
        return VideoSelection(
            timestamps_s=tuple(candidates.timestamps_s[candidate] for candidate in chosen),
            source_frames=tuple(candidates.source_frames[candidate] for candidate in chosen),
            candidate_indices=tuple(chosen),
            pick_rank=tuple(rank[candidate] for candidate in chosen),
            score=tuple(picks.score[rank[candidate] - 1] for candidate in chosen),
        )

    def candidates(self, video: str | Path) -> DecodedFrames:
        """The frames a video offers: images uint8 (T, h, w, 3), `timestamps_s`, and `source_frames` of the file.

        Raises:
            UsageError: there is no such file.
            RefocusError: nothing of it can be decoded.
        """
        path = Path(video)
        if not path.is_file():
            raise UsageError(f"there is no file {path}")
        key = (str(path.resolve()), path.stat().st_mtime_ns)
        if self._last is None or self._last[0] != key:
            plan = plan_clip(path, self.decode.fps, self.decode.max_frames, None, None)
            decoded = decode_frames(path, plan.times_s, self.decode.size)
            if len(decoded.images) == 0:
                raise RefocusError(f"no frame could be decoded: {decoded.error}")
            if decoded.status != "ok":
                log.warning("only part of the file could be decoded: %s", decoded.error)
            self._last = (key, decoded)
        return self._last[1]


def embedded_model() -> Path:
    """The tiny policy that comes with the project.

    Raises:
        UsageError: it is not there.
    """
    for name in ("selector", "policy"):
        folder = project_root() / SHIPPED / name
        if (folder / "config.json").is_file():
            return folder
    raise UsageError("no embedded model is installed here; name a policy folder or hub id with --model")
