"""The one interface every selector has, and how a selector's name is read."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from refocus.core.errors import UsageError
from refocus.qa.records import Question
from refocus.select.selections import Picks

PLAIN = ("uniform", "random", "oracle")
OF_RUN = ("refocus", "initial", "swapped")


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
        self, clip: ClipView, questions: Sequence[Question], budgets: Sequence[int]
    ) -> Mapping[int, Sequence[Picks]]:
        """For each number of frames n in `budgets`, the picks of each question: min(n, T) distinct frames."""
        ...


@dataclass(frozen=True)
class SelectorName:
    """`uniform`, `random`, `oracle`, or a kind and the training run it belongs to, as in `refocus/demo`."""

    kind: str
    run: str | None = None

    @classmethod
    def parse(cls, text: str) -> "SelectorName":
        """Reads a selector's name.

        Raises:
            UsageError: there is no such selector, or the run is missing.
        """
        kind, slash, run = text.partition("/")
        if kind in PLAIN and not slash:
            return cls(kind)
        if kind in OF_RUN and run and "/" not in run:
            return cls(kind, run)
        known = ", ".join([*PLAIN, *(f"{kind}/<run>" for kind in OF_RUN)])
        raise UsageError(f"no selector is called '{text}'; there are {known}")

    def __str__(self) -> str:
        return self.kind if self.run is None else f"{self.kind}/{self.run}"

    @property
    def slug(self) -> str:
        """The name as part of a path."""
        return str(self).replace("/", "--")


def question_seed(seed: int, qa_id: str) -> int:
    """A seed of 63 bits for one question, the same whatever else is in the job."""
    return int.from_bytes(hashlib.sha256(f"{seed}:{qa_id}".encode()).digest()[:8], "big") >> 1
