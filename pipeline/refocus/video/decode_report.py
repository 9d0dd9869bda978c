"""What went wrong while frames were decoded from a file, and what it took."""

from dataclasses import dataclass, field

SLACK_S = 0.5  # a stream may end this much before its header says without being called truncated


@dataclass
class DecodeReport:
    """Damage that was met in a file and how much of the file was decoded, filled in while its frames are taken."""

    damaged: int = 0  # packets for which FFmpeg logged an error
    corrupt: int = 0  # frames that FFmpeg marked as corrupt
    misplaced: int = 0  # frames that came out behind later ones and were left out
    went_back: int = 0  # frames with a presentation time before that of the frame before
    timeless: int = 0  # frames without a time whose place among the others is not known
    ended_s: float = 0.0  # when the last frame that was seen leaves the screen, seconds
    expected_s: float | None = None  # the last time for which a frame was asked, seconds
    notes: list[str] = field(default_factory=list)  # other reasons
    decoded: int = 0  # frames that came out of the decoder
    packets: int = 0  # packets that were read
    in_order: str | None = None  # why frames were decoded one after the other, if they were

    def problem(self) -> str | None:
        """Why the frames are not all there or not all whole, or None."""
        notes = list(self.notes)
        if self.damaged or self.corrupt:
            notes.append(f"{max(self.damaged, self.corrupt)} damaged packets")
        if self.misplaced:
            notes.append(f"{self.misplaced} frames out of order")
        if self.went_back:
            notes.append(f"presentation times go back {self.went_back} times")
        if self.timeless:
            notes.append(f"{self.timeless} frames have no time")
        if self.expected_s is not None and self.ended_s + SLACK_S < self.expected_s:
            notes.append(f"the video ends at {self.ended_s:.2f} s, wanted up to {self.expected_s:.2f} s")
        return "; ".join(notes) or None
