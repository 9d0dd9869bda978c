"""The videos that `frames: video` stores."""

import io
import subprocess
import sys

import av
import numpy as np
import pytest
from refocus.frames.encoding import spans
from refocus.frames.h264 import H264Error, H264Reader, H264Writer, annex_b

SIZE, GOP = 48, 5


def scene(index):
    """A bright square that moves over a gradient."""
    image = np.tile(np.linspace(0, 120, SIZE)[:, None, None], (1, SIZE, 3)).astype(np.uint8)
    image[10:22, index : index + 12] = (230, 180 - 4 * index, 40)
    return image


def video_file(count, fps=4.0, crf=8, gop=GOP):
    writer = H264Writer(fps, crf, gop)
    for index in range(count):
        writer.add(scene(index))
    return writer.finish()


def read(data, offsets, sizes, frame):
    """One frame through its own range, and nothing else of the video."""
    group = [k for k in range(len(offsets)) if offsets[k] == offsets[frame]]
    part = data[offsets[frame] : offsets[frame] + sizes[frame]]
    return next(H264Reader().frames(part, [sizes[k] for k in group], [group.index(frame)]))


@pytest.mark.parametrize("count", [1, 4, 5, 6, 23])
def test_every_frame_is_decoded_from_its_own_range(count):
    """The range alone gives the frame that a player of the whole video shows at that place."""
    data, offsets, sizes = video_file(count)
    assert len(offsets) == len(sizes) == count
    assert len(set(offsets)) == -(-count // GOP)
    with av.open(io.BytesIO(data)) as container:
        played = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert len(played) == count
    for index in range(count):
        image = read(data, offsets, sizes, index)
        assert np.abs(image.astype(int) - played[index]).mean() < 2  # players spread the chroma in other ways
        assert np.abs(image.astype(int) - scene(index)).mean() < 4


def test_greys_come_back_without_bias():
    """No conversion on the way adds or takes a level."""
    ramp = np.repeat(np.repeat(np.tile(np.arange(256, dtype=np.uint8)[None, :, None], (16, 1, 3)), 2, 0), 2, 1)
    writer = H264Writer(4.0, 0, GOP)
    writer.add(ramp)
    error = read(*writer.finish(), 0).astype(int) - ramp
    assert abs(error.mean()) < 0.02
    assert np.abs(error).max() <= 1


def test_colours_are_those_of_the_frame():
    """Full-range BT.601 in and out, and a player is told so."""
    for colour in [(0, 0, 0), (255, 255, 255), (255, 0, 0), (0, 255, 0), (10, 20, 250)]:
        writer = H264Writer(4.0, 4, GOP)
        writer.add(np.full((32, 32, 3), colour, np.uint8))
        data, offsets, sizes = writer.finish()
        assert np.abs(read(data, offsets, sizes, 0).astype(int) - colour).max() <= 4
        with av.open(io.BytesIO(data)) as container:
            frame = next(container.decode(video=0))
            assert np.abs(frame.to_ndarray(format="rgb24").astype(int) - colour).max() <= 4


def test_the_same_frames_give_the_same_bytes():
    """In another process as well, and whatever the memory held before."""
    code = "import sys; from tests.frames.test_h264 import video_file; sys.stdout.buffer.write(video_file(12)[0])"
    video_files = {subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout}
    random, used = np.random.default_rng(0), []
    for _ in range(200):
        used = [*used[-20:], np.full(random.integers(1, 300_000), random.integers(0, 255), np.uint8)]
        video_files.add(video_file(12)[0])
    assert len(video_files) == 1


def test_fractional_rates_are_kept():
    with av.open(io.BytesIO(video_file(12, fps=2.5)[0])) as container:
        assert float(container.streams.video[0].average_rate) == 2.5


def test_damaged_bytes_are_told_and_never_decoded_to_less():
    """A range with a hole, a shift or a missing end raises."""
    data, offsets, sizes = video_file(GOP)
    part = bytearray(data[offsets[-1] : offsets[-1] + sizes[-1]])
    for damaged in (bytes(len(part)), bytes(part[3:]) + b"abc", bytes(part[: sizes[1]]) + bytes(len(part) - sizes[1])):
        with pytest.raises(H264Error):
            list(H264Reader().frames(damaged, sizes, range(GOP)))
    with pytest.raises(H264Error):
        annex_b(b"\0\0\0\5abc")


def test_spans_read_each_group_once_and_no_further_than_needed():
    """Frames of the same group share one read, which ends with the last of them."""
    offsets, sizes = [0, 0, 0, 90, 90, 90], [30, 50, 80, 20, 40, 60]
    assert list(spans(offsets, sizes, [0, 1, 4])) == [((0, 50), [0, 1]), ((90, 40), [4])]
    assert list(spans(offsets, sizes, [5])) == [((90, 60), [5])]
    assert list(spans([7, 9], [2, 3], [0, 1])) == [((7, 2), [0]), ((9, 3), [1])]
    assert list(spans(offsets, sizes, [])) == []
