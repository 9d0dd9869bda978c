"""What a selection says of its video file is true of the file, in tables and in `select --json`."""

import hashlib
import json

import av
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

torch = pytest.importorskip("torch")

from refocus.core.files import write_table  # noqa: E402
from refocus.frames.index import IndexRow, write_index  # noqa: E402
from refocus.qa.records import by_clip  # noqa: E402
from refocus.select.build_selector import SelectorSources  # noqa: E402
from refocus.select.picks import VideoFile  # noqa: E402
from refocus.select.selections import OF_THE_FILE, SCHEMA, read_selections, write_selections  # noqa: E402
from refocus.select.selector_digest import selector_digest  # noqa: E402

from tests.support.asked_videos import VIDEOS, build_asked_videos  # noqa: E402
from tests.support.tiny_policy import build_policy  # noqa: E402
from tests.support.videos import level  # noqa: E402


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    return build_asked_videos(tmp_path_factory.mktemp("bench"))


@pytest.fixture(scope="module")
def table(bench):
    return bench.select("random", 6, bench.home / "random")


def test_the_files_own_frames_look_like_the_picks(bench, table):
    """frames_indices are ascending, as many as were asked for, and numbers that a plain decode counts."""
    for row in pq.read_table(table).to_pylist():
        assert row["frames_indices"] == sorted(set(row["frames_indices"])) and len(row["frames_indices"]) == 6
        with av.open(str(bench.videos / row["video"])) as container:
            shown = [(frame.time, frame.to_ndarray(format="gray").mean()) for frame in container.decode(video=0)]
        for number, time_s in zip(row["frames_indices"], row["timestamps_s"], strict=True):
            assert shown[number][0] == pytest.approx(time_s, abs=0.002)
            assert shown[number][1] == pytest.approx(level(number), abs=12)
        assert row["total_num_frames"] == len(shown) == len(VIDEOS[row["video"]])


def test_a_row_names_its_file_and_its_selector(bench, table):
    for row in pq.read_table(table).to_pylist():
        content = (bench.videos / row["video"]).read_bytes()
        assert row["video_digest"] == hashlib.sha256(content).hexdigest()[:32]
        assert row["duration_s"] == pytest.approx(VIDEOS[row["video"]][-1], abs=0.5)
        assert row["selector"] == "random" and len(row["selector_digest"]) == 12
    rates = {row["video"]: row["fps"] for row in pq.read_table(table).to_pylist()}
    assert (rates["even.mp4"], rates["long.mp4"]) == pytest.approx((30.0, 25.0), rel=0.01)


def test_a_digest_tells_selectors_apart_and_not_numbers_of_frames(bench, tmp_path):
    def digest(path):
        return set(pq.read_table(path)["selector_digest"].to_pylist())

    base = digest(bench.select("random", 4, tmp_path / "a"))
    assert digest(bench.select("random", 8, tmp_path / "b")) == base and len(base) == 1
    assert digest(bench.select("uniform", 4, tmp_path / "c")).isdisjoint(base)
    bench.select("random", 4, tmp_path / "d", "--seed", 1)
    assert digest(tmp_path / "d" / "n4.s1.parquet").isdisjoint(base)


def test_a_policys_weights_are_part_of_its_digest(bench, tmp_path):
    digests = set()
    for seed in (0, 1):
        build_policy(seed, torch.float32).save_pretrained(tmp_path / f"policy{seed}")
        words = ["--model", tmp_path / f"policy{seed}", "--device", "cpu"]
        made = pq.read_table(bench.select("refocus/demo", 2, tmp_path / str(seed), *words))
        digests |= set(made["selector_digest"].to_pylist())
    assert len(digests) == 2


def test_the_tables_that_a_selector_reads_are_part_of_its_digest(tmp_path):
    """Of truth and picks the bytes, of scores the settings that made them."""
    digests = set()
    for content in "ab":
        file = tmp_path / content / "n2.s0.parquet"
        write_table(file, pa.table({"x": [1]}), "embed", {"model": content})
        for made in ({"truth": file}, {"selections": [file]}, {"embeddings": [file]}, {"certainty": [file]}):
            digests.add(selector_digest("topk", {}, made=SelectorSources(**made)))
        folder = SelectorSources(selections=[file.parent])
        assert selector_digest("topk", {}, made=folder) == selector_digest("topk", {}, made=SelectorSources(truth=file))
    assert len(digests) == 4, "of each content one by its bytes and one by its settings"


