"""Runs that end before they are done: killed, or out of disk. What they leave is never mistaken for a shard."""

import errno
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from refocus.config.decode import DecodeRuntime, DecodeSettings
from refocus.core.errors import RefocusError
from refocus.frames import build_shard as shard_module
from refocus.frames.build_shard import build_shard
from refocus.frames.decode_clip import decode_clip
from refocus.frames.frame_store import FrameStore
from refocus.frames.tar_writer import TarWriter, members
from refocus.qa.clips import ClipRow
from refocus.qa.records import CLIP_SCHEMA, clip_id
from refocus.qa.shard_lists import clips_table

from tests.support.videos import constant, write_video

pytestmark = pytest.mark.slow

KILLS = 50
CLIPS = [ClipRow(clip_id("set", f"{name}.mp4", None, None), f"{name}.mp4", None, None, 0) for name in "abcdef"]
BEFORE = {"nothing": None, "fewer clips": CLIPS[2:4], "another order": CLIPS[::-1]}
TRACED = ("pipeline/refocus/frames/", "pipeline/refocus/core/files.py")


@pytest.fixture(scope="module", params=["jpeg", "video"])
def settings(request):
    runtime = DecodeRuntime(workers=1, timeout_s=30)
    return DecodeSettings(size=32, quality=100, crf=4, gop=4, storage=request.param, runtime=runtime)


@pytest.fixture(scope="module")
def video_files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("videos")
    for row in CLIPS:
        write_video(folder / row.video_path, constant(1.5))
    return folder


@pytest.fixture(scope="module")
def finished(settings, video_files, tmp_path_factory):
    """The folders that uninterrupted runs leave, by what their clips are."""
    folders = {}
    for name, clips in {**BEFORE, "nothing": CLIPS}.items():
        folders[name] = tmp_path_factory.mktemp("finished")
        assert ends_well(folders[name], clips, video_files, settings)
    return folders


def in_process(log):
    """Decodes without workers; every clip that is decoded is noted before it is."""

    def run(work, jobs, *_):
        for place, job in enumerate(jobs):
            with open(log, "a") as lines:
                lines.write(f"{job.row.clip_id}\n")
            yield place, decode_clip(job, lambda: None)

    return run


def start(folder, clips, video_files, settings, dies_after=None, counts=None):
    """A child that builds the shard and kills itself after so many lines of our code; gives its process id."""
    child = os.fork()
    if child:
        return child
    try:
        shard_module.run_jobs = in_process(folder / ".decoded")
        lines = 0

        def trace(frame, event, _):
            nonlocal lines
            if not any(part in frame.f_code.co_filename for part in TRACED):
                return None
            lines += event == "line"
            if lines == dies_after:
                os.kill(os.getpid(), signal.SIGKILL)
            return trace

        sys.settrace(trace if dies_after or counts else None)
        build_shard(clips, video_files, folder / "s.tar", folder / "s.index.parquet", settings)
        sys.settrace(None)
        if counts:
            counts.write_text(str(lines))
        os._exit(0)
    finally:
        os._exit(1)


def ends_well(*args, **kwargs):
    return os.waitstatus_to_exitcode(os.waitpid(start(*args, **kwargs), 0)[1]) == 0


