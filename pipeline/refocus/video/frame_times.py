"""When every frame of a file is shown, by the numbers that the decode stage gives to them (`source_frames`)."""

from pathlib import Path

from refocus.video.every_frame import every_time
from refocus.video.packets import Heartbeat
from refocus.video.probe import VideoError
from refocus.video.track import opened_track


def frame_times(path: Path | str, heartbeat: Heartbeat | None = None) -> list[float]:
    """Seconds from the first frame, in the order in which frames are shown; frame i of the file is entry i.

    The packets say it without being decoded. Only a file that is decoded in order, because its packets cannot be
    trusted to say which frames come out of them, is decoded.

    Raises:
        VideoError: the file is unreadable or encrypted, or has no frames.
    """
    with opened_track(path) as track:
        table = track.read(None, heartbeat)
    if table.encrypted:
        raise VideoError(f"{path}: is encrypted")
    shown = table.numbering()
    if shown is None:
        return every_time(path)[:-1]
    if not shown:
        raise VideoError(f"{path}: has no frames")
    return [round(table.time_s(pts), 6) for pts in shown]
