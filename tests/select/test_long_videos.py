"""A long file needs room for its candidates, not for its length."""

import os
import subprocess
import sys

import pytest

pytest.importorskip("torch")

from tests.support.grey_video import write_greys

PICK = """
import re, sys
from pathlib import Path
from refocus import FrameSelector
picks = FrameSelector.from_pretrained(sys.argv[1]).select(sys.argv[2], "what color is the circle?")
assert len(picks.timestamps_s) == 4 and max(picks.timestamps_s) > 3600, picks
print(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1])
"""


@pytest.mark.slow
def test_three_hours_are_picked_from_in_a_gigabyte(repository, tmp_path):
    """512 candidates of 384 x 384 are 226 MB; the rest is torch and the tiny model.

    `getrusage` would count the tests' own memory, which a process has until it becomes another program.
    """
    video = write_greys(tmp_path / "long.mp4", range(10800), rate=1)
    command = [sys.executable, "-c", PICK, str(repository / "assets/selector"), str(video)]
    done = subprocess.run(command, env=dict(os.environ), capture_output=True, text=True, check=True)
    assert int(done.stdout) < 1_000_000  # kilobytes
