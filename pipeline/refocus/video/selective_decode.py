"""The decoded frames on screen at wanted times: by the dependency closure, or in order where packets cannot be trusted.

What is decoded must agree with what the packets announced: the same presentation times, no frame too few or too many.
From the first run of packets that does not (fields in packets of their own, reordered times, damage) the file is
walked in order.
"""

import bisect
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import av
from av.container import InputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from refocus.video.closure import WantedFrame, runs, shown_at
from refocus.video.decode_report import SLACK_S, DecodeReport
from refocus.video.ffmpeg_log import FfmpegLog
from refocus.video.frame_plan import EPSILON_S
from refocus.video.probe import VideoError
from refocus.video.track import ABSENT, Heartbeat, PacketTable, read_packets, refed
from refocus.video.truncation import is_truncated

MARGIN_S = 1.0  # packets are read that far behind the last wanted time, or two steps: so a clip ends before its file


def selective_decode(
    path: Path | str,
    container: InputContainer,
    stream: VideoStream,
    times_s: Sequence[float],
    health: DecodeReport,
    beat: Heartbeat | None,
) -> Iterator[tuple[VideoFrame, WantedFrame]]:
    """The frames on screen at increasing times, in presentation order.

    Raises:
        VideoError: not one frame decodes.
    """
    step = times_s[-1] - times_s[-2] if len(times_s) > 1 else 0.0
    track = read_packets(container, stream, times_s[-1] + max(MARGIN_S, 2 * step), beat)
    health.packets, health.ended_s, health.in_order = len(track.roles), track.end_s, track.in_order
    if track.stopped:
        health.notes.append(track.stopped)
    if track.damaged:
        health.notes.append(f"the container is damaged ({track.damaged} complaints)")
        health.notes += track.holes()
    if track.whole and (cut := is_truncated(path, container.format.name)):
        health.notes.append(cut)
    walker = _SelectiveDecoder(path, container, stream, track, health, beat)
    done = 0
    wanted = None if track.in_order else shown_at(track, times_s, SLACK_S)
    if wanted is not None and any(role.shown for role in track.roles):
        for frame, shown in walker.closure(wanted):
            yield frame, shown
            done = shown.times[-1] + 1
        if not walker.disagreed:
            return
    health.in_order = health.in_order or "packets and frames disagree"
    yield from walker.in_order(times_s, done)


@dataclass
class _SelectiveDecoder:
    """One file being decoded."""

    path: Path | str
    container: InputContainer
    stream: VideoStream
    track: PacketTable
    health: DecodeReport
    beat: Heartbeat | None
    begin: int = 0  # the packet from which frames are decoded in order
    disagreed: bool = False

    def closure(self, wanted: Sequence[WantedFrame]) -> Iterator[tuple[VideoFrame, WantedFrame]]:
        """Decodes nothing but the closure; ends early, with `disagreed`, at a run that does not give what it should."""
        track, health = self.track, self.health
        ahead = deque(wanted)
        with closing(refed(self.path, self.container, self.stream, track, self.beat)) as feed:
            for run in runs(track.roles, track.pts, {one.packet for one in wanted}):
                first = track.pts[run[0]]
                due = {track.pts[number] for number in run if track.roles[number].shown}
                damage = (health.damaged, health.corrupt)
                latest = ABSENT
                for frame in self._decoded(_picked(feed, run), first):
                    if frame.pts is None or frame.pts not in due or frame.pts < latest:
                        self.disagreed = True
                        break
                    latest = frame.pts
                    due.discard(latest)
                    if ahead and latest == track.pts[ahead[0].packet]:
                        yield frame, ahead.popleft()
                self.stream.codec_context.flush_buffers()
                lost = any(pts >= first for pts in due) or (ahead and ahead[0].packet <= run[-1])
                if self.disagreed or lost:
                    self.disagreed, self.begin = True, run[0]
                    health.damaged, health.corrupt = damage  # will be met again
                    return

    def in_order(self, times_s: Sequence[float], done: int) -> Iterator[tuple[VideoFrame, WantedFrame]]:
        """One frame after the other, for the times behind the first `done`."""
        track, health = self.track, self.health
        ranks = None if track.in_order else sorted(pts for pts in track.pts if pts != ABSENT)
        feed = refed(self.path, self.container, self.stream, track, self.beat)
        packets = (packet for number, packet in feed if number >= self.begin)
        head = next(packets, None)
        first = head.pts if head is not None and head.pts is not None else ABSENT
        held: tuple[VideoFrame, float, int] | None = None

        def shown(source_frame: int, time_s: float, until_s: float) -> WantedFrame | None:
            """A frame that is on screen from `time_s` to `until_s`, if one of the wanted times lies before the end."""
            stop = done
            while stop < len(times_s) and times_s[stop] + EPSILON_S < until_s:
                stop += 1
            return WantedFrame(ABSENT, source_frame, time_s, tuple(range(done, stop))) if stop > done else None

        for count, frame in enumerate(self._decoded(chain([head] if head else [], packets), first)):
            time_s = count * track.frame_s if frame.pts is None else track.time_s(frame.pts)
            if held is not None and time_s < held[1]:
                health.misplaced += 1
                continue
            if held is not None and (wanted := shown(held[2], held[1], time_s)):
                yield held[0], wanted
                done = wanted.times[-1] + 1
                if done == len(times_s):
                    health.ended_s = time_s
                    return
            rank = bisect.bisect_left(ranks, frame.pts) if ranks and frame.pts is not None else count
            held = frame, time_s, rank
            health.ended_s = time_s + (float(frame.duration * track.time_base) if frame.duration else track.frame_s)
        if held is None:
            raise VideoError(f"{self.path}: not one frame decodes")
        if wanted := shown(held[2], held[1], health.ended_s + SLACK_S):
            yield held[0], wanted

    def _decoded(self, packets: Iterable[Packet], first: int) -> Iterator[VideoFrame]:
        """What comes out of the packets; damage is counted and stepped over, not raised.

        What is presented before the first packet's picture may lack what it is predicted from: that is no damage.
        """
        health = self.health
        with FfmpegLog() as complaints:
            for packet in chain(packets, [None]):
                if self.beat is not None:
                    self.beat()
                if packet is not None and packet.size == 0:  # would end the decoding
                    continue
                health.decoded += packet is not None
                bad = packet is not None and packet.is_corrupt
                complaints.taken()
                try:
                    frames = self.stream.decode(packet)
                except av.FFmpegError as error:
                    if isinstance(error, MemoryError):
                        raise
                    bad, frames = True, []
                early = packet is not None and packet.pts is not None and packet.pts < first
                health.damaged += (bad or complaints.taken() > 0) and not early
                for frame in frames:
                    health.corrupt += frame.is_corrupt and not (frame.pts is not None and frame.pts < first)
                    yield frame


def _picked(feed: Iterator[tuple[int, Packet]], run: Sequence[int]) -> Iterator[Packet]:
    """The packets of a run out of all of them."""
    for number in run:
        for found, packet in feed:
            if found == number:
                yield packet
                break
