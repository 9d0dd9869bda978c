"""What a selector returns. Apart from the tables of picks, so that asking about one video goes without pyarrow."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Picks:
    """Frames of one question in the order they were picked.

    Attributes:
        order: distinct indices into the clip's kept frames.
        score: one number per pick, higher is better, in the selector's own unit (log-probability for a policy), or
            empty.
        flags: why a row is unusual.
    """

    order: tuple[int, ...]
    score: tuple[float, ...] = ()
    flags: tuple[str, ...] = ()

    def first(self, n: int) -> "Picks":
        """The first n picks."""
        return Picks(self.order[:n], self.score[:n], self.flags)


@dataclass(frozen=True)
class VideoFile:
    """What a pick has to say of its video file, so that other programs find the frame and its time.

    None is what is not known, never a guess.

    Attributes:
        video: its path, as the question table has it.
        video_digest: the first 32 hex digits of the file's SHA-256.
        total_num_frames: how many frames it shows.
        fps: average rate by its header.
        duration_s: how long its video is.
    """

    video: str
    video_digest: str | None = None
    total_num_frames: int | None = None
    fps: float | None = None
    duration_s: float | None = None


@dataclass(frozen=True)
class Selection:
    """Frames chosen for one question of a benchmark: a row of the selection table.

    Attributes:
        frame_indices: indices into the clip's kept frames, in temporal order; empty where a selection from elsewhere
            has frames that are not kept.
        timestamps_s: when each frame is shown, in seconds of the video file.
        pick_order: the same indices in the order they were picked.
        score: one number per frame; empty where the selector has none.
        flags: empty, or why nothing could be picked.
        frames_indices: numbers of the frames in the file, from 0, ascending.
        file: the video; None, with no frames_indices, in tables from before these columns.
    """

    frame_indices: tuple[int, ...]
    timestamps_s: tuple[float, ...]
    pick_order: tuple[int, ...]
    score: tuple[float, ...] = ()
    flags: tuple[str, ...] = ()
    frames_indices: tuple[int, ...] = ()
    file: VideoFile | None = None

    @classmethod
    def of(
        cls,
        picks: Picks,
        timestamps_s: Sequence[float],
        source_frames: Sequence[int] = (),
        file: VideoFile | None = None,
    ) -> "Selection":
        """Sorts picks in time and looks up when they are shown and, given `source_frames`, where in the file."""
        score = dict(zip(picks.order, picks.score, strict=True)) if picks.score else {}
        frames = tuple(sorted(picks.order))
        return cls(
            frame_indices=frames,
            timestamps_s=tuple(float(timestamps_s[frame]) for frame in frames),
            pick_order=tuple(picks.order),
            score=tuple(score[frame] for frame in frames) if score else (),
            flags=picks.flags,
            frames_indices=tuple(int(source_frames[frame]) for frame in frames) if source_frames else (),
            file=file,
        )

    @property
    def file_pick_order(self) -> tuple[int, ...]:
        """Numbers in the file in the order they were picked; in temporal order where that is not known."""
        if not self.pick_order:
            return self.frames_indices
        number = dict(zip(self.frame_indices, self.frames_indices, strict=True))
        return tuple(number[frame] for frame in self.pick_order)

    @property
    def picks(self) -> Picks:
        """Back to the order of picking."""
        score = dict(zip(self.frame_indices, self.score, strict=True)) if self.score else {}
        return Picks(self.pick_order, tuple(score[frame] for frame in self.pick_order) if score else (), self.flags)
