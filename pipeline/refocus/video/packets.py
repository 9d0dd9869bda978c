"""A stream's packets as everything here reads them: on one clock, beginning with the first frame that is presented."""

from collections.abc import Callable, Generator, Iterator, Sequence
from fractions import Fraction
from typing import NamedTuple

import av
from av.container import InputContainer
from av.packet import Packet
from av.stream import Stream
from av.video.stream import VideoStream

from refocus.video.starts import SELECTIVE_CODECS

MAX_FAILED_READS = 64  # in a row; then reading ends
Heartbeat = Callable[[], None]
NO_TIMESTAMPS, TS_DISCONT = 0x80, 0x200  # AVFMT_NOTIMESTAMPS, AVFMT_TS_DISCONT
JUMP_S = 10  # a clock that goes on later than this behind the packet before was set anew; ffmpeg's dts_delta_threshold
BACKWARD_S = 0.1  # as was one that goes back by more than this
WRAP_S = 108_000  # where a clock cannot be set anew, a step of more than 30 hours is none; ffmpeg's dts_error_threshold
HEAD_PACKETS = 1024  # among so many packets there is one whose frame can be shown, or there is none


def demuxed(
    container: InputContainer,
    stream: VideoStream,
    seen: Callable[[Packet], None] | None = None,
    others: bool = False,
    clock: "PacketClock | None" = None,
) -> Generator[Packet, None, None]:
    """The stream's packets; reading goes on behind what cannot be read.

    Where the format's clock may be set anew in the middle (transport streams), times go on as if it had not been; so
    they do in other formats where it makes a step that no video has.

    Args:
        seen: called with every packet that is read.
        others: packets of sound and of other videos are read too, if only for `seen`.
        clock: that of the file, where it may be set anew; tells afterwards what was met.
    Raises:
        av.FFmpegError: nothing more can be read.
    """
    clock = clock or PacketClock()
    jumps = clock_may_jump(container)
    streams = [stream, *(container.streams.audio if jumps else other_streams(container, stream) if others else ())]
    for packet in every_packet(container, streams):
        if jumps:
            clock.close(packet)
        elif packet.stream_index == stream.index:
            clock.bound(packet)
        if seen is not None:
            seen(packet)
        if packet.stream_index == stream.index:
            yield packet


def other_streams(container: InputContainer, stream: VideoStream) -> list[Stream]:
    """The sound and the other videos of a file: what its length may be that of."""
    videos = [one for one in container.streams.video if one.index != stream.index]
    return [*container.streams.audio, *videos]


def every_packet(container: InputContainer, streams: Sequence[Stream]) -> Generator[Packet, None, None]:
    """What is left of the packets of some streams, as stored, without the empty ones that PyAV appends.

    Raises:
        av.FFmpegError: nothing more can be read.
    """
    failed = 0
    while True:
        try:
            for packet in container.demux(streams):
                failed = 0
                if packet.size or packet.dts is not None:
                    yield packet
            return
        except (av.FFmpegError, IndexError) as error:  # PyAV raises the latter when a stream turns up late
            failed += 1
            if failed == MAX_FAILED_READS and isinstance(error, av.FFmpegError):
                raise
            if failed > MAX_FAILED_READS:
                return


def shortened(packet: Packet, size: int) -> Packet:
    """The first `size` bytes of a packet, with its times."""
    cut = Packet(bytes(packet)[:size])
    cut.pts, cut.dts, cut.duration, cut.time_base = packet.pts, packet.dts, packet.duration, packet.time_base
    cut.is_keyframe = packet.is_keyframe
    return cut


def clock_may_jump(container: InputContainer) -> bool:
    """Whether the container's format lets its clock be set anew in the middle."""
    return bool(container.format.flags & TS_DISCONT)


def without_a_container(container: InputContainer) -> bool:
    """Whether a file is a raw stream, or pictures one behind the other: its times are counted at a guessed rate."""
    return bool(container.format.flags & NO_TIMESTAMPS) or container.format.name.endswith("_pipe")


def rate_of(stream: VideoStream) -> float:
    """Average frames per second, 0 where unknown."""
    rate = stream.average_rate or stream.guessed_rate
    return float(rate) if rate else 0.0


