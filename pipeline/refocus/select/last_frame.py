"""The clip's last frame among the picks, for benchmarks that show the question there (Video-MMMU)."""

from refocus.select.picks import Picks

LAST_FRAME = "last_frame"  # flag: the last frame stands in for the pick that came last


def with_last_frame(picks: Picks, n_frames: int) -> Picks:
    """The picks with the last of a clip's `n_frames` among them, and no more of them than before.

    Where the selector did not pick it, it takes the place of the pick that came last, with that one's score, and the
    row says so. Where nothing was picked, nothing is added.
    """
    last = n_frames - 1
    if not picks.order or last in picks.order:
        return picks
    return Picks((*picks.order[:-1], last), picks.score, (*picks.flags, LAST_FRAME))
