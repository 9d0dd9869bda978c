"""How long the video of a file is by its header, and how long by its packets; `refocus.video.last_moment` compares."""

import re
from fractions import Fraction

import av
from av.container import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from refocus.video.packets import rate_of

_UNKNOWN_S = 1e6  # a header of which a program left the length open (all bits set) promises more
_CLOCK = re.compile(r"^(\d+):(\d\d):(\d\d(?:\.\d+)?)$")


def header_duration(container: InputContainer, stream: VideoStream, start: Fraction | None = None) -> float | None:
    """Seconds the stream lasts by its own header, by its tag (Matroska), or by the container's; None = unknown.

    Args:
        start: when its first frame is presented, seconds of the container's clock; None = by its header.
    """
    if start is None:
        start = (stream.start_time or 0) * (stream.time_base or Fraction(0))
    own = own_duration(container, stream, start)
    length = container.duration or 0  # an estimate where an AVI leaves its number of frames open
    if own is not None or not 0 < length < _UNKNOWN_S * av.time_base or (_is_avi(container) and stream.frames):
        return own
    seconds = length / av.time_base - float(start)
    if "matroska" not in container.format.name:  # Matroska counts from 0, the others from their first packet
        seconds += (container.start_time or 0) / av.time_base
    return max(0.0, seconds)


def own_duration(container: InputContainer, stream: VideoStream, start: Fraction) -> float | None:
    """What the header says of this stream alone, seconds."""
    if stream.time_base is None:
        return None
    if _is_avi(container) and stream.frames:  # a truncated file has a shorter duration
        seconds = float(stream.frames * stream.time_base)
        return seconds if seconds < _UNKNOWN_S else None
    if "mov" in container.format.name and stream.duration:  # elsewhere FFmpeg may have it from the container
        return max(0.0, float(stream.duration * stream.time_base - (start if is_fragmented(container, stream) else 0)))
    clock = _CLOCK.match(stream.metadata.get("DURATION", ""))
    if clock is None:
        return None
    return max(0.0, int(clock[1]) * 3600 + int(clock[2]) * 60 + float(clock[3]) - float(start))


class Ends:
    """When the last frame leaves the screen, and when the last packet of any stream is over, by packets as they come.

    Times are ticks until they are asked for. Packets without times follow each other evenly.
    """

    def __init__(self, stream: VideoStream) -> None:
        self.stream = stream
        self.stop: int | None = None  # nothing counts behind the first frame that is shown later than this
        self.stopped = False
        self._index = stream.index
        self._over: dict[int, int] = {}  # by stream: when its last packet is over
        self._bases: dict[int, Fraction] = {}  # by stream: seconds per tick
        self._end: int | None = None  # when the last frame's packet says that it leaves the screen
        self._latest = self._earliest = self._count = 0  # of the frames; the last two since the last key frame
        self._untimed = self._timeless = 0  # frames without a presentation time; those of them behind all others
        self.frames = 0

    def add(self, packet: Packet) -> None:
        """Takes a packet of any stream."""
        index, pts = packet.stream_index, packet.pts
        if self.stopped:
            return
        if pts is None:
            self._untimed += packet.size > 0 and index == self._index
            self._timeless += packet.size > 0 and index == self._index
            return
        end = pts + (packet.duration or 0)
        if index not in self._over:
            self._over[index], self._bases[index] = end, packet.time_base or Fraction(0)
        elif end > self._over[index]:
            self._over[index] = end
        if index != self._index or packet.is_discard:
            return
        if packet.is_keyframe:
            self._earliest, self._count = pts, 0
        if self._end is None:
            self._earliest, self._latest, self._end = pts, pts, end
        self._earliest, self._latest, self._end = min(self._earliest, pts), max(self._latest, pts), max(self._end, end)
        self._count += 1
        self.frames += 1
        self._timeless = 0
        self.stopped = self.stop is not None and pts > self.stop

    @property
    def latest_s(self) -> Fraction:
        """When the last frame is shown, seconds of the container's clock."""
        return self._latest * (self.stream.time_base or Fraction(0))

    def any_s(self, start: Fraction) -> float:
        """When the last packet of any stream is over, seconds from the start."""
        return max((float(end * self._bases[index] - start) for index, end in self._over.items()), default=0.0)

    def video_s(self, start: Fraction) -> float:
        """When the last frame leaves the screen, seconds from the start; 0 if there was none."""
        rate, base = rate_of(self.stream), self.stream.time_base or Fraction(0)
        if self._end is None:
            return round(self._untimed / rate, 3) if rate else 0.0
        video = max(0.0, float(self._end * base - start))
        if self._end == self._latest:  # the last frame's packet does not say how long it stays
            spread = float((self._latest - self._earliest) * base)
            video += spread / (self._count - 1) if self._count > 1 else 1 / rate if rate else 0.0
        if self._timeless and rate:  # they follow each other
            video = max(video, (self.frames + self._untimed) / rate)
        return round(video, 3)  # a clock's ticks may miss a millisecond


def _is_avi(container: InputContainer) -> bool:
    return container.format.name == "avi"


def is_fragmented(container: InputContainer, stream: VideoStream) -> bool:
    """Whether this is an mp4 in fragments, whose header gives when the last frame is decoded and counts from 0."""
    return "mov" in container.format.name and not stream.frames


def indexed(container: InputContainer, stream: VideoStream) -> int:
    """How many packets the index of an mp4 lists, of fragments as far as they were read; 0 in other formats."""
    return len(stream.index_entries) if "mov" in container.format.name else 0


def is_edited(container: InputContainer, stream: VideoStream) -> bool:
    """Whether an edit list (mp4) hides some of the stream's samples."""
    return "mov" in container.format.name and 0 < len(stream.index_entries) < stream.frames
