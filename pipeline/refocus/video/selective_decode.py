"""The decoded frames on screen at wanted times: the same frames that a decode of the whole file gives, for less.

Packets are sent in runs that begin where decoding may begin and end with a wanted frame; in between, FFmpeg discards
unwanted frames that no other frame is predicted from. What comes out must agree with what the packets announced. At
the first doubt the run is sent again without discarding, and where that does not help, the file is decoded in order.
"""

import bisect
from collections import deque
from collections.abc import Container, Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

import av
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from refocus.video.closure import WantedFrame, runs, shown_at
from refocus.video.decode_report import SLACK_S, DecodeReport
from refocus.video.ffmpeg_log import FfmpegLog
from refocus.video.frame_plan import ROUNDING_S
from refocus.video.length import header_duration, indexed
from refocus.video.packets import Heartbeat, shortened, without_a_container
from refocus.video.presentation_times import PresentationTimes
from refocus.video.probe import VideoError, is_cropped, opened
from refocus.video.run_check import NOT_DECODED, RunCheck
from refocus.video.track import NO_PTS, PacketTable, Track, read_again
from refocus.video.truncation import declares_its_size, is_truncated

DAMAGE = "FFmpeg reports damage"
MARGIN_S = 1.0  # packets are read that far behind the last wanted time, or two steps: so a clip ends before its file


def selective_decode(
    track: Track,
    times_s: Sequence[float],
    report: DecodeReport,
    heartbeat: Heartbeat | None,
) -> Iterator[tuple[VideoFrame, WantedFrame]]:
    """The frames on screen at increasing times (seconds from the first frame), in presentation order.

    Args:
        track: a file that is open; if its packets are read already, up to `ahead_s` behind the last time.
    Raises:
        VideoError: not one frame decodes, or the video is encrypted.
    """
    path, container, stream = track.path, track.container, track.stream
    step = times_s[-1] - times_s[-2] if len(times_s) > 1 else 0.0
    table = track.table or track.read(times_s[-1] + ahead_s(step), heartbeat)
    if table.encrypted:
        raise VideoError(f"{path}: is encrypted")
    if table.whole and declares_its_size(path, container.format.name):
        table.end_s = table.held_s = max(table.end_s, header_duration(container, stream, table.start) or 0.0)
    report.packets, report.ended_s, report.in_order = len(table.pts), table.end_s, table.in_order
    if table.stopped:
        report.notes.append(table.stopped)
    if table.damaged:
        report.notes.append(f"the container is damaged ({table.damaged} errors)")
        report.notes += table.gaps()
    if table.clock_unclear:
        report.notes.append("the clock goes on much later: it was set anew, or there is a gap")
    if without_a_container(container) and len(table.pts) > 1:
        report.notes.append("a raw stream says neither when its frames are shown nor where it ends")
    if table.whole and (truncated := is_truncated(path, container.format.name)):
        report.notes.append(truncated)
    elif table.whole and (missing := indexed(container, stream) - len(table.pts)) > 0:
        report.notes.append(f"the file ends before the last {missing} packets of its index")
    if is_cropped(container, stream):
        report.notes.append("the container says that pictures are to be cropped, which is not done")
    with ExitStack() as files:
        yield from _once(_SelectiveDecoder(path, stream, table, report, heartbeat, files).frames(times_s))


def ahead_s(step_s: float) -> float:
    """How far behind the last wanted time packets are read, by the seconds between wanted times."""
    return max(MARGIN_S, 2 * step_s)


def _once(frames: Iterable[tuple[VideoFrame, WantedFrame]]) -> Iterator[tuple[VideoFrame, WantedFrame]]:
    """Each frame once, with all its times: where decoding goes on in order, the last one may be met again."""
    held: tuple[VideoFrame, WantedFrame] | None = None
    for frame, wanted in frames:
        if held is not None and held[1].time_s == wanted.time_s:
            held = held[0], replace(held[1], times=held[1].times + wanted.times)
            continue
        if held is not None:
            yield held
        held = frame, wanted
    if held is not None:
        yield held


