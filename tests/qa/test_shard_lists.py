"""Clips keep their shards, and unchanged lists keep their files."""

import json
import shutil

import pytest
from hypothesis import given
from hypothesis import strategies as st
from refocus.config.ingest import IngestSettings
from refocus.core.errors import RefocusError, UsageError
from refocus.qa.clips import Clip
from refocus.qa.ingest import SourceFiles, ingest
from refocus.qa.records import read_clips, read_questions
from refocus.qa.shard_lists import assign


def clips(numbers):
    return [Clip(f"c{number}", "set", f"{number}.mp4", None, None) for number in numbers]


@given(st.lists(st.sets(st.integers(0, 30)), min_size=1, max_size=5), st.integers(1, 5))
def test_growth_and_loss_never_move_a_clip(versions, per_shard):
    """A clip that was given a shard keeps it, and no shard overflows."""
    kept = {}
    for present in versions:
        rows = assign(clips(sorted(present)), kept, per_shard, None)
        assert {row.clip_id for row in rows} == {clip.clip_id for clip in clips(present)}
        assert [row.shard for row in rows] == sorted(row.shard for row in rows)
        assert all(kept.get(row.clip_id, row.shard) == row.shard for row in rows)
        kept.update({row.clip_id: row.shard for row in rows})
        assert all(list(kept.values()).count(shard) <= per_shard for shard in kept.values())


def test_known_clips_come_before_new_ones():
    """So that a grown shard starts with what it had."""
    rows = assign(clips([1, 2, 3]), {"c3": 0, "c2": 0}, 8, None)
    assert [row.clip_id for row in rows] == ["c3", "c2", "c1"]


def test_too_few_shards_names_the_number():
    """The message says which number to set."""
    with pytest.raises(UsageError, match="set shards to 3"):
        assign(clips(range(9)), {}, 4, 2)


def annotate(path, videos):
    rows = [
        {"video": f"{name}.mp4", "question": "what?", "candidates": ["a", "b"], "answer": "a", "question_type": "t"}
        for name in videos
    ]
    path.write_text(json.dumps(rows))


@pytest.mark.parametrize("kept_in_store", [True, False])
def test_growth_rewrites_only_what_changes(tmp_path, kept_in_store):
    """Five clips in shards of two; one more comes in front: full shards keep their files, the last one grows."""
    path, out = tmp_path / "1_plotQA.json", tmp_path / "qa"
    store = tmp_path / "store" if kept_in_store else None
    source, settings = SourceFiles("set", "mlvu", (path,), tmp_path), IngestSettings(clips_per_shard=2)
    annotate(path, "abcde")
    ingest(source, out, settings, 4, store)
    lists = sorted((out / "shards" / "set").iterdir())
    assert [file.name for file in lists[:2]] == ["000000.clips.parquet", "000000.qa.parquet"]
    assert len(lists) == 8
    before = {file.name: (file.stat().st_mtime_ns, file.stat().st_ino) for file in lists}
    first = {row.clip_id: row.shard for row in read_clips(out / "set.clips.parquet")}
    if kept_in_store:  # Snakemake removes declared outputs before it runs a job again
        (out / "set.clips.parquet").unlink()
    annotate(path, "zabcde")
    ingest(source, out, settings, 4, store)
    rows = read_clips(out / "set.clips.parquet")
    assert len(rows) == 6
    assert all(row.shard == first.get(row.clip_id, 2) for row in rows)
    changed = {file.name for file in lists if (file.stat().st_mtime_ns, file.stat().st_ino) != before[file.name]}
    # source ids of official MLVU rows are row numbers, so questions move and clips do not
    assert {name for name in changed if "clips" in name} == {"000002.clips.parquet"}
    shard = out / "shards" / "set"
    home = {row.clip_id: row.shard for row in rows}
    asked = [(k, q.clip_id) for k in range(4) for q in read_questions(shard / f"{k:06d}.qa.parquet")]
    assert len(asked) == 6
    assert all(home[clip] == number for number, clip in asked)


def test_no_question_at_all_is_an_error(tmp_path):
    """A wrong file is not a silent empty data set; the first reject is quoted."""
    path = tmp_path / "1_plotQA.json"
    path.write_text(json.dumps([{"video": "a.mp4", "question": "what?"}]))
    with pytest.raises(RefocusError, match=r"1_plotQA\.json row 0"):
        ingest(SourceFiles("set", "mlvu", (path,), tmp_path), tmp_path / "qa", IngestSettings())


@pytest.mark.parametrize(("shards", "per_shard"), [(6, 2), (4, 3), (5, 1)])
def test_clips_keep_their_shards_under_other_settings(tmp_path, shards, per_shard):
    """As Snakemake runs ingest again with more shards, or with larger or smaller ones: what it made before is gone, and
    what is decoded is kept by the shard's number."""
    path, out, store = tmp_path / "1_plotQA.json", tmp_path / "qa", tmp_path / "store"
    source = SourceFiles("set", "mlvu", (path,), tmp_path)
    annotate(path, "abcde")
    ingest(source, out, IngestSettings(clips_per_shard=2), 4, store)
    lists = [out / "shards" / "set" / f"{number:06d}.clips.parquet" for number in range(3)]
    before = [read_clips(file) for file in lists]
    shutil.rmtree(out)
    annotate(path, "zabcdey")
    ingest(source, out, IngestSettings(clips_per_shard=per_shard), shards, store)
    after = [read_clips(file) for file in lists]
    assert all(now[: len(old)] == old for old, now in zip(before, after, strict=True))
    assert len(read_clips(out / "set.clips.parquet")) == 7