def visible(folder):
    """The files that somebody could take for results."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if not path.name.startswith(".")}


def complete_clips(folder):
    """The clips of which every member is in some file of the folder."""
    found = set()
    for path in folder.glob("*s.tar*"):
        names = [member.name for member in members(path)]
        starts = [place for place, name in enumerate(names) if name.endswith(".json")]
        for begin, end in zip(starts, [*starts, len(names)][1:], strict=True):
            if end - begin - 1 == (1 if names[end - 1].endswith(".mp4") else 6):
                found.add(names[begin].removesuffix(".json"))
    return found


@pytest.mark.parametrize("previous", list(BEFORE))
@pytest.mark.fault(
    "killed", "decode", "at any line: nothing that looks finished is half; the next run gives the same bytes"
)
def test_killed_at_any_line_it_leaves_the_previous_state_or_nothing_finished(
    settings, video_files, finished, tmp_path, previous
):
    """50 times: what is left is whole, readable or hidden; the next run gives the bytes of an uninterrupted one and
    decodes exactly the clips that no file holds."""
    done = visible(finished["nothing"])
    old = {} if previous == "nothing" else visible(finished[previous])
    total = tmp_path / "lines"

    def again(folder):
        shutil.copytree(finished[previous], folder) if old else folder.mkdir()
        return folder

    assert ends_well(again(tmp_path / "counted"), CLIPS, video_files, settings, counts=total)
    lines = int(total.read_text())
    draw = random.Random(previous)
    moments = [draw.randint(lines - 80, lines) if k % 3 == 0 else draw.randint(1, lines) for k in range(KILLS // 3 + 1)]
    for number, moment in enumerate(moments):
        folder = again(tmp_path / str(number))
        assert not ends_well(folder, CLIPS, video_files, settings, dies_after=moment)
        left = visible(folder)
        index = left.get("s.index.parquet")
        assert left.get("s.tar") in (old.get("s.tar"), done["s.tar"])
        assert index in (None, old.get("s.index.parquet"), done["s.index.parquet"])
        if index is not None:
            assert left in (old, done)
            store = FrameStore.open([folder / "s.index.parquet"])
            assert all(len(store.images(clip)) == 6 for clip in store.clips())
        held = complete_clips(folder)
        (folder / ".decoded").unlink(missing_ok=True)
        assert ends_well(folder, CLIPS, video_files, settings)
        assert visible(folder) == done
        log = folder / ".decoded"
        decoded = log.read_text().split() if log.exists() else []
        assert decoded == [row.clip_id for row in CLIPS if row.clip_id not in held]
        assert not list(folder.glob(".s.tar*"))


@pytest.mark.fault("killed", "decode", "finished clips are kept")
def test_killed_again_and_again_no_clip_is_decoded_twice_but_those_in_hand(settings, video_files, finished, tmp_path):
    """Every kill costs at most the clip that was being decoded, and there is never more than one draft."""
    log = tmp_path / ".decoded"
    kills = 0
    for moment in range(400, 100_000, 150):
        if ends_well(tmp_path, CLIPS, video_files, settings, dies_after=moment):
            break
        kills += 1
        assert len(list(tmp_path.glob(".s.tar*"))) <= 1
    assert kills > 3
    assert visible(tmp_path) == visible(finished["nothing"])
    assert len(log.read_text().split()) <= len(CLIPS) + kills


@pytest.mark.fault(
    "killed", "decode", "command and workers at random moments: no process stays, and the next run gives the same bytes"
)
def test_the_command_and_its_workers_killed_at_random_times(settings, video_files, finished, tmp_path):
    """The real thing, with worker processes and a clock; no worker outlives its parent."""
    import pyarrow.parquet as pq

    assert clips_table(CLIPS).schema.equals(CLIP_SCHEMA)
    pq.write_table(clips_table(CLIPS), tmp_path / "clips.parquet")
    out = tmp_path / "out"
    command = [sys.executable, "-m", "refocus", "decode", str(tmp_path / "clips.parquet"), "--videos", str(video_files)]
    command += ["--out", str(out / "s.tar"), "--settings", settings.canonical(), "--workers", "2"]
    root = Path(__file__).resolve().parents[2]

    def run():
        return subprocess.Popen(command, cwd=root, stderr=subprocess.DEVNULL, start_new_session=True)

    begin = time.monotonic()
    assert run().wait() == 0
    whole = time.monotonic() - begin
    draw = random.Random(0)
    for _ in range(4):
        shutil.rmtree(out)
        process = run()
        time.sleep(draw.uniform(0.5, 1.0) * whole)
        process.kill()
        process.wait()
        assert set(visible(out) if out.exists() else ()) in (set(), {"s.tar"}, {"s.tar", "s.index.parquet"})
        assert run().wait() == 0
        assert visible(out) == visible(finished["nothing"])
    deadline = time.monotonic() + 120
    while str(video_files).encode() in b"".join(commands()) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert str(video_files).encode() not in b"".join(commands())


def commands():
    """The command lines of all processes."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            yield path.read_bytes()
        except OSError:
            continue


