"""Which packets to send to the decoder for some frames: whole GOPs are skipped, the others end with a wanted frame.

A GOP goes from one clean start to the next. A frame that is shown before its GOP's first one (open GOP) is predicted
from the GOP before as well, so the two are sent in one run. Within a run FFmpeg discards what no frame needs.
"""

import bisect
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from refocus.video.frame_plan import ROUNDING_S
from refocus.video.track import PacketTable


@dataclass(frozen=True)
class WantedFrame:
    """A frame to show, its packet, and the wanted times (indices into the request) at which it is on screen."""

    packet: int
    source_frame: int  # 0-based, in presentation order
    time_s: float
    times: tuple[int, ...]


def shown_at(table: PacketTable, times_s: Sequence[float], slack_s: float) -> list[WantedFrame] | None:
    """The frames on screen at increasing times, in presentation order, by the packets' times alone.

    A time before the first frame gets the first one, a time more than `slack_s` behind the last frame's end none.

    Returns:
        None if two packets claim the same time.
    """
    order = sorted((number for number, shown in enumerate(table.shown) if shown), key=table.pts.__getitem__)
    if len({table.pts[number] for number in order}) < len(order):
        return None

    def start(number: int) -> float:
        return table.time_s(table.pts[number])

    found: dict[int, list[int]] = {}
    for index, time_s in enumerate(times_s):
        if order and time_s < table.end_s + slack_s:
            place = bisect.bisect_right(order, time_s + ROUNDING_S, key=start) - 1
            found.setdefault(max(0, place), []).append(index)
    return [WantedFrame(order[place], place, start(order[place]), tuple(times)) for place, times in found.items()]


def runs(starts: Sequence[bool], pts: Sequence[int], wanted: Collection[int]) -> list[range]:
    """The ranges of packets to send for the wanted ones, each from a clean start or from packet 0.

    Args:
        starts: of every packet in decoding order, whether decoding may begin at it.
        pts: its presentation time.
        wanted: numbers of the packets whose frames are wanted.
    Returns:
        ranges of packet numbers, increasing, without overlap.
    """
    begins = [number for number, clean in enumerate(starts) if clean or number == 0]
    found: list[range] = []
    for number in sorted(wanted):
        gop = bisect.bisect_right(begins, number) - 1
        if gop and pts[number] < pts[begins[gop]]:
            gop -= 1
        first = begins[gop]
        while found and first < found[-1].stop:
            first = min(first, found.pop().start)
        found.append(range(first, number + 1))
    return found
