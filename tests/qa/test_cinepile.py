"""CinePile: one config at a time, videos found by YouTube id. Rows are synthetic, in the shape of the parquet files."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from refocus.core.errors import RefocusError, UsageError
from refocus.qa.adapters.cinepile import one_config
from refocus.qa.ingest import SourceFiles, read_source

VIDEO = "-aB3_dEfGh1"


def row(**changes):
    return {
        "movie_name": "Face/Off",
        "year": 1997,
        "genre": ["Action", "Crime"],
        "yt_clip_title": "Face/Off (1/9) Movie CLIP",
        "yt_clip_link": f"https://www.youtube.com/watch?v={VIDEO}",
        "movie_scene": "A hangar.",
        "subtitles": "<subtitle> Hello.\n<subtitle> No.",
        "question": "Who enters the hangar?",
        "choices": ["Castor", "Sean", "Eve", "Adam", "Pollux"],
        "answer_key": "Sean",
        "answer_key_position": 1,
        "question_category": "Character and\nRelationship Dynamics",
        "hard_split": "True",
        "visual_reliance": "False",
        **changes,
    }


def write(path, *rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(list(rows)), path)
    return path


def read(*paths, root, **options):
    return read_source(SourceFiles("set", "cinepile", tuple(paths), root, None, options))


def test_rows(tmp_path):
    """Key of id and question, category without line ends, groups and config as flags."""
    path = write(tmp_path / "v2" / "test-00000-of-00001.parquet", row(), row(question="What now?"))
    first, second = read(path, root=tmp_path).questions
    assert first.source_id.startswith(f"{VIDEO}_") and first.source_id != second.source_id
    assert (first.clip_id, first.split) == (second.clip_id, "test")
    assert (first.options[1], first.answer_index, first.answer_text) == ("Sean", 1, "Sean")
    assert first.category == "Character and Relationship Dynamics"
    assert first.flags == ("config:v2", "hard_split:True", "visual_reliance:False")
    assert (first.start_s, first.end_s, first.video_path) == (None, None, f"{VIDEO}.mp4")


@pytest.mark.parametrize(
    "place",
    [
        f"{VIDEO}.mp4",
        f"{VIDEO}.mkv",
        f"videos/{VIDEO}.MP4",
        f"{VIDEO}/{VIDEO}.mp4",
        f"videos/{VIDEO}/{VIDEO}.webm",
        f"Face/Off_watch?v={VIDEO}.mp4",
        f"videos/Face/Off_watch?v={VIDEO}.mp4",
    ],
)
def test_videos_are_found_under_each_naming_scheme(tmp_path, place):
    path = write(tmp_path / "v1" / "train-00000-of-00001.parquet", row())
    video = tmp_path / "root" / place
    video.parent.mkdir(parents=True)
    video.touch()
    found = read(path, root=tmp_path / "root")
    assert found.questions[0].video_path == place
    assert not found.missing


@pytest.mark.parametrize("movie", ["../..", "/etc", "", None, "nul\0", "Amélie"])
def test_no_name_of_a_video_leaves_the_root_or_costs_the_row(tmp_path, movie):
    path = write(tmp_path / "train.parquet", row(movie_name=movie))
    found = read(path, root=tmp_path)
    assert found.questions[0].video_path == f"{VIDEO}.mp4"
    assert found.missing == [f"{VIDEO}.mp4"]


@pytest.mark.parametrize(
    ("link", "given"),
    [
        (f"https://www.youtube.com/watch?v={VIDEO}&t=3s", None),
        (f" http://youtube.com/watch?app=desktop&v={VIDEO}", None),
        (f"https://youtu.be/{VIDEO}?t=1", None),
        (f"https://www.youtube.com/embed/{VIDEO}", None),
        (f"https://www.youtube.com/watch?v={VIDEO}", "another_one"),
        (None, VIDEO),
    ],
)
def test_the_video_id_of_a_link(tmp_path, link, given):
    """Out of every form of a link, `videoID` only without one."""
    path = write(tmp_path / "train.parquet", row(yt_clip_link=link, videoID=given))
    assert read(path, root=tmp_path).questions[0].video_path == f"{VIDEO}.mp4"


def test_files_of_both_configs_are_refused(tmp_path):
    """By their folders, by their names, by the option, and by pieces that do not make one set."""
    v1 = write(tmp_path / "v1" / "train-00000-of-00001.parquet", row())
    v2 = write(tmp_path / "v2" / "train-00000-of-00001.parquet", row())
    with pytest.raises(UsageError, match=r"v1.*v2.*give the files of one"):
        read(v1, v2, root=tmp_path)
    with pytest.raises(UsageError, match=r"config v1.*v2"):
        read(v1, root=tmp_path, config="v2")
    with pytest.raises(UsageError, match="config"):
        read(v1, root=tmp_path, config="v3")
    assert read(v1, root=tmp_path, config="v1").questions[0].flags[0] == "config:v1"


@pytest.mark.parametrize(
    ("names", "config"),
    [
        (
            ["v1/train-00000-of-00002.parquet", "v1/train-00001-of-00002.parquet", "v1/test-00000-of-00001.parquet"],
            "v1",
        ),
        (["cinepile_v2_train.parquet", "x/v2/train/0000.parquet", "x/v2/test/0000.parquet"], "v2"),
        (["data/train-00000-of-00001.parquet"], None),
        (["my_v1_disk/a/cinepile/v2/train.parquet"], "v2"),
        (["cinepile_v2_train.parquet", "v1/train/0000.parquet"], UsageError),
        (["a/train-00000-of-00002.parquet", "b/train-00000-of-00002.parquet"], UsageError),
        (["a/train-00000-of-00002.parquet", "b/train-00000-of-00003.parquet"], UsageError),
    ],
)
def test_which_config_paths_are_of(tmp_path, names, config):
    paths = [tmp_path / "set" / "of" / name for name in names]
    if config is UsageError:
        with pytest.raises(UsageError, match="give the files of one"):
            one_config(paths, None)
    else:
        assert one_config(paths, None) == config


@pytest.mark.parametrize(
    ("changes", "reason", "named"),
    [
        ({"yt_clip_link": None}, "missing_field", "yt_clip_link"),
        ({"yt_clip_link": "https://www.youtube.com/watch?v=short"}, "bad_field", "yt_clip_link"),
        ({"yt_clip_link": "https://[x/watch?v=" + VIDEO}, "bad_field", "yt_clip_link"),
        ({"yt_clip_link": "https://youtu.be/../../../etc"}, "bad_field", "yt_clip_link"),
        ({"question": None}, "missing_field", "question"),
        ({"question": "\n "}, "empty_question", "question"),
        ({"choices": None}, "missing_field", "choices"),
        ({"choices": []}, "no_options", "options"),
        ({"choices": ["one", None]}, "bad_field", "choices"),
        ({"answer_key_position": None}, "missing_field", "answer_key_position"),
        ({"answer_key_position": 5}, "answer_out_of_range", "answer_key_position"),
        ({"answer_key_position": -1}, "answer_out_of_range", "answer_key_position"),
        ({"answer_key_position": 2}, "answer_mismatch", "answer_key"),
        ({"answer_key": None}, "missing_field", "answer_key"),
    ],
)
def test_broken_rows(tmp_path, changes, reason, named):
    """A broken row is rejected with its file, row and field; the rows beside it are kept."""
    path = write(tmp_path / "train.parquet", row(), row(**changes), row(question="last?"))
    found = read(path, root=tmp_path)
    assert [question.question for question in found.questions] == ["Who enters the hangar?", "last?"]
    (reject,) = found.rejects
    assert reject.reason == reason
    assert f"train.parquet row 1: {named}" in reject.detail


def test_odd_rows_are_kept(tmp_path):
    """Repeated rows have ids of their own; a key that is no choice at all is flagged; lettered choices lose letters."""
    path = write(
        tmp_path / "train.parquet",
        row(),
        row(),
        row(answer_key="Sean Archer, of the FBI"),
        row(answer_key=" sean. "),
        row(choices=["A) Castor", "B) Sean"], question="Qui entre ?\nVoilà"),
        row(choices=["same", "same", "c", "d", "e"], answer_key="same", question_category=None, hard_split=None),
    )
    found = read(path, root=tmp_path)
    assert len(found.questions) == 6 and not found.rejects
    assert len({question.qa_id for question in found.questions}) == 6
    assert ["answer_key_differs" in question.flags for question in found.questions] == [False] * 2 + [True] + [
        False
    ] * 3
    assert found.questions[4].options == ("Castor", "Sean")
    assert found.questions[5].flags == ("visual_reliance:False", "duplicate_options")


def test_text_that_is_not_utf8_costs_one_row(tmp_path):
    table = pa.Table.from_pylist([row(), row(), row(question="last?")])
    raw = pa.array([b"fine?", b"caf\xe9?", b"last?"], pa.binary())
    bad = pa.Array.from_buffers(pa.string(), 3, raw.buffers())
    path = tmp_path / "train.parquet"
    pq.write_table(table.set_column(table.column_names.index("question"), "question", bad), path)
    found = read(path, root=tmp_path)
    assert [question.question for question in found.questions] == ["fine?", "last?"]
    assert [(r.source_id, r.reason) for r in found.rejects] == [("train_1", "bad_text")]


@pytest.mark.fault("input missing or unreadable", "ingest", "named")
def test_files_that_cannot_be_read_are_named(tmp_path):
    """Missing, no parquet, damaged in the middle, or without a column."""
    path = tmp_path / "train.parquet"
    with pytest.raises(RefocusError, match=r"train\.parquet: no such"):
        read(path, root=tmp_path)
    path.write_text("<html>")
    with pytest.raises(RefocusError, match=r"train\.parquet: cannot be read as parquet"):
        read(path, root=tmp_path)
    good = write(path, *(row(question=f"{number}?" * 50) for number in range(500))).read_bytes()
    path.write_bytes(good[:200] + b"\xff" * 400 + good[600:])
    with pytest.raises(RefocusError, match=r"train\.parquet: cannot be read as parquet"):
        read(path, root=tmp_path)
    pq.write_table(pa.Table.from_pylist([row()]).drop(["choices"]), path)
    with pytest.raises(RefocusError, match=r"train\.parquet: no column 'choices'"):
        read(path, root=tmp_path)
