"""A video that several data sets have is decoded once."""

import functools
import shutil

import pytest
from refocus.config.decode import DecodeRuntime, DecodeSettings
from refocus.frames import build_shard as shard_module
from refocus.frames.build_shard import build_shard
from refocus.frames.decode_clip import decode_clip
from refocus.qa.clips import ClipRow
from refocus.qa.records import clip_id

from tests.support.videos import constant, write_video


def row(dataset, name, start=None, end=None):
    return ClipRow(clip_id(dataset, name, start, end), name, start, end, 0)


@pytest.fixture(params=["jpeg", "video"])
def settings(request):
    return DecodeSettings(size=32, storage=request.param, runtime=DecodeRuntime(workers=1))


@pytest.fixture
def decoded(monkeypatch):
    seen = []

    def run(work, jobs, *_):
        for place, job in enumerate(jobs):
            seen.append(job.row.clip_id)
            yield place, decode_clip(job, lambda: None)

    monkeypatch.setattr(shard_module, "run_jobs", run)
    return seen


@pytest.fixture
def video_files(tmp_path):
    """Two data sets: the first one's `a` and `cut` are also the second's, under other names."""
    one, two = tmp_path / "one", tmp_path / "two"
    write_video(one / "a.mp4", constant(2.0))
    write_video(one / "b.mp4", constant(1.0))
    write_video(one / "cut.mkv", constant(9.0), options={"crf": "0"})
    whole = (one / "cut.mkv").read_bytes()
    (one / "cut.mkv").write_bytes(whole[: len(whole) // 2])
    write_video(two / "deep" / "other.mp4", constant(1.5))
    shutil.copy(one / "a.mp4", two / "deep" / "same.mp4")
    shutil.copy(one / "cut.mkv", two / "cut.mkv")
    return one, two


def build(folder, store, dataset, clips, settings, shared=True):
    tar = store / dataset / "000000.tar"
    return build_shard(clips, folder, tar, store / f"{dataset}.parquet", settings, store if shared else None), tar


def test_the_same_bytes_and_bounds_are_copied_and_give_the_bytes_of_decoding(video_files, settings, decoded, tmp_path):
    """Another name, another folder; other bounds, other content and clips that are not whole are decoded."""
    one, two = video_files
    build(one, tmp_path / "store", "one", [row("one", "a.mp4"), row("one", "b.mp4"), row("one", "cut.mkv")], settings)
    decoded.clear()
    clips = [row("two", "cut.mkv"), row("two", "deep/same.mp4"), row("two", "deep/other.mp4")]
    clips.append(row("two", "deep/same.mp4", 0.5, 1.0))
    report, tar = build(two, tmp_path / "store", "two", clips, settings)
    assert decoded == [clips[0].clip_id, clips[2].clip_id, clips[3].clip_id]
    assert (report.decoded, report.copied, len(report.partial)) == (3, 1, 1)
    _, alone = build(two, tmp_path / "alone", "two", clips, settings, shared=False)
    assert tar.read_bytes() == alone.read_bytes()
    assert not list(alone.parent.glob("*.json"))


def test_a_file_of_the_same_size_with_other_bytes_is_decoded(video_files, settings, decoded, tmp_path):
    """Content decides, not size."""
    one, two = video_files
    build(one, tmp_path / "store", "one", [row("one", "a.mp4")], settings)
    decoded.clear()
    data = bytearray((two / "deep" / "same.mp4").read_bytes())
    data[-1] ^= 1
    (two / "deep" / "same.mp4").write_bytes(data)
    build(two, tmp_path / "store", "two", [row("two", "deep/same.mp4")], settings)
    assert len(decoded) == 1


def test_other_settings_a_lost_or_changed_lender_lend_nothing(video_files, settings, decoded, tmp_path, caplog):
    """What is not there, or not as it was noted, is decoded; a broken catalogue stops nothing."""
    one, two = video_files
    store = tmp_path / "store"
    _, lender = build(one, store, "one", [row("one", "a.mp4")], settings.model_copy(update={"fps": 2.0}))
    wanted = row("two", "deep/same.mp4")
    decoded.clear()
    build(two, store, "two", [wanted], settings)
    assert decoded == [wanted.clip_id]
    build(one, store, "one", [row("one", "a.mp4")], settings)
    catalogue = lender.with_name("000000.sources.json")
    texts = ("[7]", '[["a", "b"]]', "[[1, [], null, null, {}]]", '{"a": 1}', "{")
    for harm in (lender.unlink, *(functools.partial(catalogue.write_text, text) for text in texts)):
        harm()
        caplog.clear()
        shutil.rmtree(store / "two", ignore_errors=True)
        decoded.clear()
        build(two, store, "two", [wanted], settings)
        assert decoded == [wanted.clip_id]
        assert (f"{catalogue}: passed over" in caplog.text) == (harm != lender.unlink)
