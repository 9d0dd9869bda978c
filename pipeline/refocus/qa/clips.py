"""The unit of decoding, in a module of its own: decoding workers need not load pyarrow (30 MB each)."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Clip:
    """One decode unit. `start_s` and `end_s` are seconds from the file's first frame; None = the file's own bound."""

    clip_id: str
    dataset: str
    video_path: str  # relative to the data root, POSIX
    start_s: float | None
    end_s: float | None


@dataclass(frozen=True)
class ClipRow:
    """A clip as its lists hold it: without the data set's name, with its shard."""

    clip_id: str
    video_path: str
    start_s: float | None
    end_s: float | None
    shard: int
