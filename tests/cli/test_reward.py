"""`refocus reward` by hand: files in, files out, questions never lost."""

import argparse
import json

import numpy as np
import pyarrow.parquet as pq
import pytest
import simplejpeg
from refocus.cli import reward as command
from refocus.core.errors import UsageError
from refocus.frames.index import IndexRow, write_index
from refocus.qa.records import Question, write_questions


def question(number, clip):
    options = ("red", "green")
    path, text = f"{clip}.mp4", "What is first?"
    return Question(f"q{number}", "d", "train", clip, path, None, None, text, options, number % 2, "", "", "", ())


@pytest.fixture()
def shard(tmp_path):
    """A shard of two clips as one file of JPEGs with its index, and a question file that also asks about a third."""
    random = np.random.default_rng(0)
    rows, blob = [], b""
    for clip, n in (("a", 16), ("b", 9)):
        jpegs = [simplejpeg.encode_jpeg(random.integers(0, 256, (48, 48, 3), dtype=np.uint8)) for _ in range(n)]
        starts = np.cumsum([len(blob), *map(len, jpegs)])[:-1].tolist()
        blob += b"".join(jpegs)
        seconds = [i / 4 for i in range(n)]
        rows.append(IndexRow(clip, "ok", None, n, seconds, list(range(n)), "s.tar", starts, [len(j) for j in jpegs]))
    (tmp_path / "s.tar").write_bytes(blob)
    write_index(tmp_path / "s.index.parquet", rows, {})
    questions = [question(n, clip) for n, clip in enumerate("abac")]
    write_questions(tmp_path / "qa.parquet", questions, "ingest")
    return tmp_path


def call(*words):
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    command.run(parser.parse_args([str(word) for word in words]))


def test_a_shard_by_hand_gives_the_contracts_columns(shard, lmm_folder):
    flags = ["--dtype", "float32", "--device", "cpu", "--frames-per-subset", 4]
    call(
        "--model",
        lmm_folder,
        "--shard",
        shard / "s.tar",
        "--qa",
        shard / "qa.parquet",
        "--out",
        shard / "r.parquet",
        *flags,
    )
    table = pq.read_table(shard / "r.parquet")
    assert table.schema.names == ["qa_id", "subset", "frame_indices", "logits", "logits_raw", "margin"]
    assert table["qa_id"].to_pylist() == [f"q{n}" for n in range(3) for _ in range(16)]
    assert json.loads(table.schema.metadata[b"refocus.settings"])["lmm"]["dtype"] == "float32"
    assert pq.read_table(shard / "r.skipped.parquet").num_rows == 0


def test_the_rules_form_lists_questions_of_clips_that_the_index_lacks(shard, lmm_folder):
    lmm = json.dumps({"path": str(lmm_folder), "dtype": "float32"})
    settings = json.dumps({"model": "tiny", "frames_per_subset": 4})
    common = ["--index", shard / "s.index.parquet", "--qa", shard / "qa.parquet", "--store", shard / "store"]
    call(
        *common,
        "--lmm-settings",
        lmm,
        "--settings",
        settings,
        "--runtime",
        '{"device": "cpu"}',
        "--out",
        shard / "r.parquet",
    )
    assert sorted(file.name for file in (shard / "store").iterdir()) == ["a.parquet", "b.parquet"]
    skipped = pq.read_table(shard / "r.skipped.parquet").to_pylist()
    assert [(row["qa_id"], row["reason"]) for row in skipped] == [("q3", "clip_missing")]


def test_without_a_model_the_message_says_how_to_give_one(shard):
    with pytest.raises(UsageError, match="--model"):
        call("--shard", shard / "s.tar", "--qa", shard / "qa.parquet", "--out", shard / "r.parquet")


def test_an_index_where_a_shard_belongs_says_which_flag_it_stands_behind(shard, lmm_folder):
    with pytest.raises(UsageError, match=r"s\.index\.parquet: --shard takes the \.tar .* --index"):
        call("--model", lmm_folder, "--shard", "s.index.parquet", "--qa", shard / "qa.parquet", "--out", shard / "r")


def test_questions_of_other_shards_only_are_an_error(shard, lmm_folder):
    write_questions(shard / "other.parquet", [question(9, "z")], "ingest")
    with pytest.raises(UsageError, match="none of the 1 questions"):
        call(
            "--model",
            lmm_folder,
            "--shard",
            shard / "s.tar",
            "--qa",
            shard / "other.parquet",
            "--out",
            shard / "r.parquet",
        )
