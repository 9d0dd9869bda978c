"""Whether the frames that come out of a run of packets are those that the packets announced."""

from collections import deque

from av.video.frame import PictureType, VideoFrame

from refocus.video.track import PacketTable

NOT_DECODED = "a packet's frame does not come out"


class RunCheck:
    """Checks the frames of a run one by one, in the order in which they come out of the decoder.

    While FFmpeg discards, packets may give no frame. While it does not, each must give its own: interlaced video with a
    packet for each field does not pass. Frames that are presented before the run's first one (open GOP) may lack what
    they are predicted from, and need not come out.
    """

    def __init__(self, table: PacketTable, run: range, discarding: bool) -> None:
        self.first = table.presented_from(run.start)
        self.at_packet_0 = run.start == 0
        self.discarding = discarding
        self.expected = deque(sorted(table.pts[number] for number in run if table.shown[number]))
        self.begun = False
        self.clean = False  # the run began with its first packet's own frame, a key frame

    def doubt(self, frame: VideoFrame) -> str | None:
        """Why this frame cannot be trusted, or None."""
        if frame.pts is None:
            return "a frame has no presentation time"
        if self.discarding and frame.interlaced_frame:
            return "interlaced frames may come in two packets each"
        if not self.begun and frame.pts >= self.first:
            self.begun = True
            self.clean = frame.pts == self.first and frame.key_frame and frame.pict_type == PictureType.I
            if not self.clean and not self.at_packet_0:
                return "decoding does not begin with a key frame"
        while self.expected and self.expected[0] < frame.pts:
            if not self.discarding and self.expected[0] >= self.first:
                return NOT_DECODED
            self.expected.popleft()
        if not self.expected or self.expected.popleft() != frame.pts:
            return "a frame does not come out at its packet's time"
        return None

    def doubt_at_end(self, missing: bool) -> str | None:
        """Why the run cannot be trusted after its last frame, or None; `missing`: a wanted frame did not come out."""
        left = not self.discarding and any(pts >= self.first for pts in self.expected)
        return NOT_DECODED if missing or left else None
