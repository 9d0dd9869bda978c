"""Memory of a decoding worker: 150 MB, and as much as the file has, up to 256 MB."""

from pathlib import Path

import numpy as np
import pytest
from refocus.video.decode import DecodeReport, frames_shown, plan_clip
from refocus.video.workers import run_jobs

from tests.support.videos import constant, moving, write_video


def peak(path, heartbeat):
    """(MB at most, frames) of a worker that takes a whole file."""
    plan = plan_clip(path, 4.0, 512, None, None)
    count = sum(1 for _ in frames_shown(path, plan.times_s, 384, DecodeReport(), heartbeat))
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024, count


@pytest.mark.parametrize("seconds", [2.0, 11.5])
def test_memory(tmp_path, seconds):
    """A file of some 55 MB is kept in memory, one of 316 MB read twice."""
    pictures = [np.kron(picture, np.ones((6, 6, 1), np.uint8)) for picture in moving(8, (80, 106))]
    times = constant(seconds)
    pictures = [pictures[index % 8] for index in range(len(times))]
    path = write_video(tmp_path / "a.nut", times, (480, 636), pictures, codec="rawvideo", pix_fmt="bgr24")
    size = path.stat().st_size / 2**20
    assert abs(size - 26.2 * seconds) < 5
    ((_, (most, count)),) = run_jobs(peak, [path], 1, 60)
    assert count == round(seconds * 4)
    assert most <= 150 + min(256, size)
