"""How long the video of a file is: by its own packets wherever a header may mean something else.

A header may give an end where a length is meant, the sound's length, one from before an edit list, or anything at all.
"""

import contextlib
import functools
import re
from collections.abc import Iterable, Iterator
from contextlib import closing
from fractions import Fraction
from itertools import chain

import av
from av.container import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from refocus.video.packets import Heartbeat, clock_may_jump, demuxed, every_packet, rate_of, read_head

_INDEXED = ("mov", "matroska", "avi", "flv")  # containers that find a moment without reading up to it
_TOLERANCE_S = 0.25  # by this much a header may say more than the packets do
READ_AHEAD_S = 1.0  # frames are stored by less than this away from their order on screen
_CLOCK = re.compile(r"^(\d+):(\d\d):(\d\d(?:\.\d+)?)$")


def header_duration(container: InputContainer, stream: VideoStream, start: Fraction | None = None) -> float | None:
    """Seconds the stream lasts by its own header, by its tag (Matroska), or by the container's; None = unknown.

    Args:
        start: when its first frame is presented, seconds of the container's clock; None = by its header.
    """
    if start is None:
        start = (stream.start_time or 0) * (stream.time_base or Fraction(0))
    own = _own_duration(container, stream, start)
    if own is not None or not container.duration:
        return own
    seconds = container.duration / av.time_base - float(start)
    if "matroska" not in container.format.name:  # Matroska counts from 0, the others from their first packet
        seconds += (container.start_time or 0) / av.time_base
    return max(0.0, seconds)


def _own_duration(container: InputContainer, stream: VideoStream, start: Fraction) -> float | None:
    """What the header says of this stream alone, seconds."""
    if stream.time_base is None:
        return None
    if container.format.name == "avi" and stream.frames:  # a truncated file has a shorter duration
        return float(stream.frames * stream.time_base)
    if "mov" in container.format.name and stream.duration:  # elsewhere FFmpeg may have it from the container
        return max(0.0, float(stream.duration * stream.time_base - (start if _is_fragmented(container, stream) else 0)))
    clock = _CLOCK.match(stream.metadata.get("DURATION", ""))
    if clock is None:
        return None
    return max(0.0, int(clock[1]) * 3600 + int(clock[2]) * 60 + float(clock[3]) - float(start))


def last_moment(
    container: InputContainer, stream: VideoStream, until_s: float | None, heartbeat: Heartbeat | None = None
) -> float:
    """Seconds the video lasts: by its header where the packets bear it out, else by the packets.

    If a header promises more than there is and nothing explains it, its promise stands: frames are missing then.
    Leaves the container at its end.

    Args:
        until_s: seconds from the first frame; what a header says of this stream is believed if it is at least that.
        heartbeat: called with every packet, to show that the work goes on.
    """
    try:
        with closing(demuxed(container, stream)) as packets:
            head = read_head(packets, stream)
            ends = functools.partial(_ends, stream=stream, start=head.start, heartbeat=heartbeat)
            if clock_may_jump(container):  # there a header tells the difference of two clocks
                return ends(chain(head.packets, packets), until_s=until_s)[0]
    except av.FFmpegError:  # decoding will report it
        return header_duration(container, stream) or 0.0
    own, header = _own_duration(container, stream, head.start), header_duration(container, stream, head.start)
    if own is not None and until_s is not None and own >= until_s:
        return own
    measured = others = 0.0
    if header is not None and any(name in container.format.name for name in _INDEXED):
        _seek(container, stream, Fraction(header) + head.start)
        measured, others = ends(_left(container, stream))
        if not measured:  # nothing of the video so near the end
            _seek(container, stream, head.start)
    if not measured:
        measured, others = ends(chain(head.packets, _left(container, stream)))
    if header is None or measured > header:
        return measured
    if measured > header - _TOLERANCE_S:
        return header if own is not None and not _is_fragmented(container, stream) else measured
    sound_lasts = own is None and others > header - _TOLERANCE_S
    return measured if sound_lasts or _is_edited(container, stream) else header


def _seek(container: InputContainer, stream: VideoStream, time_s: Fraction) -> None:
    """Goes to the last key frame before a time on the container's clock, or stays."""
    if stream.time_base:
        with contextlib.suppress(av.FFmpegError):
            container.seek(int(time_s / stream.time_base), stream=stream)


def _left(container: InputContainer, stream: VideoStream) -> Iterator[Packet]:
    """The packets of video and sound that are left."""
    return every_packet(container, [stream, *container.streams.audio])


def _ends(
    packets: Iterable[Packet],
    stream: VideoStream,
    start: Fraction,
    heartbeat: Heartbeat | None,
    until_s: float | None = None,
) -> tuple[float, float]:
    """When the last frame leaves the screen and when the last packet of any stream is over, seconds from the start.

    Packets without times follow each other evenly.

    Args:
        until_s: reading may end behind this time.
    """
    rate = rate_of(stream)
    shown: list[float] = []  # when each frame is
    video = others = 0.0
    untimed = 0
    try:
        for packet in packets:
            if heartbeat is not None:
                heartbeat()
            if packet.pts is None or packet.time_base is None:
                untimed += packet.size > 0 and packet.stream_index == stream.index
                continue
            time_s = float(packet.pts * packet.time_base - start)
            end_s = time_s + float((packet.duration or 0) * packet.time_base)
            others = max(others, end_s)
            if packet.stream_index == stream.index and not packet.is_discard:
                shown.append(time_s)
                video = max(video, end_s)
                if until_s is not None and time_s > until_s + READ_AHEAD_S:
                    break
    except av.FFmpegError:  # decoding will report it
        pass
    if shown and video == max(shown):  # the last frame's packet does not say how long it stays
        video += (max(shown) - min(shown)) / (len(shown) - 1) if len(shown) > 1 else 1 / rate if rate else 0.0
    elif untimed and not shown and rate:
        video = untimed / rate
    return round(video, 3), others  # a clock's ticks may miss a millisecond


def _is_fragmented(container: InputContainer, stream: VideoStream) -> bool:
    """Whether this is an mp4 in fragments, whose header gives when the last frame is decoded and counts from 0."""
    return "mov" in container.format.name and not stream.frames


def _is_edited(container: InputContainer, stream: VideoStream) -> bool:
    """Whether an edit list (mp4) hides some of the stream's samples."""
    return "mov" in container.format.name and 0 < len(stream.index_entries) < stream.frames
