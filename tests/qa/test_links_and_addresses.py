"""Where videos may lie: links into named folders, and nothing on the net, by hand and in the configuration."""

import json

import pytest
from refocus.cli.main import main
from refocus.config.overlay import check
from refocus.core.errors import UsageError
from refocus.qa.ingest import SourceFiles, read_source

ROW = {"question": "what?", "options": ["a", "b"], "answer": "A"}


@pytest.fixture
def home(tmp_path):
    """Videos on two disks, linked below one folder, and questions about both and about an address."""
    for name in ("videos/one/a.mp4", "disk2/b.mp4"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "videos" / "two").symlink_to(tmp_path / "disk2")
    rows = [{**ROW, "video": video} for video in ("one/a.mp4", "two/b.mp4", "https://example.org/c.mp4")]
    (tmp_path / "q.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return tmp_path


def read(home, *allowed):
    source = SourceFiles("mine", "jsonl", (home / "q.jsonl",), home / "videos", allowed_roots=allowed)
    return read_source(source)


def test_links_into_allowed_roots_are_followed(home):
    assert [q.video_path for q in read(home).questions] == ["one/a.mp4"]
    assert [q.video_path for q in read(home, home / "disk2").questions] == ["one/a.mp4", "two/b.mp4"]
    with pytest.raises(UsageError, match=r"allowed_roots: the folder .*disk9 does not exist"):
        read(home, home / "disk9")


def test_what_is_refused_says_what_to_do(home):
    link, address = read(home).rejects
    assert (link.reason, address.reason) == ("unsafe_path", "remote_video")
    assert "q.jsonl row 1, line 2: " in link.detail and "allowed_roots" in link.detail
    assert "q.jsonl row 2, line 3: " in address.detail and "download or mount it" in address.detail


def test_the_command_takes_the_same_key(home):
    words = ["ingest", "jsonl", "--annotations", home / "q.jsonl", "--videos", home / "videos", "--name", "mine"]
    words += ["--out", home / "qa", "--allowed-roots", home / "disk2"]
    assert main(list(map(str, words))) == 0
    assert sorted(path.name for path in (home / "qa").glob("*.parquet")) == [
        "mine.clips.parquet",
        "mine.evidence.parquet",
        "mine.parquet",
        "mine.rejects.parquet",
    ]


@pytest.mark.parametrize("key", ["videos", "annotations", "allowed_roots"])
@pytest.mark.parametrize("kind", ["datasets", "benchmarks"])
def test_addresses_in_the_configuration_are_refused_by_key(kind, key):
    value = "s3://bucket/set" if key == "videos" else ["data/a", "s3://bucket/set"]
    with pytest.raises(UsageError, match=rf"{kind}\.mine\.{key}: 's3://bucket/set' is an address, .* download"):
        check({"use": {}, kind: {"mine": {"format": "jsonl", key: value}}})


@pytest.mark.parametrize(
    "words",
    [
        ["ingest", "csv", "--annotations", "https://a/q.csv", "--videos", ".", "--name", "x", "--out", "x"],
        ["ingest", "csv", "--annotations", "q.csv", "--videos", "s3://b", "--name", "x", "--out", "x"],
        ["decode", "c.parquet", "--videos", "s3://b", "--out", "x.tar"],
        ["answer", "--qa", "q.parquet", "--selections", "s", "--videos", "s3://b", "--out", "x"],
    ],
)
def test_addresses_on_the_command_line_are_bad_arguments(words, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(words)
    assert stopped.value.code == 2
    assert "is an address, and files are read from disks" in capsys.readouterr().err
