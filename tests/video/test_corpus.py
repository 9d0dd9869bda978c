"""Broken and odd files: none hangs, none ends without all its frames and without a reason; damage is not made worse."""

import resource
from dataclasses import dataclass
from unittest.mock import patch

import pytest
from refocus.video import track
from refocus.video.decode import DecodeReport, frames_shown, plan_clip
from refocus.video.probe import VideoError
from refocus.video.workers import LostJob, run_jobs

from tests.support.broken import CASES, WHOLE

pytestmark = pytest.mark.slow

KILL_S = 60.0
MEMORY_MB = 700


@dataclass(frozen=True)
class Fate:
    """What became of a file at 4 fps."""

    status: str
    wanted: int = 0
    reason: str | None = None
    frames: tuple[tuple[float, bytes], ...] = ()  # times and contents


def take(path, heartbeat):
    """A file's fate as a shard takes it, and when it is decoded from its first packet to its last."""
    selective = decoded(path, heartbeat)
    if path.name == "many.mp4":
        return selective, selective
    with patch.object(track, "SELECTIVE_CODECS", set()):
        return selective, decoded(path, heartbeat)


def decoded(path, heartbeat):
    """Its fate one way."""
    report, frames = DecodeReport(), []
    try:
        plan = plan_clip(path, 4.0, 512, None, None)
        for shown in frames_shown(path, plan.times_s, 64, report, heartbeat):
            assert shown.image.shape == (64, 64, 3)
            frames.append((shown.timestamp_s, shown.image.tobytes()))
    except VideoError as error:
        return Fate("failed", reason=str(error))
    reason = report.problem()
    if not frames:
        return Fate("failed", len(plan.times_s), reason or "no frames")
    return Fate("partial" if reason else "ok", len(plan.times_s), reason, tuple(frames))


@pytest.fixture(scope="module")
def fates(tmp_path_factory):
    """What became of every file, both ways, decoded one after the other by one worker at a time."""
    paths = []
    for number, case in enumerate(CASES.values()):
        folder = tmp_path_factory.mktemp(f"case{number}")
        paths.append(case.make(folder))
    begin = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    outcomes = [outcome for _, outcome in run_jobs(take, paths, 1, KILL_S, MEMORY_MB)]
    taken = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - begin
    assert taken < 2 * KILL_S, "seconds of a core, for all of them together"
    return {
        name: (Fate("failed", reason=outcome.reason),) * 2 if isinstance(outcome, LostJob) else outcome
        for name, outcome in zip(CASES, outcomes, strict=True)
    }


@pytest.mark.parametrize("name", CASES)
def test_every_file_has_its_fate(fates, name):
    """Ok with everything, partial with what there is and why, failed and why; never silence."""
    fate = fates[name][0]
    case = CASES[name]
    frames = len(fate.frames)
    assert fate.status in case.statuses, (fate.status, frames, fate.reason)
    assert case.frames[0] <= frames <= case.frames[1], (fate.status, frames, fate.reason)
    assert (fate.reason is None) == (fate.status == "ok")
    if fate.status == "ok" and case.frames[1] == WHOLE:
        assert frames == WHOLE


@pytest.mark.parametrize("name", CASES)
def test_damage_shows_as_in_a_decode_of_the_whole_file(fates, name):
    """The same frames at the same times, whole or not, under the same status."""
    selective, in_order = fates[name]
    assert selective.frames == in_order.frames
    assert selective.status == in_order.status


def test_the_corpus_is_large():
    """At least 30 files, of which some are cut at five places."""
    assert len(CASES) >= 30
    assert sum("cut at" in name for name in CASES) >= 5