def test_without_the_videos_all_but_the_number_of_frames_is_known(bench, tmp_path, caplog):
    words = ["--qa", bench.qa, "--index", bench.index, "--selector", "uniform", "--n-frames", 2]
    assert bench.refocus("select-benchmark", *words, "--out", tmp_path / "none") == 0
    (bench.home / "other").mkdir()
    for name in VIDEOS:
        (bench.home / "other" / name).write_bytes(b"another file")
    assert bench.refocus("select-benchmark", *words, "--videos", bench.home / "other", "--out", tmp_path / "other") == 0
    for folder in ("none", "other"):
        for row in pq.read_table(tmp_path / folder / "n2.s0.parquet").to_pylist():
            assert row["total_num_frames"] is None and row["video_digest"] and len(row["frames_indices"]) == 2
    assert "when its frames were stored" in caplog.text


def test_a_clip_without_frames_names_its_video_and_nothing_else(tmp_path):
    bench = build_asked_videos(tmp_path, ("even.mp4",))
    clip = bench.questions[0].clip_id
    write_index(bench.home / "empty.index.parquet", [IndexRow(clip, "failed", "gone", 0, [], [], "", [], [])], {})
    words = ["--qa", bench.qa, "--index", bench.home / "empty.index.parquet", "--selector", "uniform"]
    assert bench.refocus("select-benchmark", *words, "--videos", bench.videos, "--out", tmp_path / "out") == 0
    for row in read_selections(tmp_path / "out" / "n32.s0.parquet").values():
        assert row.file == VideoFile("even.mp4") and row.frames_indices == () and row.flags == ("no_frames",)


def test_a_table_from_before_these_columns_reads_without_them(bench, table, tmp_path):
    old = tmp_path / "n6.s0.parquet"
    pq.write_table(pq.read_table(table).select(SCHEMA.names), old)
    rows, now = read_selections(old), read_selections(table)
    assert {qa: row.frame_indices for qa, row in rows.items()} == {qa: row.frame_indices for qa, row in now.items()}
    assert all(row.file is None and row.frames_indices == () for row in rows.values())


def test_a_table_with_some_of_the_columns_is_refused(table, tmp_path):
    half = tmp_path / "n6.s0.parquet"
    pq.write_table(pq.read_table(table).select([*SCHEMA.names, "video"]), half)
    with pytest.raises(Exception, match="is not a selection table"):
        read_selections(half)


def test_what_is_read_is_what_was_written(table, tmp_path):
    rows = read_selections(table)
    write_selections(tmp_path / "again.parquet", rows, {"selector": "random", "selector_digest": "x"})
    assert read_selections(tmp_path / "again.parquet") == rows
    assert pq.read_schema(table).names == [*SCHEMA.names, *OF_THE_FILE.names]


def test_one_videos_json_has_the_same_of_the_file(bench, tmp_path, capsys):
    """As a row of a table; its pick order counts frames of the file, as nothing else in it is known outside."""
    build_policy(0, torch.float32).save_pretrained(tmp_path / "policy")
    video = bench.videos / "uneven.mkv"
    words = [video, "which colour", "--frames", 5, "--model", tmp_path / "policy", "--json"]
    assert bench.refocus("select", *words, "--save-frames", tmp_path / "frames") == 0
    answer = json.loads(capsys.readouterr().out)
    assert set(OF_THE_FILE.names) | {"timestamps_s", "pick_order", "score"} <= set(answer)
    assert answer["frames_indices"] == answer["source_frames"] == sorted(answer["pick_order"])
    assert answer["total_num_frames"] == len(VIDEOS["uneven.mkv"]) and answer["video"] == str(video)
    assert [VIDEOS["uneven.mkv"][number] for number in answer["frames_indices"]] == pytest.approx(
        answer["timestamps_s"], abs=0.002
    )
    by_rank = dict(zip(answer["pick_rank"], answer["frames_indices"], strict=True))
    assert [by_rank[rank] for rank in range(1, 6)] == answer["pick_order"]
    names = sorted(path.name for path in (tmp_path / "frames").iterdir())
    assert [int(name.split("frame")[1].split("-")[0]) for name in names] == answer["frames_indices"]


def test_videos_are_counted_once_however_many_clips_they_have(bench, monkeypatch):
    from refocus.frames.frame_store import FrameStore
    from refocus.select import video_files as module

    read = []
    real = module.frame_times
    monkeypatch.setattr(module, "frame_times", lambda path: read.append(path.name) or real(path))
    found = module.video_files(bench.questions, FrameStore.open([bench.index]), bench.videos)
    assert sorted(read) == sorted(VIDEOS) and set(found) == set(by_clip(bench.questions))
