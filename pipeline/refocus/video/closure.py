"""Which packets have to be decoded for some frames, and for nothing else.

A GOP goes from one packet where decoding may begin to the next. Within it, going backwards, a packet is kept if its
picture is wanted or if a kept picture may be predicted from it. A picture that is shown before the GOP's first one
(open GOP) is predicted from the GOP before as well, so the two are decoded in one run.
"""

import bisect
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from refocus.video.frame_plan import EPSILON_S
from refocus.video.packets import RADL, RASL, Role
from refocus.video.track import ABSENT, PacketTable

NOBODY = -1  # below every level


@dataclass(frozen=True)
class WantedFrame:
    """A frame to show, its packet, and the wanted times (indices into the request) at which it is on screen."""

    packet: int
    source_frame: int  # 0-based, in presentation order
    time_s: float
    times: tuple[int, ...]


def shown_at(track: PacketTable, times_s: Sequence[float], slack_s: float) -> list[WantedFrame] | None:
    """The frames on screen at increasing times, in presentation order, by the packets' times alone.

    A time before the first frame gets the first one, a time more than `slack_s` behind the last frame's end none.

    Returns:
        None if two packets claim the same time.
    """
    order = sorted((number for number, role in enumerate(track.roles) if role.shown), key=track.pts.__getitem__)
    if len({track.pts[number] for number in order}) < len(order):
        return None

    def start(number: int) -> float:
        return track.time_s(track.pts[number])

    found: dict[int, list[int]] = {}
    for index, time_s in enumerate(times_s):
        if order and time_s + EPSILON_S < track.end_s + slack_s:
            found.setdefault(max(0, bisect.bisect_right(order, time_s + EPSILON_S, key=start) - 1), []).append(index)
    return [WantedFrame(order[place], place, start(order[place]), tuple(times)) for place, times in found.items()]


def runs(roles: Sequence[Role], pts: Sequence[int], wanted: Collection[int]) -> list[list[int]]:
    """The dependency closure of the wanted packets.

    Args:
        roles, pts: of every packet, in decoding order.
        wanted: numbers of the packets whose pictures are wanted.
    Returns:
        packet numbers in decoding order, in runs that are each decoded from a clean start.
    """
    if not wanted:
        return []
    last = max(wanted)
    bounds = [number for number in range(last + 1) if roles[number].restart or number == 0] + [last + 1]
    wanted = frozenset(wanted)
    found: list[list[int]] = []
    reach = NOBODY  # the highest level that the GOP behind needs of this one
    for begin, end in zip(bounds[-2::-1], bounds[:0:-1], strict=True):
        joined = reach > NOBODY
        if not joined and not any(number in wanted for number in range(begin, end)):
            continue
        kept, reach = _kept(roles, pts, wanted, range(begin, end), reach)
        if joined:
            kept += found.pop()
        found.append(kept)
    return found[::-1]


def _kept(
    roles: Sequence[Role], pts: Sequence[int], wanted: Collection[int], gop: range, reach: int
) -> tuple[list[int], int]:
    """The packets of one GOP to decode, and the highest level it needs of the GOP before (NOBODY: self-contained)."""
    first = gop[0]
    kept: list[int] = []
    needed = {None: reach, RADL: NOBODY, RASL: NOBODY}  # the highest level of kept pictures that may use such a one
    back = NOBODY
    for number in reversed(gop):
        role = roles[number]
        need = needed[role.leading]
        if number not in wanted and not (role.level < need or (role.level == need and role.reference)):
            continue
        kept.append(number)
        for kind in needed:
            if kind is None or role.leading == RASL or kind == role.leading:
                needed[kind] = max(needed[kind], role.level)
        early = role.leading is None and number in wanted and ABSENT < pts[number] < pts[first]
        if role.leading == RASL or early:
            back = max(back, role.level)
    return kept[::-1], back
