"""One pass over a file's packets: when each is shown, where decoding may begin, what FFmpeg says of the container."""

import contextlib
import itertools
from array import array
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import chain
from pathlib import Path

import av
from av.container import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from refocus.video.av1 import Av1Packets
from refocus.video.ffmpeg_log import FfmpegLog
from refocus.video.length import Ends, own_duration
from refocus.video.packets import Heartbeat, PacketClock, demuxed, rate_of, read_head
from refocus.video.probe import VideoError, opened
from refocus.video.starts import SELECTIVE_CODECS, CleanStarts, is_empty, is_hidden, is_packed
from refocus.video.vp9 import Vp9Packets

KEPT_BYTES = 256 << 20  # packets stay in memory up to this, else the file is read twice
KEPT_PACKETS = 1 << 13  # each costs about a kilobyte beside its content
FRAME_S = 0.5  # how long a frame is shown where nothing says it
GAP_S = 1.0  # in a damaged file, a frame that stays this long may stand for missing ones
NO_PTS = -(1 << 62)
_PACKED = "a packet holds two frames"


@dataclass
class PacketTable:
    """The packets of a video stream in decoding order, up to where the pass ended."""

    time_base: Fraction  # seconds per tick of `pts`
    start: Fraction  # seconds of the container's clock that count as 0
    frame_s: float  # how long a frame is shown where its packet does not say
    pts: array = field(default_factory=lambda: array("q"))  # presentation times, or NO_PTS
    starts: list[bool] = field(default_factory=list)  # decoding may begin here
    shown: list[bool] = field(default_factory=list)  # a frame comes out of it
    needed: dict[int, int] = field(default_factory=dict)  # AV1, VP9: of some packets, how many bytes others need
    end_s: float = 0.0  # when the last packet's frame leaves the screen
    held_s: float = 0.0  # until when a header holds it, where packets have no durations
    packets: list[Packet] | None = field(default_factory=list)  # None: too much to keep
    in_order: str | None = None  # why the packets must be decoded one after the other
    whole: bool = False  # the pass came to the end of the file
    damaged: int = 0  # errors that FFmpeg logged while reading
    clock_unclear: bool = False  # it was set anew, or there was a gap
    encrypted: bool = False  # a packet is, and there is no key
    stopped: str | None = None  # why reading ended early
    decode_order: bool = False  # `pts` are times of decoding: they say when frames are shown, not which

    def __post_init__(self) -> None:
        base, start = self.time_base, self.start
        self._ratio = base.numerator * start.denominator, start.numerator * base.denominator
        self._divisor = base.denominator * start.denominator

    def time_s(self, pts: int) -> float:
        """Seconds from the first frame: pts x time_base - start, exact up to the last step."""
        scale, offset = self._ratio
        return (pts * scale - offset) / self._divisor

    def presented_from(self, number: int) -> int:
        """The presentation time from which frames are whole when decoding begins at a packet."""
        return self.pts[number] if number else round(self.start / self.time_base)

    def presented(self) -> list[int]:
        """The presentation times of what is shown, increasing."""
        return sorted(pts for pts, shown in zip(self.pts, self.shown, strict=True) if shown and pts != NO_PTS)

    def numbering(self) -> list[int] | None:
        """The presentation time of every frame by its number; None where only a decode tells which frames come out."""
        times = self.presented()
        return None if self.in_order or len(set(times)) < len(times) else times

    def increases(self) -> bool:
        """Whether all that is shown has a presentation time, in the order in which it is stored."""
        shown = (pts for pts, shown in zip(self.pts, self.shown, strict=True) if shown)
        return all(one < other for one, other in itertools.pairwise(chain([NO_PTS], shown)))

    def distrust_times(self) -> None:
        """For a decoder that changes the order of packets whose times do not: a container made them up (AVI)."""
        self.decode_order, self.in_order = True, "packets have times of decoding only"

    def gaps(self) -> list[str]:
        """Where no new frame is shown for long, in words."""
        shown = self.presented()
        least = max(GAP_S, 10 * self.frame_s) / self.time_base
        gaps = [(one, other) for one, other in itertools.pairwise(shown) if other - one > least]
        return [f"nothing from {self.time_s(one):.2f} to {self.time_s(other):.2f} s" for one, other in gaps[:3]]


