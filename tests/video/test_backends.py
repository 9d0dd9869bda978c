"""Decord beside PyAV: an independent decoder that sees the same frames, and never runs where it cannot be killed."""

import subprocess
import sys

import numpy as np
import pytest
from PIL import Image, ImageFilter
from refocus.video.decode import DecodeReport, frames_shown, plan_clip
from refocus.video.probe import VideoError, opened
from refocus.video.selective_decode import selective_decode
from refocus.video.track import Track
from refocus.video.workers import LostJob, run_jobs

from tests.support.videos import constant, moving, write_video

LEVELS = 4.0  # mean absolute difference of a frame, of 255, between two ways to scale and to spread chroma
VIDEOS = {
    "h264": ("libx264", {"x264-params": "open-gop=1:keyint=20:bframes=5:b-pyramid=normal"}),
    "hevc": ("libx265", {"x265-params": "log-level=none:pools=none:frame-threads=1:keyint=24"}),
    "mpeg4": ("mpeg4", {"g": "24", "bf": "2", "qscale": "3"}),
    "vp9": ("libvpx-vp9", {"g": "24", "deadline": "realtime", "cpu-used": "8"}),
}


@pytest.fixture(params=VIDEOS, scope="module")
def video_file(request, tmp_path_factory):
    codec, options = VIDEOS[request.param]
    blur = ImageFilter.GaussianBlur(3)
    pictures = [np.asarray(Image.fromarray(picture).filter(blur)) for picture in moving(90, (120, 160))]
    path = tmp_path_factory.mktemp("videos") / "a.mp4"
    return write_video(path, constant(3.0), (120, 160), pictures, codec=codec, options=options)


def take(job, heartbeat):
    """(source frames, timestamps, images, problem) of a file at 4 fps, 64 x 64."""
    path, backend, fit = job
    report, shown = DecodeReport(), []
    plan = plan_clip(path, 4.0, 512, None, None)
    for frame in frames_shown(path, plan.times_s, 64, report, heartbeat, fit, backend):
        shown.append(frame)
    images = np.stack([frame.image for frame in shown])
    return [frame.source_frame for frame in shown], [frame.timestamp_s for frame in shown], images, report.problem()


def all_by_decord(path, heartbeat):
    """Every frame as decord reads them one after the other, (n, H, W, 3)."""
    import decord

    video = decord.VideoReader(str(path), num_threads=1)
    return np.stack([video.next().asnumpy() for _ in range(len(video))])


def test_an_independent_decoder_sees_the_same_frames(video_file):
    """Decord, an FFmpeg of 2020, read from the first frame to the last, gives the same pixels, bit for bit."""
    ((_, whole),) = run_jobs(all_by_decord, [video_file], 1, 30)
    times = plan_clip(video_file, 4.0, 512, None, None).times_s
    with opened(video_file) as (container, stream):
        found = [
            (wanted.source_frame, frame.to_ndarray(format="rgb24"))
            for frame, wanted in selective_decode(Track(video_file, container, stream), times, DecodeReport(), None)
        ]
    assert len(found) == 12 or len(found) == 13
    for source_frame, picture in found:
        np.testing.assert_array_equal(picture, whole[source_frame])


def test_backends_agree(video_file):
    """Same frames, same times, pixels within a mean of 4 levels."""
    (_, ours), (_, theirs) = run_jobs(take, [(video_file, "pyav", "squash"), (video_file, "decord", "squash")], 1, 30)
    assert ours[3] is None and theirs[3] is None
    assert ours[0] == theirs[0]
    np.testing.assert_allclose(ours[1], theirs[1], atol=1e-3)
    assert np.abs(ours[2].astype(int) - theirs[2].astype(int)).mean(axis=(1, 2, 3)).max() < LEVELS
    neighbor = np.abs(ours[2][1:].astype(int) - theirs[2][:-1].astype(int)).mean(axis=(1, 2, 3))
    assert neighbor.min() > 2 * LEVELS  # another frame would not have passed


def test_decord_runs_in_workers_only(tmp_path):
    """In a process nobody watches it refuses; importing the decoder does not import it, nor torch."""
    path = write_video(tmp_path / "a.mp4", constant(1.0))
    with pytest.raises(VideoError, match="worker"):
        list(frames_shown(path, [0.0], None, DecodeReport(), backend="decord"))
    code = "import sys, refocus.video.decode; print({'decord', 'torch'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "set()"


def test_decord_that_hangs_costs_its_clip(tmp_path):
    """MPEG-TS makes decord hang; the worker is killed and the next clip is decoded."""
    stuck = write_video(tmp_path / "a.ts", constant(3.0), (120, 160), moving(90, (120, 160)))
    fine = write_video(tmp_path / "b.mp4", constant(1.0))
    results = dict(run_jobs(take, [(stuck, "decord", "squash"), (fine, "decord", "squash")], 1, 4.0))
    assert isinstance(results[0], LostJob) or results[0][3] is None
    assert results[1][0] == [0, 7, 15, 22]


@pytest.mark.parametrize("backend", ["pyav", "decord"])
def test_fit(tmp_path, backend):
    """Squash stretches, pad keeps the whole picture on black, crop keeps its middle; both backends alike."""
    picture = np.zeros((64, 128, 3), np.uint8)
    picture[:, :32], picture[:, 32:96], picture[:, 96:] = (200, 40, 40), (40, 200, 40), (40, 40, 200)
    path = write_video(tmp_path / "a.mp4", [0.0, 0.1], (64, 128), [picture] * 2, options={"crf": "1"})
    jobs = [(path, backend, fit) for fit in ("squash", "pad", "crop")]
    squash, pad, crop = (result[2][0] for _, result in run_jobs(take, jobs, 1, 30))

    def hue(image, row, column):
        return "rgb"[image[row, column].argmax()] if image[row, column].max() > 100 else "black"

    assert [hue(squash, 32, column) for column in (4, 32, 60)] == ["r", "g", "b"]
    assert [hue(squash, row, 32) for row in (2, 61)] == ["g", "g"]
    assert [hue(pad, 32, column) for column in (4, 32, 60)] == ["r", "g", "b"]
    assert [hue(pad, row, 32) for row in (2, 12, 20, 44, 52, 61)] == ["black", "black", "g", "g", "black", "black"]
    assert [hue(crop, row, column) for row in (2, 32, 61) for column in (4, 32, 60)] == ["g"] * 9
