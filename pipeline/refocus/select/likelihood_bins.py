"""Frames from above or below a share of the likelihood, as picks (Fig. 4).

Of a clip's t frames, under-k % are the round(k t / 100) unlikeliest and over-k % are all others. Frames are taken from
either evenly in time, as uniform picks are from all of them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from refocus.frames.sampling import sample, uniform
from refocus.qa.records import Question
from refocus.select.last_frame import with_last_frame
from refocus.select.likelihood import Likelihood
from refocus.select.picks import Picks, Selection
from refocus.select.selections import NO_FRAMES

if TYPE_CHECKING:
    from refocus.frames.frame_store import FrameStore

ALL = "all"


@dataclass(frozen=True)
class Bin:
    """`over` or `under` so many percent; `all` for all frames, the baseline, with 0."""

    side: str
    percent: int = 0

    @property
    def name(self) -> str:
        """`over-20`, as in file names."""
        return f"{self.side}-{self.percent}" if self.percent else self.side

    @classmethod
    def parse(cls, name: str) -> "Bin":
        """The inverse of `name`."""
        side, _, percent = name.partition("-")
        return cls(side, int(percent or 0))

    def region(self, ascending: Sequence[int]) -> list[int]:
        """Its frames, in time.

        Args:
            ascending: all frames, the unlikeliest first.
        """
        cut = round(self.percent * len(ascending) / 100)
        return sorted(ascending[:cut] if self.side == "under" else ascending[cut:])


def bins(percents: Sequence[int]) -> list[Bin]:
    """The baseline, and both sides of every percentage."""
    return [Bin(ALL), *(Bin(side, percent) for side in ("over", "under") for percent in percents)]


def select_bin(
    wanted: Bin,
    questions: Sequence[Question],
    made: Mapping[str, Likelihood],
    store: "FrameStore",
    n_frames: int,
    ranking: str,
    keep_last_frame: bool = False,
) -> dict[str, Selection]:
    """At most so many frames of a bin for every question; none, and a flag, where the clip has no frames.

    Args:
        keep_last_frame: whether the clip's last frame is always among them (`with_last_frame`).
    """
    chosen = {}
    for question in questions:
        if question.qa_id not in made:
            chosen[question.qa_id] = Selection.of(Picks((), (), (NO_FRAMES,)), ())
            continue
        record = store.record(question.clip_id)
        region = wanted.region(made[question.qa_id].ascending(ranking))
        frames = uniform(record.n_frames, n_frames) if wanted.side == ALL else sample(region, n_frames)
        picks = Picks(tuple(frames))
        picks = with_last_frame(picks, record.n_frames) if keep_last_frame else picks
        chosen[question.qa_id] = Selection.of(picks, record.timestamps_s, record.source_frames)
    return chosen
