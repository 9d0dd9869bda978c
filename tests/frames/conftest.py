"""Videos and the shards made of them, which several files of this room read."""

import pytest
from refocus.frames import build_shard as shard_module
from refocus.frames.build_shard import build_shard

from tests.support.small_shards import BAD, FORMS, GOOD, noise
from tests.support.videos import constant, variable, write_video


@pytest.fixture(scope="module")
def video_files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("videos")
    write_video(folder / "a.mp4", constant(3.0))
    write_video(folder / "b.mkv", variable(4.0, 3))
    write_video(folder / "deep" / "c.mp4", constant(2.0, 3.0))
    (folder / "broken.mp4").write_bytes(b"no video")
    cut = write_video(folder / "cut.mkv", constant(6.0), size=(128, 128), pictures=noise(180))
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size // 3])
    return folder


@pytest.fixture(scope="module", params=list(FORMS))
def built(request, video_files, tmp_path_factory):
    out = tmp_path_factory.mktemp(request.param)
    report = build_shard([*GOOD, *BAD], video_files, out / "s.tar", out / "s.index.parquet", FORMS[request.param])
    return out, report, FORMS[request.param]


@pytest.fixture
def decoded(monkeypatch):
    """The clips that go through a decoder, counted where jobs are handed out."""
    seen = []
    run = shard_module.run_jobs

    def counting(work, jobs, *args):
        seen.extend(job.row.video_path for job in jobs)
        return run(work, jobs, *args)

    monkeypatch.setattr(shard_module, "run_jobs", counting)
    return seen
