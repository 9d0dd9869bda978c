"""One pass over a file's packets: when each is shown, what the others need of it, errors of its container."""

import itertools
import math
from array import array
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
from av.container import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from refocus.video.ffmpeg_log import FfmpegLog
from refocus.video.packets import Role, reader, role
from refocus.video.probe import VideoError, opened, origin, rate_of

Heartbeat = Callable[[], None]
KEPT_BYTES = 256 << 20  # packets stay in memory up to this, else the file is read twice
KEPT_PACKETS = 1 << 13  # each costs about a kilobyte beside its content
FAULTS = 64  # failed reads in a row that end the pass
FRAME_S = 0.5  # how long a frame is shown where nothing says it
HOLE_S = 1.0  # in a damaged file, a frame that stays this long may stand for lost ones
ABSENT = -(1 << 62)


@dataclass
class PacketTable:
    """The packets of a video stream in decoding order, up to where the pass ended."""

    time_base: Fraction
    start: Fraction  # seconds of the container's clock that count as 0
    frame_s: float  # how long a frame is shown where its packet does not say
    pts: array = field(default_factory=lambda: array("q"))
    roles: list[Role] = field(default_factory=list)
    end_s: float = 0.0  # when the last packet's picture leaves the screen
    packets: list[Packet] | None = field(default_factory=list)  # None: too much to keep
    in_order: str | None = None  # why the packets must be decoded one after the other
    whole: bool = False  # the pass came to the end of the file
    damaged: int = 0  # times the container complained
    stopped: str | None = None  # why reading ended early

    def time_s(self, pts: int) -> float:
        """Seconds from the first frame."""
        return float(pts * self.time_base - self.start)

    def holes(self) -> list[str]:
        """Where nothing is shown for long, in words."""
        shown = sorted(pts for pts, role in zip(self.pts, self.roles, strict=True) if role.shown and pts != ABSENT)
        least = max(HOLE_S, 10 * self.frame_s) / self.time_base
        gaps = [(one, other) for one, other in itertools.pairwise(shown) if other - one > least]
        return [f"nothing from {self.time_s(one):.2f} to {self.time_s(other):.2f} s" for one, other in gaps[:3]]


def read_packets(
    container: InputContainer, stream: VideoStream, enough_s: float, beat: Heartbeat | None
) -> PacketTable:
    """Reads packets until the next ones are decoded, and so shown, later than `enough_s` seconds.

    Raises:
        VideoError: the stream has no clock for its times.
    """
    if stream.time_base is None:
        raise VideoError(f"{container.name}: its video stream has no time base")
    rate = rate_of(stream)
    track = PacketTable(stream.time_base, origin(stream), 1.0 / rate if rate > 0 else FRAME_S)
    read = reader(stream.codec_context.name, stream.codec_context.extradata)
    if read is None:
        track.in_order = f"{stream.codec_context.name} is decoded in order"
    beyond = math.ceil((Fraction(enough_s) + track.start) / track.time_base)
    usual = round(track.frame_s / track.time_base)
    kept = 0
    end = ABSENT
    with FfmpegLog() as complaints, closing(demuxed(container, stream)) as packets:
        while True:
            try:
                packet = next(packets, None)
            except av.FFmpegError as error:
                track.stopped = f"reading stopped: {error.strerror}"
                break
            if packet is None:
                track.whole = True
                break
            if packet.dts is not None and packet.dts > beyond and end > beyond:
                break
            if beat is not None:
                beat()
            found = _role(packet, read, track)
            track.roles.append(found)
            track.pts.append(ABSENT if packet.pts is None else packet.pts)
            if packet.pts is not None and not packet.is_discard:
                end = max(end, packet.pts + (packet.duration or usual))
            kept += packet.size
            if track.packets is not None:
                track.packets.append(packet)
                if kept > KEPT_BYTES or len(track.packets) > KEPT_PACKETS:
                    track.packets = None
        track.damaged = complaints.taken()
    if end != ABSENT:
        track.end_s = track.time_s(end)
    return track


def _role(packet: Packet, read: Callable[[Packet], Role | None] | None, track: PacketTable) -> Role:
    """The packet's role; what makes a plan impossible is noted."""
    if packet.size == 0:
        return role(reference=False, shown=False)
    found = read(packet) if read is not None and track.in_order is None else role()
    if found is None:
        track.in_order, found = "a packet is not one whole frame", role()
    if packet.is_keyframe and packet.has_sidedata("new_extradata"):
        track.in_order = "the decoder's configuration changes"
    if packet.is_discard:
        return role(found.restart, found.reference, found.level, found.leading, False)
    if packet.pts is None and found.shown:
        track.in_order = track.in_order or "a packet has no presentation time"
    return found


def demuxed(container: InputContainer, stream: VideoStream) -> Generator[Packet, None, None]:
    """The stream's packets, without the empty one that PyAV appends; reading goes on behind what cannot be read.

    Raises:
        av.FFmpegError: nothing more can be read.
    """
    faults = 0
    while True:
        try:
            for packet in container.demux(stream):
                faults = 0
                if packet.size or packet.dts is not None:
                    yield packet
            return
        except (av.FFmpegError, IndexError) as error:  # PyAV raises the latter when a stream turns up late
            faults += 1
            if faults == FAULTS and isinstance(error, av.FFmpegError):
                raise
            if faults > FAULTS:
                return


def refed(
    path: Path | str, container: InputContainer, stream: VideoStream, track: PacketTable, beat: Heartbeat | None
) -> Generator[tuple[int, Packet], None, None]:
    """The packets of `track` again, numbered: from memory, or from the file."""
    if track.packets is not None:
        yield from enumerate(track.packets)
        return
    with opened(path) as (again, its_stream), closing(demuxed(again, its_stream)) as packets:
        for number in range(len(track.roles)):
            try:
                packet = next(packets, None)
            except av.FFmpegError:  # the first pass has reported it
                return
            if packet is None:
                return
            if beat is not None:
                beat()
            yield number, packet
