"""What a selector returns. Apart from the tables of picks, so that asking about one video goes without pyarrow."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Picks:
    """Frames of one question in the order they were picked.

    order: distinct indices into the clip's kept frames. score: one number per pick, higher is better, in the selector's
    own unit (log-probability for a policy), or empty. flags: why a row is unusual.
    """

    order: tuple[int, ...]
    score: tuple[float, ...] = ()
    flags: tuple[str, ...] = ()

    def first(self, n: int) -> "Picks":
        """The first n picks."""
        return Picks(self.order[:n], self.score[:n], self.flags)


@dataclass(frozen=True)
class Selection:
    """Frames chosen for one question of a benchmark: a row of the selection table.

    frame_indices: indices into the clip's kept frames, in temporal order; not numbers of frames in the file, which
    the clip's index has. timestamps_s: when each is shown, in seconds of the video file. pick_order: the same indices
    in the order they were picked. score: one number per entry of frame_indices (empty where the selector has none).
    flags: empty, or why nothing could be picked.
    """

    frame_indices: tuple[int, ...]
    timestamps_s: tuple[float, ...]
    pick_order: tuple[int, ...]
    score: tuple[float, ...] = ()
    flags: tuple[str, ...] = ()

    @classmethod
    def of(cls, picks: Picks, timestamps_s: Sequence[float]) -> "Selection":
        """Sorts picks in time and looks up when they are shown."""
        score = dict(zip(picks.order, picks.score, strict=True)) if picks.score else {}
        frames = tuple(sorted(picks.order))
        return cls(
            frame_indices=frames,
            timestamps_s=tuple(float(timestamps_s[frame]) for frame in frames),
            pick_order=tuple(picks.order),
            score=tuple(score[frame] for frame in frames) if score else (),
            flags=picks.flags,
        )

    @property
    def picks(self) -> Picks:
        """Back to the order of picking."""
        score = dict(zip(self.frame_indices, self.score, strict=True)) if self.score else {}
        return Picks(self.pick_order, tuple(score[frame] for frame in self.pick_order) if score else (), self.flags)