class FullDisk(TarWriter):
    """Writes half of a member of the fourth clip, then says that the disk is full."""

    def add(self, name, content):
        if name.startswith(CLIPS[3].clip_id) and not name.endswith(".json"):
            self.handle.write(content[: len(content) // 2])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return super().add(name, content)


@pytest.mark.fault("full disk", "decode", "told; finished clips are kept")
def test_a_full_disk_is_told_and_costs_the_clip_in_hand(settings, video_files, finished, tmp_path, monkeypatch):
    """One line says what to do; the next run goes on in the same draft, so that it needs no second copy of it."""
    tar, index = tmp_path / "s.tar", tmp_path / "s.index.parquet"
    monkeypatch.setattr(shard_module, "run_jobs", in_process(tmp_path / ".decoded"))
    with monkeypatch.context() as full:
        full.setattr("refocus.frames.partial_shard.TarWriter", FullDisk)
        with pytest.raises(RefocusError, match=r"s\.tar: cannot be written \(No space left.*make room and run again"):
            build_shard(CLIPS, video_files, tar, index, settings)
    assert visible(tmp_path) == {}
    (draft,) = tmp_path.glob(".s.tar*")
    inode = draft.stat().st_ino
    (tmp_path / ".decoded").unlink()
    build_shard(CLIPS, video_files, tar, index, settings)
    assert tar.stat().st_ino == inode
    assert visible(tmp_path) == visible(finished["nothing"])
    assert (tmp_path / ".decoded").read_text().split() == [row.clip_id for row in CLIPS[3:]]


@pytest.mark.fault("full disk", "decode", "told; the finished shard is kept, and no index looks finished")
def test_a_full_disk_under_the_index_leaves_the_shard_and_no_index(settings, video_files, tmp_path, monkeypatch):
    """The next run writes the index in no time."""
    tar, index = tmp_path / "s.tar", tmp_path / "s.index.parquet"
    monkeypatch.setattr(shard_module, "run_jobs", in_process(tmp_path / ".decoded"))
    with monkeypatch.context() as full:

        def no_room(*_):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        full.setattr("refocus.core.parquet.write", no_room)
        with pytest.raises(RefocusError, match=r"s\.index\.parquet: cannot be written \(No space left.*run again"):
            build_shard(CLIPS, video_files, tar, index, settings)
    assert list(visible(tmp_path)) == ["s.tar"]
    assert build_shard(CLIPS, video_files, tar, index, settings).decoded == 0
    assert index.is_file()


def test_drafts_of_a_changed_list_lose_nothing(settings, video_files, finished, tmp_path, monkeypatch):
    """A draft that is not the beginning of the new list is copied from, also when that run is killed as well."""
    monkeypatch.setattr(shard_module, "run_jobs", in_process(tmp_path / ".decoded"))
    whole = (finished["another order"] / "s.tar").read_bytes()
    (tmp_path / ".s.tar.0.part").write_bytes(whole[: len(whole) * 2 // 5])
    whole = (finished["nothing"] / "s.tar").read_bytes()
    (tmp_path / ".s.tar.1.part").write_bytes(whole[: len(whole) // 2])
    held = complete_clips(tmp_path)
    assert 3 <= len(held) < 6
    build_shard(CLIPS, video_files, tmp_path / "s.tar", tmp_path / "s.index.parquet", settings)
    assert visible(tmp_path) == visible(finished["nothing"])
    assert set((tmp_path / ".decoded").read_text().split()) == {row.clip_id for row in CLIPS} - held


@pytest.mark.fault("two at once", "decode", "the second says that another run writes the shard")
def test_two_runs_on_one_shard_are_told_apart_from_a_full_disk(settings, video_files, tmp_path, monkeypatch):
    """Two checkouts with the same results folder: the second to end finds its draft gone."""
    tar, index = tmp_path / "s.tar", tmp_path / "s.index.parquet"
    decode = in_process(tmp_path / ".decoded")

    def and_the_other_ends(*args):
        yield from decode(*args)
        for draft in tmp_path.glob(".s.tar*"):
            draft.unlink()

    monkeypatch.setattr(shard_module, "run_jobs", and_the_other_ends)
    with pytest.raises(RefocusError, match=r"s\.tar: another run is writing this shard too .* its own `results`"):
        build_shard(CLIPS, video_files, tar, index, settings)
