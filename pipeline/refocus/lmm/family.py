"""What the scorer has to know of a family of video LMMs."""

from collections.abc import Sequence
from typing import Any, Protocol

from torch import Tensor

from refocus.lmm.loading import Statistics
from refocus.lmm.prompts import Prompt


class Mrope(Protocol):
    """Three rotary positions a token: time, height, width."""

    def frame_positions(
        self, config: Any, start: Tensor, opening: int, times_s: Tensor, lead: int, tail: int
    ) -> Tensor:
        """Positions of the next frame of each row.

        Args:
            start: (r,) one more than the largest position of the row so far. opening: tokens before the first frame.
            times_s: (r,) second of the frame. lead, tail: text tokens around its features.
        Returns:
            (3, r, lead + p + tail) int64.
        """


class Family(Protocol):
    """One family of models. f frames · p tokens per frame · d width of the language model · r rows · n tokens."""

    name: str
    architecture: str
    statistics: Statistics  # of images, where the model's folder does not say
    shows_time: bool  # whether what the model is given depends on the seconds of the frames

    @property
    def mrope(self) -> Mrope | None:
        """How frames are placed in time, height and width; None: the decoder numbers tokens by itself."""

    def frame_size(self, config: Any) -> int:
        """Side in pixels of the square image the vision tower takes."""

    def tokens_per_frame(self, config: Any) -> int:
        """Tokens one frame occupies in the prompt."""

    def patches_per_frame(self, config: Any) -> int:
        """Tokens one frame costs in the vision tower, for packing."""

    def embeddings_per_token(self, config: Any) -> int:
        """e: one that enters the decoder, and one for each of its first layers that is shown the frames again."""

    def context_id(self, config: Any) -> int:
        """Id of the token whose embeddings frame features replace."""

    def opening(self) -> str:
        """What stands before the frames."""

    def frame(self, place: int, time_s: float, tokens_per_frame: int) -> str:
        """One frame, with its marks: the frame at `place` of the prompt, from 0 on, shown at a second of the video."""

    def prefix(self, n_frames: int, tokens_per_frame: int, times_s: Sequence[float] = ()) -> str:
        """Everything before the question: opening and frames. Without `times_s` every frame is at second 0."""

    def suffix(self, prompt: Prompt) -> str:
        """From the question to the place where the option's letter comes."""

    def features(self, model: Any, pixels: Tensor) -> Tensor:
        """(f, 3, s, s) normalised pixels to (f, p, e·d) embeddings."""

    def suffix_embeddings(self, model: Any, ids: Tensor, embeddings: Tensor) -> Tensor:
        """(r, n, d) embeddings of suffixes with token ids (r, n), where some are not those of the vocabulary."""

    def language_model(self, model: Any) -> Any:
        """The decoder that takes `inputs_embeds` and returns normalised hidden states."""


class Prompted:
    """What most families have in common: the decoder's place, and frames that follow the opening one by one."""

    shows_time = False

    @property
    def mrope(self) -> Mrope | None:
        """The decoder numbers tokens by itself."""
        return None

    def prefix(self: Family, n_frames: int, tokens_per_frame: int, times_s: Sequence[float] = ()) -> str:
        """See `Family.prefix`."""
        times_s = times_s or [0.0] * n_frames
        frames = [self.frame(place, second, tokens_per_frame) for place, second in enumerate(times_s)]
        return self.opening() + "".join(frames)

    def embeddings_per_token(self, config: Any) -> int:
        """Frames enter the decoder once."""
        return 1

    def suffix_embeddings(self, model: Any, ids: Tensor, embeddings: Tensor) -> Tensor:
        """Suffixes are plain text."""
        return embeddings

    def language_model(self, model: Any) -> Any:
        """See `Family.language_model`."""
        return model.model.language_model
