"""Broken and odd files: none hangs, none ends without all its frames and without a reason."""

import time

import numpy as np
import pytest
from refocus.video.decode import DecodeReport, frames_shown, plan_clip
from refocus.video.probe import VideoError
from refocus.video.workers import LostJob, run_jobs

from tests.support.broken import CASES, WHOLE

KILL_S = 20.0
MEMORY_MB = 700


def take(path, beat):
    """(status, frames, wanted, reason) of a whole file at 4 fps, as a shard takes it."""
    health, images = DecodeReport(), []
    try:
        plan = plan_clip(path, 4.0, 512, None, None)
        for shown in frames_shown(path, plan.times_s, 64, health, beat):
            images.append(shown.image)
    except VideoError as error:
        return "failed", 0, 0, str(error)
    reason = health.problem()
    if not images:
        return "failed", 0, len(plan.times_s), reason or "no frames"
    assert np.stack(images).shape == (len(images), 64, 64, 3)
    return "partial" if reason else "ok", len(images), len(plan.times_s), reason


@pytest.fixture(scope="module")
def fates(tmp_path_factory):
    """What became of every file, decoded one after the other by one worker at a time."""
    paths = []
    for number, case in enumerate(CASES.values()):
        folder = tmp_path_factory.mktemp(f"case{number}")
        paths.append(case.make(folder))
    begin = time.monotonic()
    outcomes = [outcome for _, outcome in run_jobs(take, paths, 1, KILL_S, MEMORY_MB)]
    assert time.monotonic() - begin < 6 * KILL_S  # all of them together
    return {
        name: ("failed", 0, 0, outcome.reason) if isinstance(outcome, LostJob) else outcome
        for name, outcome in zip(CASES, outcomes, strict=True)
    }


@pytest.mark.parametrize("name", CASES)
def test_every_file_has_its_fate(fates, name):
    """Ok with everything, partial with what there is and why, failed and why; never silence."""
    status, frames, _, reason = fates[name]
    case = CASES[name]
    assert status in case.statuses, (status, frames, reason)
    assert case.frames[0] <= frames <= case.frames[1], (status, frames, reason)
    assert (reason is None) == (status == "ok")
    if status == "ok" and case.frames[1] == WHOLE:
        assert frames == WHOLE


def test_the_corpus_is_large():
    """At least 30 files, of which some are cut at five places."""
    assert len(CASES) >= 30
    assert sum("cut at" in name for name in CASES) >= 5
