"""Which VP9 packets no other needs: half of a call's with layers in time, none of most other streams.

A frame leaves more behind than the reference slots that it refreshes: probabilities, motion vectors, segments, deltas
of the loop filter. A key frame and one that is error resilient begin without all of these (VP9 specification 7.2,
setup_past_independence). So what refreshes no slot, and is followed by such a frame, is needed by none.
FFmpeg's decoder does not discard, whatever `skip_frame` says.
"""

from refocus.video.bits import Bits

_FRAME_MARKER = 2
_SUPERFRAME = 0b110  # the upper bits of the last byte of a packet with several frames


class Vp9Packets:
    """Says of every packet, in decoding order, whether the one before it is of no use to others."""

    def __init__(self) -> None:
        self._leaves_nothing = False  # the packet before refreshes no slot

    def frees_previous(self, data: bytes) -> bool:
        """Whether the packet before may be left out, now that this one is known; False where that is not certain."""
        try:
            refreshes, independent = _header(Bits(data[:4]))
        except ValueError:
            refreshes, independent = True, False
        freed = self._leaves_nothing and independent
        self._leaves_nothing = not refreshes and data[-1] >> 5 != _SUPERFRAME
        return freed


def _header(bits: Bits) -> tuple[bool, bool]:
    """Whether a frame refreshes a reference slot, and whether it depends on pixels alone (specification 6.2)."""
    if bits.read(2) != _FRAME_MARKER:
        raise ValueError("no VP9 frame")
    if bits.read(1) + 2 * bits.read(1) == 3:  # profile
        bits.read(1)
    if bits.read(1):  # show_existing_frame
        return True, False
    if not bits.read(1):  # a key frame
        return True, True
    shown, resilient = bits.read(1), bits.read(1)
    intra_only = not shown and bits.read(1)
    if not resilient:
        bits.read(2)  # reset_frame_context
    return bool(intra_only) or bits.read(8) != 0, bool(resilient)