@dataclass
class _SelectiveDecoder:
    """One file being decoded."""

    path: Path | str
    stream: VideoStream
    table: PacketTable
    report: DecodeReport
    heartbeat: Heartbeat | None
    files: ExitStack  # closes what is opened here
    begin: int = 0  # the packet from which frames are decoded in order
    doubt: str | None = None  # why the last run was given up

    def __post_init__(self) -> None:
        if not self.stream.codec_context.is_open:  # libdav1d keeps the skip_frame that it was opened with
            try:
                self.stream.codec_context.open()
            except av.FFmpegError as error:  # headers that make no sense
                raise VideoError(f"{self.path}: its decoder cannot be opened ({error.strerror})") from None

    def start_afresh(self) -> None:
        """Goes on with a decoder that has seen nothing: a run that began where none can may have changed it for good.

        FFmpeg's MPEG-4 decoder takes the time between fields from the first B-frame that it meets, and keeps it.
        """
        _, self.stream = self.files.enter_context(opened(self.path))
        self.__post_init__()

    def frames(self, times_s: Sequence[float]) -> Iterator[tuple[VideoFrame, WantedFrame]]:
        """The frames on screen at the times, selected as long as there is no doubt, then in order."""
        done = 0
        wanted = None if self.table.in_order else shown_at(self.table, times_s, SLACK_S)
        if wanted is not None and any(self.table.shown):
            for frame, one in self.selected(wanted):
                yield frame, one
                done = one.times[-1] + 1
            if self.doubt is None:
                return
        self.report.in_order = self.table.in_order or self.doubt or "two packets have one presentation time"
        if self.doubt is not None:
            self.start_afresh()
        yield from self.in_order(times_s, done)

    def selected(self, wanted: Sequence[WantedFrame]) -> Iterator[tuple[VideoFrame, WantedFrame]]:
        """The wanted frames, decoded run by run; ends early, with `doubt`, at a run that is not right."""
        table = self.table
        ahead = deque(wanted)
        for discarding in (True, False):
            doubt = None
            if not discarding:
                self.start_afresh()
            with closing(read_again(self.path, table, self.heartbeat)) as feed:
                for run in runs(table.starts, table.pts, {one.packet for one in ahead}):
                    doubt = yield from self._run(feed, run, ahead, discarding)
                    if doubt is not None:
                        break
            self.doubt = doubt
            if doubt is None:
                return

    def _run(
        self, feed: Iterator[tuple[int, Packet]], run: range, ahead: deque[WantedFrame], discarding: bool
    ) -> Generator[tuple[VideoFrame, WantedFrame], None, str | None]:
        """The frames of one run that are next in `ahead`, which it takes off.

        Returns:
            why the run cannot be trusted, or None; then `begin` says from where to decode in order.
        """
        table, report = self.table, self.report
        check = RunCheck(table, run, discarding)
        packets = ((number, packet) for number, packet in _up_to(feed, run.stop) if number in run)
        doubt = None
        for frame in self._decoded(packets, check.first, {one.packet for one in ahead} if discarding else run):
            doubt = self._damage() or check.doubt(frame)
            if doubt is not None:
                break
            if ahead and frame.pts == table.pts[ahead[0].packet]:
                yield frame, ahead.popleft()
        self.stream.codec_context.flush_buffers()
        missing = bool(ahead) and ahead[0].packet < run.stop
        doubt = doubt or self._damage() or check.doubt_at_end(missing)
        if self.stream.codec_context.reorder_depth and table.increases():
            table.distrust_times()
            doubt = table.in_order
        if doubt == NOT_DECODED and not discarding:
            table.in_order = doubt = "packets are not whole frames"
        self.begin = run.start if check.clean and doubt != DAMAGE and not table.in_order else 0
        report.damaged = report.corrupt = 0  # decoding again counts it again
        return doubt

    def _damage(self) -> str | None:
        """A doubt if there was damage in this run; earlier runs had none, or there would be no next one."""
        return DAMAGE if self.report.damaged or self.report.corrupt else None

    def in_order(self, times_s: Sequence[float], done: int) -> Iterator[tuple[VideoFrame, WantedFrame]]:
        """One frame after the other, for the times behind the first `done`."""
        table, report = self.table, self.report
        ranks = table.numbering()
        every = read_again(self.path, table, self.heartbeat)
        ahead = ((number, packet) for number, packet in every if number >= self.begin)
        first = table.presented_from(self.begin)
        presentation = PresentationTimes(table)
        held: tuple[VideoFrame, float, int] | None = None

        def on_screen(source_frame: int, time_s: float, until_s: float) -> WantedFrame | None:
            """A frame that is on screen from `time_s` to `until_s`, if one of the wanted times lies before the end."""
            stop = done
            while stop < len(times_s) and times_s[stop] + ROUNDING_S < until_s:
                stop += 1
            return WantedFrame(NO_PTS, source_frame, time_s, tuple(range(done, stop))) if stop > done else None

        for frame in self._decoded(ahead, first, None):
            time_s = presentation(frame)
            report.went_back, report.timeless = presentation.went_back, presentation.unclear
            if held is not None and time_s < held[1]:
                report.misplaced += 1
                continue
            if held is not None and (wanted := on_screen(held[2], held[1], time_s)):
                yield held[0], wanted
                done = wanted.times[-1] + 1
                if done == len(times_s):
                    report.ended_s = time_s
                    return
            counted = presentation.count - 1
            held = frame, time_s, bisect.bisect_left(ranks, frame.pts) if ranks and frame.pts is not None else counted
            report.ended_s = presentation.end_s(frame, time_s)
        if held is None:
            raise VideoError(f"{self.path}: not one frame decodes")
        report.ended_s = max(report.ended_s, table.held_s)
        if table.decode_order and presentation.count != sum(table.shown):
            report.notes.append(
                f"{sum(table.shown)} packets gave {presentation.count} frames, whose times are not known"
            )
        if wanted := on_screen(held[2], held[1], report.ended_s + SLACK_S):
            yield held[0], wanted

    def _decoded(
        self, packets: Iterable[tuple[int, Packet]], first: int, kept: Container[int] | None
    ) -> Iterator[VideoFrame]:
        """What comes out of the packets; damage is counted and stepped over, not raised.

        What is presented before the first packet's frame may lack what it is predicted from: that is no damage.

        Args:
            packets: with their numbers.
            first: the presentation time of the first packet's frame.
            kept: numbers of packets whose frames FFmpeg must not discard; None: all.
        """
        report, context = self.report, self.stream.codec_context
        for number, packet in chain(packets, [(len(self.table.pts), None)]):
            if self.heartbeat is not None:
                self.heartbeat()
            if packet is not None and packet.size == 0:  # would end the decoding
                continue
            discard = packet is not None and kept is not None and number not in kept
            if discard and packet is not None and (needed := self.table.needed.get(number)) is not None:
                if not needed:
                    continue
                packet = shortened(packet, needed)
            context.skip_frame = "NONREF" if discard else "DEFAULT"
            bad, log = packet is not None and packet.is_corrupt, FfmpegLog()
            try:
                with log:
                    frames = self.stream.decode(packet)
            except av.FFmpegError as error:
                if isinstance(error, MemoryError):
                    raise
                bad, frames = True, []
            early = packet is not None and packet.pts is not None and packet.pts < first
            report.damaged += (bad or log.errors > 0) and not early
            for frame in frames:
                report.decoded += 1
                report.corrupt += frame.is_corrupt and not (frame.pts is not None and frame.pts < first)
                yield frame


def _up_to(feed: Iterator[tuple[int, Packet]], stop: int) -> Iterator[tuple[int, Packet]]:
    """What the feed gives before packet number `stop`; nothing behind it is taken."""
    for number, packet in feed:
        yield number, packet
        if number + 1 >= stop:
            return
