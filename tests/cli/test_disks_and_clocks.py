"""What a disk and a clock do to the stages: full, read-only, inputs gone in mid-run, inputs dated in the future.

Each time the command ends with one line that says what to do, and the same command then gives the bytes that it gives
where nothing happens.
"""

import errno
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from refocus.cli.main import main
from refocus.core.disk import refusal
from refocus.evaluate import answering
from refocus.frames import build_shard
from refocus.frames.decode_clip import decode_clip
from refocus.frames.frame_store import FrameStore

from tests.support.reliability import ALL, READING
from tests.support.stages_by_hand import STAGES, assert_as_expected, words
from tests.support.tiny_training import build_trainer

DISK_MB = 8
IN_TEN_YEARS = time.time() + 10 * 365 * 86400


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A small disk of its own."""
    folder = tmp_path_factory.mktemp("disk")
    size = f"size={DISK_MB}m"
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", size, "tmpfs", folder], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"no disk can be mounted here: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", folder], check=True)


def fill(disk: Path, room: int) -> Path:
    """Leaves so many bytes; gives the file that takes the rest."""
    filler = disk / "filler"
    left = os.statvfs(disk)
    filler.write_bytes(bytes(max(0, left.f_bavail * left.f_frsize - room)))
    return filler


def ends_with_a_line(stage: str, caplog: pytest.LogCaptureFixture, status: int, *says: str) -> None:
    """The command has failed, and said why and what to do in a line of its own."""
    assert status == 1, f"{stage}: {status}\n{caplog.text}"
    lines = [record.getMessage() for record in caplog.records if record.getMessage().startswith("error: ")]
    assert len(lines) == 1 and "Traceback" not in caplog.text, caplog.text
    assert all(text in lines[0] for text in says), lines[0]
    caplog.clear()


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.fault("full disk", ALL, "one line names the file; after making room the bytes are the same")
def test_a_full_disk_is_said_and_after_making_room_the_bytes_are_the_same(inputs, disk, caplog, stage):
    written = [path.stat().st_size for path in (inputs.home / "expected" / stage).rglob("*") if path.is_file()]
    for room in (0, sum(written) // 2):
        filler = fill(disk, room)
        ends_with_a_line(stage, caplog, main(words(stage, inputs.home, disk)), "No space left on device", "make room")
        filler.unlink()
    assert main(words(stage, inputs.home, disk)) == 0
    assert_as_expected(stage, inputs.home, disk)
    shutil.rmtree(disk / stage)


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.fault("read-only folder", ALL, "one line names the file; once it can be written the bytes are the same")
def test_a_read_only_folder_is_said_and_afterwards_the_bytes_are_the_same(inputs, disk, caplog, stage):
    (disk / stage).mkdir(exist_ok=True)
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    try:
        status = main(words(stage, inputs.home, disk))
    finally:
        subprocess.run(["mount", "-o", "remount,rw", disk], check=True)
    ends_with_a_line(stage, caplog, status, "Read-only file system", "run again")
    assert main(words(stage, inputs.home, disk)) == 0
    assert_as_expected(stage, inputs.home, disk)
    shutil.rmtree(disk / stage)


@pytest.mark.fault("full disk", "train", "checkpoints so far are kept; after making room the weights are the same")
def test_training_on_a_full_disk_goes_on_after_making_room(disk, tmp_path):
    build_trainer(tmp_path).run()
    checkpoint = sum(path.stat().st_size for path in next((tmp_path / "work").glob("step-*")).iterdir())
    filler = fill(disk, 2 * checkpoint)
    with pytest.raises(Exception, match=r"No space left|os error 28") as told:
        build_trainer(disk).run()
    assert refusal(told.value) == errno.ENOSPC
    filler.unlink()
    build_trainer(disk).run()
    weights = Path("out", "policy", "model.safetensors")
    assert (disk / weights).read_bytes() == (tmp_path / weights).read_bytes()
    shutil.rmtree(disk / "work")
    shutil.rmtree(disk / "out")


@pytest.mark.fault("read-only folder", "train", "said; once it can be written the weights are the same")
def test_training_in_a_read_only_folder_goes_on_once_it_can_be_written(disk, tmp_path):
    build_trainer(tmp_path).run()
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    try:
        with pytest.raises(Exception, match=r"Read-only|os error 30") as told:
            build_trainer(disk).run()
    finally:
        subprocess.run(["mount", "-o", "remount,rw", disk], check=True)
    assert refusal(told.value) == errno.EROFS
    build_trainer(disk).run()
    weights = Path("out", "policy", "model.safetensors")
    assert (disk / weights).read_bytes() == (tmp_path / weights).read_bytes()
    shutil.rmtree(disk / "work")
    shutil.rmtree(disk / "out")


@pytest.mark.parametrize("stage", sorted(set(STAGES) - {"world"}))
@pytest.mark.fault("input missing or unreadable", READING, "a file or folder that is not there is named")
def test_every_input_that_is_not_there_is_named(inputs, tmp_path, caplog, stage):
    """Each in turn. Picking does without the videos, whose frames are stored, and warns of each."""
    said = words(stage, inputs.home, tmp_path)
    places = [place for place, word in enumerate(said) if word.startswith(str(inputs.home)) and Path(word).exists()]
    assert places
    for place in places:
        lost = Path(said[place]).parent / "lost" / Path(said[place]).name
        caplog.clear()
        status = main([*said[:place], str(lost), *said[place + 1 :]])
        done_without = stage == "select" and said[place - 1] == "--videos"
        level, statuses = ("WARNING", (0,)) if done_without else ("ERROR", (1, 2))
        lines = [record.getMessage() for record in caplog.records if record.levelname == level]
        assert status in statuses and lines and all(str(lost) in line for line in lines), (said[place], status, lines)


@pytest.mark.fault("clock wrong", READING, "inputs dated ten years ahead give the same bytes")
def test_inputs_dated_in_the_future_change_nothing(inputs, tmp_path):
    for path in inputs.home.rglob("*"):
        os.utime(path, (IN_TEN_YEARS, IN_TEN_YEARS))
    for stage in set(STAGES) - {"world"}:
        assert main(words(stage, inputs.home, tmp_path)) == 0
        assert_as_expected(stage, inputs.home, tmp_path)


@pytest.mark.fault(
    "input removed in mid-run", "decode", "a row with its reason, as for any lost video; the next run decodes it"
)
def test_a_video_that_goes_while_its_shard_is_decoded(inputs, tmp_path, monkeypatch, caplog):
    away = tmp_path / "away.mp4"

    def run_jobs(work, jobs, *_):
        for place, job in enumerate(jobs):
            if place == 1:
                shutil.move(job.video, away)
            yield place, decode_clip(job, lambda: None)

    monkeypatch.setattr(build_shard, "run_jobs", run_jobs)
    assert main(words("decode", inputs.home, tmp_path)) == 0
    assert "long.mp4: no such file" in caplog.text
    monkeypatch.undo()
    shutil.move(away, inputs.videos / "long.mp4")
    assert main(words("decode", inputs.home, tmp_path)) == 0
    assert_as_expected("decode", inputs.home, tmp_path)


@pytest.mark.fault(
    "input removed in mid-run", "reward", "the missing shard is named with what to do; finished clips are kept"
)
def test_a_shard_that_goes_while_it_is_scored(inputs, tmp_path, monkeypatch, caplog):
    tar, away, read = inputs.index.with_name("000000.tar"), tmp_path / "away.tar", FrameStore.images

    def lose(*args):
        images = read(*args)
        shutil.move(tar, away)
        return images

    monkeypatch.setattr(FrameStore, "images", lose)
    ends_with_a_line("reward", caplog, main(words("reward", inputs.home, tmp_path)), "is missing", "run decode again")
    monkeypatch.undo()
    assert len(list((tmp_path / "reward" / "store").iterdir())) == 1
    shutil.move(away, tar)
    assert main(words("reward", inputs.home, tmp_path)) == 0
    assert_as_expected("reward", inputs.home, tmp_path)


@pytest.mark.fault(
    "input removed in mid-run", "answer", "more videos lost than are tolerated: status 1, and no table is written"
)
def test_a_video_that_goes_while_questions_are_answered(inputs, tmp_path, monkeypatch, caplog):
    video, away, ask = inputs.videos / "even.mp4", tmp_path / "away.mp4", answering.native_frames

    def lose(*args):
        shutil.move(video, away)
        return ask(*args)

    monkeypatch.setattr(answering, "native_frames", lose)
    ends_with_a_line("answer", caplog, main(words("answer", inputs.home, tmp_path)), "1 of 2")
    assert not list((tmp_path / "answer").rglob("*.parquet"))
    monkeypatch.undo()
    shutil.move(away, video)
    assert main(words("answer", inputs.home, tmp_path)) == 0
    assert_as_expected("answer", inputs.home, tmp_path)
