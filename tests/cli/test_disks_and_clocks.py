"""What a disk and a clock do to the stages: full, read-only, inputs gone in mid-run, inputs dated in the future.

Each time the command ends with one line that says what to do, and the same command then gives the bytes that it gives
where nothing happens.
"""

import errno
import multiprocessing
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from refocus.cli.main import main
from refocus.core import files
from refocus.core.disk import refusal
from refocus.evaluate import answering
from refocus.frames import build_shard
from refocus.frames.decode_clip import decode_clip
from refocus.frames.frame_store import FrameStore

from tests.support.asked_videos import AskedVideos, build_asked_videos
from tests.support.reliability import ALL, READING
from tests.support.tiny_lmm import build_lmm
from tests.support.tiny_training import build_trainer

DISK_MB = 8
IN_TEN_YEARS = time.time() + 10 * 365 * 86400
LMM = ["--dtype", "float32", "--device", "cpu"]


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> AskedVideos:
    """A benchmark, its frames and an LMM; what undisturbed stages make of them lies in `expected`."""
    home = tmp_path_factory.mktemp("inputs")
    made = build_asked_videos(home, ("even.mp4", "long.mp4"))
    build_lmm(home / "lmm")
    for stage in STAGES:
        assert main(words(stage, home, home / "expected")) == 0, stage
    return made


def words(stage: str, home: Path, out: Path) -> list[str]:
    """The stage's command; what it reads of earlier stages is theirs in `expected`."""
    return [str(word) for word in [*STAGES[stage](home, home / "expected", out / stage)]]


STAGES = {
    "world": lambda home, done, out: [
        *(
            "world",
            "--settings",
            '{"training_videos": 2, "benchmark_videos": 4, "moments": 1, "sequences": 0}',
        ),
        *("--runtime", '{"workers": 1}', "--out", out),
    ],
    "ingest": lambda home, done, out: [
        *("ingest", "csv", "--annotations", home / "questions.csv", "--videos", home / "videos", "--name", "bench"),
        *("--out", out / "qa"),
    ],
    "screen": lambda home, done, out: ["screen", "duplicates", home / "qa" / "bench.parquet", "--out", out],
    "decode": lambda home, done, out: [
        *("decode", home / "qa" / "bench.clips.parquet", "--videos", home / "videos", "--out", out / "000000.tar"),
        *("--shard", 0, "--size", 32, "--workers", 1),
    ],
    "reward": lambda home, done, out: [
        *("reward", "--model", home / "lmm", *LMM, "--frames-per-subset", 2, "--index", home / "000000.index.parquet"),
        *("--qa", home / "qa" / "bench.parquet", "--out", out / "r.parquet", "--store", out / "store", "--readers", 1),
    ],
    "filter": lambda home, done, out: [
        *("filter", done / "reward" / "r.parquet", "--qa", home / "qa" / "bench.parquet", "--tau", 0, "--out", out),
    ],
    "select": lambda home, done, out: [
        *("select-benchmark", "--qa", home / "qa" / "bench.parquet", "--index", home / "000000.index.parquet"),
        *("--videos", home / "videos", "--selector", "uniform", "--n-frames", 2, "--out", out),
    ],
    "answer": lambda home, done, out: [
        *("answer", "--qa", home / "qa" / "bench.parquet", "--selections", done / "select", "--videos"),
        *(home / "videos", "--model", home / "lmm", "--lmm-settings", '{"dtype": "float32"}', "--device", "cpu"),
        *("--out", out / "lmm" / "uniform"),
    ],
    "tables": lambda home, done, out: [
        *("tables", "--qa", home / "qa" / "bench.parquet", "--answers", done / "answer", "--n-frames", 2, "--out", out),
    ],
}


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


def assert_as_expected(stage: str, home: Path, out: Path) -> None:
    """The same files with the same bytes, but for how long picking took."""
    expected, found = (
        {path.relative_to(folder / stage): path for path in (folder / stage).rglob("*") if path.is_file()}
        for folder in (home / "expected", out)
    )
    assert found.keys() == expected.keys(), stage
    differing = [name for name, path in expected.items() if path.read_bytes() != found[name].read_bytes()]
    assert [name for name in differing if name.name != "cost.json"] == [], stage


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


def killed_at(call: int, command: list[str]) -> None:
    """Runs a command that kills itself before the n-th file gets its name."""
    names, calls = files.replaced, 0

    def deadly(draft: Path, path: Path) -> None:
        nonlocal calls
        calls += 1
        if calls == call:
            os.kill(os.getpid(), signal.SIGKILL)
        names(draft, path)

    files.replaced = deadly
    main(command)


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.fault("killed", ALL, "what has its name is whole, and the next run gives the same bytes")
def test_killed_before_a_file_gets_its_name(inputs, tmp_path, stage):
    """The second file, where the stage names two."""
    call = 1 if stage in ("decode", "answer") else 2
    child = multiprocessing.get_context("fork").Process(
        target=killed_at, args=(call, words(stage, inputs.home, tmp_path))
    )
    child.start()
    child.join()
    assert child.exitcode == -signal.SIGKILL
    drafts = list((tmp_path / stage).rglob(".*"))
    for path in (tmp_path / stage).rglob("*"):
        if path.is_file() and path not in drafts and path.name != "cost.json":
            expected = inputs.home / "expected" / stage / path.relative_to(tmp_path / stage)
            assert path.read_bytes() == expected.read_bytes()
    assert main(words(stage, inputs.home, tmp_path)) == 0
    for path in drafts:
        path.unlink(missing_ok=True)
    assert_as_expected(stage, inputs.home, tmp_path)


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
