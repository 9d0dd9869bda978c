"""How long the video of a file is: by its own packets wherever a header may mean something else.

A header may give an end where a length is meant, the sound's length, one from before an edit list, or anything at all.
"""

import contextlib
from fractions import Fraction

import av

from refocus.video.length import header_duration, is_edited, is_fragmented, own_duration
from refocus.video.packets import Heartbeat, clock_may_jump, every_packet, other_streams
from refocus.video.track import Track

_INDEXED = ("mov", "matroska", "avi", "flv")  # containers that find a moment without reading up to it
_TOLERANCE_S = 0.25  # by this much a header may say more than the packets do
READ_AHEAD_S = 1.0  # frames are stored by less than this away from their order on screen


def last_moment(track: Track, until_s: float | None, ahead_s: float, heartbeat: Heartbeat | None = None) -> float:
    """Seconds the video lasts: by its header where the packets bear it out, else by the packets.

    If a header promises more than there is and nothing explains it, its promise stands: frames are missing then.
    Packets that are read for it are those that decoding needs first; they stay in the track.

    Args:
        until_s: seconds from the first frame; what a header says of this stream is believed if it is at least that.
        ahead_s: packets are read so far behind `until_s`, if they are read.
        heartbeat: called with every packet, to show that the work goes on.
    """
    container, stream, start, ends = track.container, track.stream, track.start, track.ends
    own, header = own_duration(container, stream, start), header_duration(container, stream, start)
    jumps = clock_may_jump(container)  # a header tells the difference of two clocks there
    if own is not None and until_s is not None and own >= until_s and not jumps:
        return own
    if jumps and until_s is not None and stream.time_base:
        ends.stop = int((Fraction(until_s + READ_AHEAD_S) + start) / stream.time_base)
    table = track.read(None if until_s is None else until_s + ahead_s, heartbeat)
    if not table.whole and not table.stopped:
        _read_rest(track, None if jumps or header is None else header, heartbeat)
    measured = ends.video_s(start)
    if jumps or header is None or measured > header:
        return measured
    if measured > header - _TOLERANCE_S:
        return header if own is not None and not is_fragmented(container, stream) else measured
    others_last = own is None and ends.any_s(start) > header - _TOLERANCE_S
    return measured if others_last or is_edited(container, stream) else header


def _read_rest(track: Track, end_s: float | None, heartbeat: Heartbeat | None) -> None:
    """Reads what tells where the video ends: all that is left, or what lies around where its header says it ends."""
    if end_s is None or not any(name in track.container.format.name for name in _INDEXED):
        track.skim(heartbeat)
        return
    seen = track.ends.frames
    for place in (Fraction(end_s) + track.start, track.ends.latest_s):
        _seek(track, place)
        with contextlib.suppress(av.FFmpegError):  # decoding will report it
            for packet in every_packet(track.container, [track.stream, *other_streams(track.container, track.stream)]):
                track.ends.add(packet)
                if heartbeat is not None:
                    heartbeat()
        if track.ends.frames > seen:  # else there is nothing of the video so near the end
            return


def _seek(track: Track, time_s: Fraction) -> None:
    """Goes to the last key frame before a time on the container's clock, or stays."""
    if track.stream.time_base:
        with contextlib.suppress(av.FFmpegError):
            track.container.seek(int(time_s / track.stream.time_base), stream=track.stream)
