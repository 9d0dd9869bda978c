"""When frames are presented that come out of a decoder one after the other."""

from collections import deque

from av.video.frame import VideoFrame

from refocus.video.track import PacketTable


class PresentationTimes:
    """Gives each frame its time, in the order in which they come out.

    That is the frame's presentation time where it has one, until such times go back more often than decoding times do:
    then, as in the ffmpeg program, the time of the packet that brought it out. Where packets have only times of
    decoding, the first frame has the first of them, the second the second, and so on.
    """

    def __init__(self, table: PacketTable) -> None:
        self.table = table
        self.slots = deque(table.presented()) if table.decode_order else None
        self.count = 0  # frames so far
        self.went_back = 0  # frames whose presentation time is before that of the frame before
        self.unclear = 0  # frames without any time, behind which the next one begins before they could end
        self._assumed = 0  # frames without any time, since the last one with a time
        self._pts_faults = self._dts_faults = 0
        self._pts: int | None = None  # of the frame before
        self._dts: int | None = None
        self._end_s = 0.0  # when it leaves the screen

    def __call__(self, frame: VideoFrame) -> float:
        """Seconds from the first frame."""
        if frame.interlaced_frame:  # each field may have had a packet
            self.slots = None
        ticks = self._best(frame) if self.slots is None else self.slots.popleft() if self.slots else None
        time_s = self._end_s if ticks is None else self.table.time_s(ticks)
        if ticks is None:
            self._assumed += 1
        else:
            self.unclear += self._assumed if time_s < self._end_s - self.table.frame_s / 2 else 0
            self._assumed = 0
        self.count += 1
        self._end_s = self.end_s(frame, time_s)
        return time_s

    def end_s(self, frame: VideoFrame, time_s: float) -> float:
        """When a frame leaves the screen that is shown at `time_s`, if none follows earlier."""
        return time_s + (float(frame.duration * self.table.time_base) if frame.duration else self.table.frame_s)

    def _best(self, frame: VideoFrame) -> int | None:
        pts, dts = frame.pts, frame.dts
        if pts is not None and self._pts is not None:
            self._pts_faults += pts <= self._pts
            self.went_back += pts < self._pts
        if dts is not None and self._dts is not None:
            self._dts_faults += dts <= self._dts
        self._pts, self._dts = self._pts if pts is None else pts, self._dts if dts is None else dts
        trusted = pts is not None and (dts is None or self._pts_faults <= self._dts_faults)
        return pts if trusted else dts
