"""Which stream of a file is its video."""

import av
import numpy as np
from refocus.video.probe import probe


def two_videos(path, sizes, counts, marked):
    """Two videos in one file, with their sizes (height, width) and numbers of frames; one is marked as the default."""
    with av.open(str(path), "w") as container:
        streams = [container.add_stream("mpeg4", rate=25) for _ in sizes]
        for number, (stream, (height, width)) in enumerate(zip(streams, sizes, strict=True)):
            stream.height, stream.width, stream.pix_fmt = height, width, "yuv420p"
            stream.disposition = av.stream.Disposition.default if number == marked else av.stream.Disposition(0)
        for stream, (height, width), count in zip(streams, sizes, counts, strict=True):
            for _ in range(count):
                picture = av.VideoFrame.from_ndarray(np.zeros((height, width, 3), np.uint8), format="rgb24")
                container.mux(stream.encode(picture))
            container.mux(stream.encode(None))
    return path


def test_which_of_two_videos_is_the_video(tmp_path):
    """The one marked as the default, though it is smaller; the larger one; and a video rather than a larger picture."""
    large, small = (96, 128), (48, 64)
    for place, sizes, counts, marked, seen in (
        ("marked.mkv", (large, small), (10, 10), 1, small),
        ("larger.mkv", (small, large), (10, 10), None, large),
        ("picture.mp4", (large, small), (1, 10), 0, small),
    ):
        info = probe(two_videos(tmp_path / place, sizes, counts, marked))
        assert (info.height, info.width) == seen, place
