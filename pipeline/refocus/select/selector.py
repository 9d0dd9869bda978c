"""The one interface every selector has."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from refocus.select.picks import Picks

if TYPE_CHECKING:
    from refocus.qa.records import Question


@dataclass(frozen=True)
class ClipView:
    """What a selector may know of a clip.

    Attributes:
        clip_id: the clip.
        timestamps_s: when each kept frame is shown, in seconds of the file.
    """

    clip_id: str
    timestamps_s: tuple[float, ...]

    @property
    def n_frames(self) -> int:
        """T, the number of kept frames."""
        return len(self.timestamps_s)


class Selector(Protocol):
    """Picks frames of one clip for all its questions at once, so that a policy reads the clip once."""

    def pick(
        self, clip: ClipView, questions: Sequence["Question"], budgets: Sequence[int]
    ) -> Mapping[int, Sequence[Picks]]:
        """Frames for every question and every number of frames.

        Args:
            clip: when its T kept frames are shown.
            questions: about this clip.
            budgets: numbers of frames n.
        Returns:
            For each n the picks of each question, in their order: min(n, T) distinct frames.
        """
        ...


def question_seed(seed: int, qa_id: str) -> int:
    """A seed of 63 bits for one question, the same whatever else is in the job."""
    return int.from_bytes(hashlib.sha256(f"{seed}:{qa_id}".encode()).digest()[:8], "big") >> 1
