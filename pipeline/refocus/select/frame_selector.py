"""The trained selector as a library: a video and a question in, frames out."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from refocus.config.decode import DecodeSettings
from refocus.config.select import SelectSettings
from refocus.core.errors import UsageError
from refocus.core.model_folder import SHIPPED
from refocus.core.project import project_root
from refocus.lmm.prompts import Prompt
from refocus.select.picks import Picks
from refocus.select.policy_selector import ask_policy, load_policy
from refocus.select.video_picker import VideoPicker, VideoSelection
from refocus.video.decode import DecodedFrames

if TYPE_CHECKING:
    from refocus.policy.frame_policy import FramePolicy
    from refocus.policy.network import ClipState

__all__ = ["FrameSelector", "VideoSelection", "embedded_model"]

log = logging.getLogger(__name__)

SMALLEST_REAL_POLICY = 100_000_000  # parameters; a policy for real video has a SigLIP tower alone four times this size
WORLD_ONLY = (
    "this is a tiny demonstration model that only knows the synthetic world of `make demo`: "
    "on any other video its picks mean nothing"
)


class FrameSelector(VideoPicker):
    """Picks the frames of a video that help to answer a question.

    Further questions about the last video neither decode it nor run the policy over its frames again.

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
        super().__init__(self.settings.seed, decode)
        self._read: tuple[DecodedFrames, ClipState] | None = None

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
    def warning(self) -> str | None:  # type: ignore[override]
        """What a user must know before trusting the picks, or None."""
        size = sum(parameter.numel() for parameter in self.policy.parameters())
        return WORLD_ONLY if size < SMALLEST_REAL_POLICY else None

    def _picks(self, candidates: DecodedFrames, prompt: Prompt, frames: int, seed: int) -> Picks:
        return ask_policy(self.policy, self._clip(candidates), [prompt], frames, [seed], self.settings)[0]

    def _clip(self, candidates: DecodedFrames) -> "ClipState":
        """The candidates as the policy has read them, which it does once for all questions."""
        if self._read is None or self._read[0] is not candidates:
            self._read = None  # before the next clip takes memory
            self._read = candidates, self.policy.read_clip(candidates.images)
        return self._read[1]


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
