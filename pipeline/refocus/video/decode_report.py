"""What went wrong while a file was read and decoded."""

from dataclasses import dataclass, field

SLACK_S = 0.5  # a stream may end this much before its header says without being called truncated


@dataclass
class DecodeReport:
    """What went wrong while a file was read and how much was decoded for it, filled in as it is walked."""

    damaged: int = 0  # packets the decoder complained about
    corrupt: int = 0  # frames it marked as damaged
    misplaced: int = 0  # frames that came out behind later ones and were left out
    ended_s: float = 0.0  # when the last frame that was seen leaves the screen
    expected_s: float | None = None  # the last moment for which a frame was asked
    notes: list[str] = field(default_factory=list)
    decoded: int = 0  # packets given to the decoder
    packets: int = 0  # packets read
    in_order: str | None = None  # why frames were decoded one after the other, if they were

    def problem(self) -> str | None:
        """Why the frames are not all there or not all whole, or None."""
        notes = list(self.notes)
        if self.damaged or self.corrupt:
            notes.append(f"{max(self.damaged, self.corrupt)} damaged packets")
        if self.misplaced:
            notes.append(f"{self.misplaced} frames out of order")
        if self.expected_s is not None and self.ended_s + SLACK_S < self.expected_s:
            notes.append(f"the video ends at {self.ended_s:.2f} s, wanted up to {self.expected_s:.2f} s")
        return "; ".join(notes) or None