class PacketClock:
    """Closes the discontinuities of a file's clock, by the rule of the ffmpeg program.

    All streams share the clock: the first that jumps sets it for the others. All times are seconds.
    """

    def __init__(self) -> None:
        self.shift = 0.0  # what is added
        self.latest: dict[int, float] = {}  # by stream: the last packet's decoding time
        self.due: dict[int, float] = {}  # by stream: that of the next one
        self.last: float | None = None  # the last packet's, of any stream
        self.unclear = False  # the clock went on to where a frame was to be shown, or made step after step
        self._taken: dict[
            int, list[float]
        ] = {}  # by stream: presentation times that were taken away since the last step
        self._stepped: set[int] = set()  # streams whose last packet came with a step forward
        self._before: int | None = None  # of the one stream that is bound: the last decoding time, ticks
        self._step = self._moved = self._most = 0  # its last step, what is added, and the longest step that may be

    def close(self, packet: Packet) -> None:
        """Moves a packet's times to where they belong; a presentation time that cannot be true is taken away."""
        if packet.dts is None or packet.time_base is None:
            return
        index, base = packet.stream_index, float(packet.time_base)
        if packet.pts is not None and abs(packet.pts - packet.dts) * base > JUMP_S:
            self._taken.setdefault(index, []).append(packet.pts * base)
            packet.pts = None
        time = packet.dts * base + self.shift
        due = self.due.get(index, self.last)
        if due is not None and (abs(time - due) > JUMP_S or time + BACKWARD_S < self.latest.get(index, time)):
            announced = any(abs(packet.dts * base - taken) < 1 for taken in self._taken.pop(index, ()))
            self.unclear = self.unclear or announced or (time > due and index in self._stepped)
            self._stepped.add(index)
            self.shift += due - time
            time = due
        else:
            self._stepped.discard(index)
        if ticks := round(self.shift / base):
            packet.dts += ticks
            packet.pts = None if packet.pts is None else packet.pts + ticks
        self.due[index] = time + (packet.duration * base if packet.duration else time - self.latest.get(index, time))
        self.last = self.latest[index] = time

    def bound(self, packet: Packet) -> None:
        """Moves a packet's times to where they belong, in a format whose clock is one: only what is days away is moved.

        Such a step is what FFmpeg makes of a clock that goes back where times have 32 bits (FLV): it takes it to wrap.
        """
        dts = packet.dts
        if dts is None or not packet.time_base:
            return
        if self._before is None:
            self._before, self._most = dts, int(WRAP_S / packet.time_base)
        step = dts - self._before
        if abs(step) > self._most:
            self._moved += self._step - step
        else:
            self._step = step
        self._before = dts
        if self._moved:
            packet.dts = dts + self._moved
            packet.pts = None if packet.pts is None else packet.pts + self._moved


class StreamHead(NamedTuple):
    """The beginning of a stream."""

    packets: list[Packet]  # those that were read to know
    start: Fraction  # seconds of the container's clock at which the first frame is presented


def read_head(packets: Iterator[Packet], stream: VideoStream) -> StreamHead:
    """Reads on until it is known when the first frame is presented.

    That need not be the first packet's: leading pictures are shown before it where they can be decoded, and a stream
    cut out of another one begins with packets that give no frame. So where there are such, the decoder is asked.

    Raises:
        av.FFmpegError: nothing can be read.
    """
    read: list[Packet] = []
    times: list[int] = []
    for packet in packets:
        read.append(packet)
        time = packet.dts if packet.pts is None else packet.pts
        if packet.size and not packet.is_discard and time is not None:
            times.append(time)
        passed = packet.dts is not None and times and packet.dts >= min(times)
        if passed or len(read) == HEAD_PACKETS:
            break
    begin = next((packet for packet in read if packet.size), None)
    if begin is None or not times or stream.time_base is None:
        return StreamHead(read, Fraction(0))
    leading = begin.pts is not None and any(time < begin.pts for time in times)
    timeless = begin.pts is None and begin.dts is None
    unknown = stream.codec_context.name not in SELECTIVE_CODECS  # also how far frames are moved, as of VVC in Matroska
    first = min(times)
    if leading or timeless or unknown or not begin.is_keyframe:
        shown = _first_frame(read, packets, stream)
        first = first if shown is None else shown
    return StreamHead(read, first * stream.time_base)


def _first_frame(read: list[Packet], packets: Iterator[Packet], stream: VideoStream) -> int | None:
    """The time of the first frame that comes out of the decoder; packets that are read for it are appended."""
    number = 0
    try:
        while number < HEAD_PACKETS:
            if number == len(read):
                following = next(packets, None)
                if following is None:
                    break
                read.append(following)
            packet = read[number]
            number += 1
            if packet.size and (time := _decoded_at(stream, packet)) is not None:
                return time
        return _decoded_at(stream, None)
    finally:
        stream.codec_context.flush_buffers()


def _decoded_at(stream: VideoStream, packet: Packet | None) -> int | None:
    """When the first frame is shown that comes out for a packet, None if none does."""
    try:
        frames = stream.decode(packet)
    except av.FFmpegError:
        return None
    return next((frame.dts if frame.pts is None else frame.pts for frame in frames), None)