class Track:
    """The video of a file while its packets are read: once, from the first one on.

    Attributes:
        start: seconds of the container's clock at which the first frame is presented.
        ends: where video and sound end, as far as packets were read.
        table: the packets, once they are read.
    """

    def __init__(self, path: Path | str, container: InputContainer, stream: VideoStream) -> None:
        """Reads up to where it is known when the first frame is presented.

        Raises:
            VideoError: nothing can be read.
        """
        if stream.time_base is None:
            raise VideoError(f"{path}: its video stream has no time base")
        self.path, self.container, self.stream = path, container, stream
        self.ends = Ends(stream)
        self.table: PacketTable | None = None
        self._log = FfmpegLog()
        others = own_duration(container, stream, Fraction(0)) is None  # then the length may be theirs
        self._clock = PacketClock()
        self._packets = demuxed(container, stream, self.ends.add, others, self._clock)
        try:
            with self._log:
                head = read_head(self._packets, stream)
        except av.FFmpegError as error:
            raise VideoError(f"{path}: cannot be read ({error.strerror})") from None
        self.start = head.start
        self._feed = chain(head.packets, self._packets)

    def read(self, until_s: float | None, heartbeat: Heartbeat | None = None) -> PacketTable:
        """Reads packets until the next ones are decoded, and so shown, later than `until_s` seconds; None: all.

        Read errors do not raise: the table says how many there were and why reading ended. Can be done once.
        """
        stream, codec = self.stream, self.stream.codec_context.name
        assert self.table is None and stream.time_base is not None
        rate = rate_of(stream)
        self.table = table = PacketTable(stream.time_base, self.start, 1.0 / rate if rate > 0 else FRAME_S)
        clean_starts = CleanStarts(codec, stream.codec_context.extradata)
        if codec not in SELECTIVE_CODECS:
            table.in_order = f"{codec} is decoded in order"
        start, frame = round(table.start / table.time_base), round(table.frame_s / table.time_base)
        until = None if until_s is None else round((Fraction(until_s) + table.start) / table.time_base)
        av1 = Av1Packets(stream.codec_context.extradata) if codec in ("av1", "libdav1d") else None
        vp9 = Vp9Packets() if codec == "vp9" else None
        dts = array("q")
        kept, latest = 0, NO_PTS
        end = NO_PTS
        with self._log:
            while True:
                try:
                    packet = next(self._feed, None)
                except av.FFmpegError as error:
                    table.stopped = f"reading stopped: {error.strerror}"
                    break
                if packet is None:
                    table.whole = True
                    break
                if until is not None and packet.dts is not None and packet.dts > until and end > until:
                    break
                if heartbeat is not None:
                    heartbeat()
                shown = packet.size > 0 and not packet.is_discard and not is_hidden(codec, packet)
                shown = shown and (packet.pts is None or packet.pts >= start)
                table.in_order = table.in_order or _not_by_itself(codec, packet, shown)
                table.encrypted = table.encrypted or packet.has_sidedata("encryption_info")
                table.shown.append(shown)
                table.starts.append(packet.size > 0 and table.in_order is None and clean_starts(packet))
                if clean_starts.spliced:
                    table.in_order = table.in_order or "the decoder may drop pictures at a splice"
                table.pts.append(NO_PTS if packet.pts is None else packet.pts)
                if av1 is not None and (needed := av1.needed(bytes(packet))) < packet.size:
                    table.needed[len(dts)] = needed
                if vp9 is not None and vp9.frees_previous(bytes(packet)):
                    table.needed[len(dts) - 1] = 0
                dts.append(NO_PTS if packet.dts is None else packet.dts)
                if packet.dts is not None:
                    if packet.dts < latest or (packet.pts is not None and packet.pts < start <= packet.dts):
                        table.in_order = table.in_order or "the clock goes back"
                    latest = packet.dts
                time = packet.dts if packet.pts is None else packet.pts
                if time is not None and not packet.is_discard:
                    end = max(end, time + (packet.duration or frame))
                kept += packet.size
                if table.packets is not None:
                    table.packets.append(packet)
                    if kept > KEPT_BYTES or len(table.packets) > KEPT_PACKETS:
                        table.packets = None
        table.damaged = self._log.of_container
        table.clock_unclear = self._clock.unclear
        if end != NO_PTS:
            table.end_s = table.time_s(end)
        if NO_PTS not in dts and all(pts == NO_PTS for pts in table.pts):
            table.pts = dts
        if table.in_order == _PACKED:
            table.decode_order = True
        elif stream.codec_context.reorder_depth and table.increases():
            table.distrust_times()
        return table

    def skim(self, heartbeat: Heartbeat | None) -> None:
        """Reads on behind the table, for `ends` alone, up to where those stop or the file does."""
        with contextlib.suppress(av.FFmpegError):
            for _ in self._packets:
                if heartbeat is not None:
                    heartbeat()
                if self.ends.stopped:
                    return

    def close(self) -> None:
        """Ends reading."""
        self._packets.close()


@contextlib.contextmanager
def opened_track(video: Path | str | Track) -> Iterator[Track]:
    """The video of a file: opened, or, if it is open already, as it is.

    So a clip is planned, and then decoded, with the file opened once.

    Raises:
        VideoError: no readable video.
    """
    if isinstance(video, Track):
        yield video
        return
    with opened(video) as (container, stream), contextlib.closing(Track(video, container, stream)) as track:
        yield track


def _not_by_itself(codec: str, packet: Packet, shown: bool) -> str | None:
    """Why a file with such a packet is decoded in order, or None."""
    if packet.is_keyframe and packet.has_sidedata("new_extradata"):
        return "the decoder's configuration changes"
    if codec == "theora" and bytes(memoryview(packet)[:1]) >= b"\x80":  # the stream's headers once more (chained Ogg)
        return "another stream follows"
    if packet.has_sidedata("palette"):  # it holds for what follows
        return "a packet brings the colors of a palette"
    if packet.pts is None and shown:
        return "a packet has no presentation time"
    if is_packed(codec, packet):
        return _PACKED
    if is_empty(codec, packet):
        return "a packet holds no picture"
    return None


def read_again(
    path: Path | str, table: PacketTable, heartbeat: Heartbeat | None
) -> Generator[tuple[int, Packet], None, None]:
    """The packets of `table` once more, numbered: from memory, or from the file.

    Raises:
        VideoError: the file cannot be opened any more.
    """
    if table.packets is not None:
        yield from enumerate(table.packets)
        return
    with opened(path) as (again, its_stream), closing(demuxed(again, its_stream)) as packets:
        for number in range(len(table.pts)):
            try:
                packet = next(packets, None)
            except av.FFmpegError:  # the first pass has reported it
                return
            if packet is None:
                return
            if heartbeat is not None:
                heartbeat()
            yield number, packet
