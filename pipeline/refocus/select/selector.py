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
    """What a selector may know of a clip: when its kept frames are shown, in seconds of the file."""

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
        """For each number of frames n in `budgets`, the picks of each question: min(n, T) distinct frames."""
        ...


def question_seed(seed: int, qa_id: str) -> int:
    """A seed of 63 bits for one question, the same whatever else is in the job."""
    return int.from_bytes(hashlib.sha256(f"{seed}:{qa_id}".encode()).digest()[:8], "big") >> 1
