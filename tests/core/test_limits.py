"""What is beyond a limit is refused in words that say how to raise it, and raising it is all that it takes."""

import json

import pytest
from refocus.config.layers import read
from refocus.core import limits
from refocus.core.errors import RefocusError, UsageError
from refocus.core.json_text import loads
from refocus.qa.adapters.annotation_files import csv_rows, json_lines, parquet_stream
from refocus.qa.raw_question import RawQuestion, build
from refocus.qa.records import Question, Reject
from refocus.qa.video_finder import VideoFinder
from refocus.video.tars import members


@pytest.fixture
def low(monkeypatch):
    """Sets a limit."""
    return lambda limit, value: monkeypatch.setenv(limit.variable, str(value))


def test_a_limit_is_a_number_or_is_named_as_none(monkeypatch):
    for text in ("", "-1", "0", "x", "1e3", "9" * 40, "٣"):
        monkeypatch.setenv(limits.TAR_MEMBERS.variable, text)
        with pytest.raises(UsageError, match=r"REFOCUS_MAX_TAR_MEMBERS=.*files in a tar"):
            limits.TAR_MEMBERS.value()
    monkeypatch.setenv(limits.TAR_MEMBERS.variable, "7")
    assert limits.TAR_MEMBERS.value() == 7


@pytest.mark.parametrize("deep", ["[" * 70 + "]" * 70, '{"a":' * 70 + "1" + "}" * 70, b"[" * 5000])
def test_json_is_not_nested_without_end(deep, low):
    with pytest.raises(ValueError, match="REFOCUS_MAX_JSON_DEPTH" if len(deep) < 5000 else "."):
        loads(deep)
    if len(deep) < 5000:
        low(limits.JSON_DEPTH, 70)
        assert loads(deep) == json.loads(deep)


def test_wide_json_is_not_deep():
    assert len(loads("[" + ",".join(["[[]]"] * 500) + "]")) == 500


def test_lines_end(tmp_path, low):
    low(limits.LINE_CHARS, 50)
    file = tmp_path / "a.jsonl"
    file.write_text('{"a": 1}\n' + json.dumps(["x" * 10] * 5) + "\n")
    rows = json_lines(file)
    assert next(rows) == {"a": 1}
    with pytest.raises(RefocusError, match=r"line 2: .*REFOCUS_MAX_LINE_CHARS \(a JSON list .* \.json\)"):
        next(rows)
    low(limits.LINE_CHARS, 80)
    assert len(list(json_lines(file))) == 2
    (tmp_path / "a.csv").write_text("a,b\n" + "x" * 90 + ",y\n")
    with pytest.raises(RefocusError, match="REFOCUS_MAX_LINE_CHARS"):
        list(csv_rows(tmp_path / "a.csv", ["a"]))


def test_a_page_in_place_of_a_question_is_a_reject_that_says_so(tmp_path, low):
    low(limits.TEXT_CHARS, 20)
    rows = [RawQuestion("f row 0", "a", ("a.mp4",), "why " * words, ("x", "y"), 0, "test") for words in (5, 6)]
    good, bad = build("set", rows, VideoFinder(tmp_path))
    assert isinstance(good, Question)
    assert isinstance(bad, Reject) and bad.reason == "too_long" and "REFOCUS_MAX_TEXT_CHARS" in bad.detail


def test_a_small_parquet_file_of_large_rows_is_refused_before_they_are_texts(tmp_path, low):
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"a": ["x" * 1000] * 2000}), tmp_path / "a.parquet")
    assert (tmp_path / "a.parquet").stat().st_size < 20_000
    low(limits.BATCH_BYTES, 1_000_000)
    with pytest.raises(RefocusError, match=r"bytes in 2000 rows, .*REFOCUS_MAX_BATCH_BYTES"):
        list(parquet_stream(tmp_path / "a.parquet", ["a"]))
    low(limits.BATCH_BYTES, 3_000_000)
    assert len(list(parquet_stream(tmp_path / "a.parquet", ["a"]))) == 2000


def test_a_tar_of_too_many_files_is_refused(tmp_path, low):
    import tarfile

    with tarfile.open(tmp_path / "x.tar", "w") as archive:
        for number in range(5):
            archive.addfile(tarfile.TarInfo(f"{number}.mp4"))
    low(limits.TAR_MEMBERS, 4)
    with pytest.raises(RefocusError, match=r"x\.tar: more files, where 4 .*REFOCUS_MAX_TAR_MEMBERS"):
        members(tmp_path / "x.tar")
    low(limits.TAR_MEMBERS, 5)
    assert len(members(tmp_path / "x.tar")) == 5


def test_anchors_may_share_but_not_multiply(tmp_path, low):
    (tmp_path / "x.yaml").write_text("a: &a [1, 2, 3]\nb: [*a, *a]\n")
    assert read(tmp_path / "x.yaml")["b"] == [[1, 2, 3]] * 2
    low(limits.YAML_VALUES, 12)
    with pytest.raises(UsageError, match="REFOCUS_MAX_YAML_VALUES"):
        read(tmp_path / "x.yaml")


@pytest.mark.parametrize("text", ["a\nerror: b", "\x1b[2J", "x" * 9999])
def test_what_a_message_quotes_stays_in_its_line(text):
    line = str(RefocusError(f"{text}: no such file"))
    assert line.isprintable() and len(line) < 2000
    assert str(RefocusError("all of them:", "one", text)).count("\n") == 2
