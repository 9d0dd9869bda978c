"""What has to be decoded for a frame, from libavcodec's own parsers and the definition alone."""

from dataclasses import dataclass, field
from pathlib import Path

import av
from av.bitstream import BitStreamFilterContext
from av.video.frame import PictureType


@dataclass
class Packets:
    """A stream's packets by their presentation times, in the order in which they are stored."""

    order: list[int] = field(default_factory=list)
    keys: set[int] = field(default_factory=set)  # those the container calls key frames
    unused: set[int] = field(default_factory=set)  # H.264, HEVC, MPEG: those no other is predicted from


def packets_of(path: Path) -> Packets:
    """Reads a file with a key frame at every clean start."""
    found = Packets()
    with av.open(str(path)) as container:
        stream = max(container.streams.video, key=lambda one: one.width * one.height)
        if stream.codec_context.name.startswith("mpeg"):
            found.unused = {frame.pts for frame in container.decode(stream) if frame.pict_type == PictureType.B}
    with av.open(str(path)) as container:
        stream = max(container.streams.video, key=lambda one: one.width * one.height)
        nal = stream.codec_context.name in ("h264", "hevc")
        nonref = BitStreamFilterContext("filter_units=discard=nonref", stream) if nal else None
        for packet in container.demux(stream):
            if not packet.size:
                continue
            pts, size = packet.pts, packet.size
            found.order.append(pts)
            if packet.is_keyframe:
                found.keys.add(pts)
            if nonref and sum(left.size for left in nonref.filter(packet)) < size / 2:
                found.unused.add(pts)
    return found


def closure(packets: Packets, wanted: set[int], codec: str) -> set[int]:
    """Presentation times to decode: the wanted ones, and all that they may be predicted from.

    Those are the referenced packets between them and a clean start. What is shown before its key frame needs the GOP
    before as well (open GOP), and in HEVC is of use to its like alone.
    """
    order = packets.order
    places = {pts: place for place, pts in enumerate(order)}
    start_of, begun = [], 0
    for place in range(len(order)):
        begun = place if order[place] in packets.keys else begun
        start_of.append(begun)
    needed = set()
    for pts in wanted:
        place = places[pts]
        begin = own = start_of[place]
        if pts < order[own] and own:
            begin = start_of[own - 1]
        needed.add(pts)
        for other in range(begin, place):
            leads = order[other] < order[start_of[other]]
            together = start_of[other] == own and pts < order[own]
            if order[other] not in packets.unused and not (codec == "hevc" and leads and not together):
                needed.add(order[other])
    return needed
