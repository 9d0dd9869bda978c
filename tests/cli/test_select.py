"""`refocus select`: one video, many videos, many questions, and everything it writes."""

import errno
import json
import os

import av
import pyarrow.parquet as pq
import pytest

torch = pytest.importorskip("torch")

from PIL import Image  # noqa: E402
from refocus.cli.main import main  # noqa: E402
from refocus.select.fonts import font_for  # noqa: E402
from refocus.select.moments import spans_around  # noqa: E402

from tests.support.grey_video import write_greys  # noqa: E402
from tests.support.tiny_policy import build_policy  # noqa: E402


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    build_policy(0, torch.float32).save_pretrained(home / "policy")
    for name in ("one", "two"):
        write_greys(home / f"{name}.mp4", range(30), width=160, height=48)
    for folder in ("saved", "table.jsonl"):
        (home / folder).mkdir()
    (home / "saved" / "0001-frame2-0.200s.jpg").touch()
    return home


@pytest.fixture
def select(home, capsys):
    def run(*words):
        status = main(["select", *map(str, words), "--model", str(home / "policy")])
        return status, capsys.readouterr().out

    return run


def test_one_video_writes_frames_sheet_and_moments(select, home, tmp_path):
    flags = ["--frames", 4, "--json", "--contact-sheet", tmp_path / "sheet.png", "--clip", tmp_path / "clip.mp4"]
    status, text = select(
        home / "one.mp4", "Wer trägt den Hut?", "--option", "für", *flags, "--save-frames", tmp_path / "f"
    )
    picked = json.loads(text)
    assert status == 0 and len(picked["timestamps_s"]) == 4 and len(picked["likelihood"]["values"]) == 12
    saved = sorted((tmp_path / "f").iterdir())
    assert len(saved) == 4
    with Image.open(saved[0]) as image:
        assert image.size == (160, 48)
    spans = spans_around(picked["timestamps_s"], 2.0, 3.0)
    with av.open(str(tmp_path / "clip.mp4")) as clip:
        assert clip.streams.video[0].frames == round(sum(end - start for start, end in spans) * 25)
        assert clip.streams.video[0].width == 160


def test_frames_are_saved_all_or_not_at_all(select, home, tmp_path, monkeypatch, caplog):
    """After a full disk the same command works."""
    from refocus.select import frame_files

    encode, made = frame_files.jpeg, []

    def full(picture):
        made.append(1)
        if len(made) == 3:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return encode(picture)

    words = [home / "one.mp4", "What?", "--frames", 4, "--save-frames", tmp_path / "f"]
    monkeypatch.setattr(frame_files, "jpeg", full)
    assert select(*words)[0] == 1 and "No space left" in caplog.text
    assert len(made) == 3 and list((tmp_path / "f").iterdir()) == []
    assert select(*words)[0] == 0 and len(list((tmp_path / "f").iterdir())) == 4


def test_a_sheet_keeps_the_frames_aspect(select, home, tmp_path):
    """160 x 48 pixels become 240 x 72: the row below them is white."""
    select(home / "one.mp4", "What?", "--frames", 2, "--contact-sheet", tmp_path / "sheet.png")
    with Image.open(tmp_path / "sheet.png") as sheet:
        column = "".join(" #"[sheet.getpixel((8 + 239, row)) != (255, 255, 255)] for row in range(sheet.height))
    assert max(map(len, column.split())) == 72


def test_letters_beyond_ascii_are_written(caplog):
    """No letter is the box of a missing one; where no font has it, it is spelled otherwise and the log says so."""
    for text in ("Wer trägt Ähren?", "что", "何が見えますか"):
        font, written = font_for(text, 15)
        box = bytes(font.getmask("\U0010fffe"))
        assert all(bytes(font.getmask(letter)) != box for letter in written if not letter.isspace())
        assert written == text or "no font" in caplog.text


def test_spans_that_meet_are_joined():
    assert spans_around([0.5, 5.0, 6.0, 9.9], 2.0, 10.0) == [(0.0, 1.5), (4.0, 7.0), (8.9, 10.0)]


@pytest.mark.parametrize("ending", ["parquet", "jsonl"])
def test_a_pattern_of_videos_gives_a_table(select, home, tmp_path, ending):
    out = tmp_path / f"picks.{ending}"
    assert select(home / "*.mp4", "What colour is it?", "--frames", 3, "--out", out)[0] == 0
    if ending == "parquet":
        rows = pq.read_table(out).to_pylist()
    else:
        rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert [row["video"].rpartition("/")[2] for row in rows] == ["one.mp4", "two.mp4"]
    assert all(len(row["frames_indices"]) == 3 and row["total_num_frames"] == 30 for row in rows)
    assert all(row["error"] is None and row["selector"] == "refocus" for row in rows)


def test_fewer_frames_than_asked_are_told(select, home, tmp_path, caplog):
    caplog.set_level("INFO")
    assert select(home / "one.mp4", "What?", "--frames", 13)[0] == 0
    assert "fewer than 13: all candidate frames" in caplog.text
    assert select(home / "*.mp4", "What?", "--frames", 14, "--out", tmp_path / "picks.jsonl")[0] == 0
    assert "2 of these got fewer than 14 frames" in caplog.text


def test_a_table_of_questions_gives_the_picks_that_each_gets_alone(select, home, tmp_path):
    table = tmp_path / "questions.csv"
    table.write_text("id,video,question,option_a,option_b\n1,one.mp4,What colour is it?,red,green\n2,two.mp4,What?,,\n")
    out = tmp_path / "picks.jsonl"
    assert select("--questions", table, "--videos", home, "--out", out, "--frames", 3)[0] == 0
    first, second = [json.loads(line) for line in out.read_text().splitlines()]
    assert (first["id"], first["options"], second["options"]) == ("1", ["red", "green"], [])
    # drawn by the row's id, where it has one
    from refocus import Ask, FrameSelector

    alone = FrameSelector.from_pretrained(home / "policy")
    picked = alone.select_many(home / "one.mp4", [Ask("What colour is it?", ("red", "green"), "1")], 3)[0]
    assert tuple(first["pick_order"]) == picked.pick_order


@pytest.mark.parametrize("ending", ["parquet", "jsonl"])
def test_a_table_that_was_ended_goes_on_behind_the_videos_that_are_done(select, home, tmp_path, ending, monkeypatch):
    """And is the table of a run that nobody ended; a video that has changed, or a damaged part, is asked again."""
    from refocus.select.frame_selector import FrameSelector

    asked, ask = [], FrameSelector._one_of_batch

    def ended(self, decoded, *words):
        if len(asked) == stop:
            raise KeyboardInterrupt
        asked.append(1)
        return ask(self, decoded, *words)

    monkeypatch.setattr(FrameSelector, "_one_of_batch", ended)
    words = [home / "*.mp4", "What colour is it?", "--frames", 3]
    out, whole = (tmp_path / f"{name}.{ending}" for name in ("picks", "whole"))
    parts = out.with_name(f"{out.name}.parts")

    def again(until):
        nonlocal stop
        stop = until
        asked.clear()
        status = select(*words, "--out", out)[0]
        return status, len(asked)

    stop = None
    assert select(*words, "--out", whole)[0] == 0
    assert again(1) == (130, 1) and not out.exists() and len(list(parts.iterdir())) == 1
    assert again(None) == (0, 1) and out.read_bytes() == whole.read_bytes() and not parts.exists()
    again(1)
    part = next(parts.iterdir())
    part.write_text(part.read_text().replace("0.", "1.", 1))
    assert again(None) == (0, 2) and out.read_bytes() == whole.read_bytes()
    again(1)
    os.utime(home / "one.mp4")
    assert again(None) == (0, 2)


def test_a_broken_video_has_its_error_and_the_command_fails_at_the_end(select, home, tmp_path):
    (tmp_path / "broken.mp4").write_bytes(b"no video")
    out = tmp_path / "picks.jsonl"
    assert select(home / "one.mp4", tmp_path / "broken.mp4", home / "two.mp4", "What?", "--out", out)[0] == 1
    errors = [json.loads(line)["error"] for line in out.read_text().splitlines()]
    assert [error is None for error in errors] == [True, False, True] and "broken.mp4" in errors[1]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["{home}", "What?"], "is a folder"),
        (["https://example.org/a.mp4", "What?"], "is an address"),
        (["{home}/none*.mp4", "What?"], "no file matches"),
        (["{home}/one.mp4"], "name a video and a question"),
        (["{home}/one.mp4", "{home}/two.mp4"], "two.mp4 is a file, and the last word is the question"),
        (["{home}/one.mp4", "What", "is", "it?"], "there is no file What (videos come first, then one question"),
        (["{home}/o*.mp4", "{home}/none*.mp4", "What?", "--out", "picks.jsonl"], "none*.mp4 (videos come first"),
        (["{home}/one.mp4", " "], "the question is empty"),
        (["{home}/one.mp4", "What?", "--frames", "0"], "positive number"),
        (["{home}/one.mp4", "What?", "--selector", "topkk"], "'topkk'; a video is asked about with uniform, random"),
        (["{home}/one.mp4", "What?", "--selector", "refocus/demo"], "refocus/demo picks for a benchmark only; a video"),
        (["{home}/one.mp4", "{home}/two.mp4", "What?"], "need --out"),
        (["{home}/one.mp4", "What?", "--out", "picks.txt"], "name it .parquet or .jsonl"),
        (["{home}/one.mp4", "What?", "--out", "picks.jsonl", "--json"], "--json is for one video"),
        (["{home}/one.mp4", "What?", "--clip", "out.gif"], "ends with .mp4"),
        (["{home}/one.mp4", "What?", "--contact-sheet", "out.jpg"], "ends with .png"),
        (["{home}/one.mp4", "What?", "--save-frames", "{home}/one.mp4"], "one.mp4 is a file, not a folder"),
        (["{home}/one.mp4", "What?", "--save-frames", "{home}/saved"], "frames of an earlier call (0001-frame2-"),
        (["{home}/one.mp4", "What?", "--clip", "{home}/one.mp4/new/a.mp4"], "one.mp4 is a file, not a folder"),
        (["{home}/*.mp4", "What?", "--out", "{home}/table.jsonl"], "table.jsonl is a folder; name a file in it"),
        (["--questions", "{home}/none.csv"], "there is no file {home}/none.csv"),
        (["{home}/one.mp4", "What?", "--videos", "{home}"], "--videos belongs to --questions"),
    ],
)
def test_a_wrong_request_ends_before_a_model_is_loaded(home, words, says, caplog, monkeypatch):
    monkeypatch.setattr("refocus.select.by_name.selector_by_name", lambda *words: pytest.fail("a model is loaded"))
    assert main(["select", *(word.format(home=home) for word in words)]) == 2
    assert says.format(home=home) in caplog.text


def test_a_disk_that_may_not_be_written_to_is_said_before_a_model_is_loaded(home, caplog, monkeypatch):
    monkeypatch.setattr("refocus.select.by_name.selector_by_name", lambda *words: pytest.fail("a model is loaded"))
    monkeypatch.setattr("os.access", lambda path, mode: False)  # root may write nearly everywhere
    for flag, name in (("--contact-sheet", "sheet.png"), ("--save-frames", "frames"), ("--out", "picks.jsonl")):
        assert main(["select", str(home / "one.mp4"), "What?", flag, str(home / name)]) == 2
        assert f"{home / name}: nothing may be written to {home}" in caplog.text


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--selector", "uniform-seen", "--frames", "4"], "uniform-seen hands over all"),
        (["--selector", "mdp3-options", "--model", "{assets}/siglip"], "so mdp3-options compares with the"),
        (["--selector", "mdp3-options", "--model", "{assets}/siglip", "--option", "red"], None),
        (["--selector", "topk", "--model", "{assets}/siglip"], None),
    ],
)
def test_what_a_selector_does_otherwise_than_asked_is_said(home, repository, words, says, caplog):
    caplog.set_level("INFO")
    asked = [word.format(assets=repository / "assets") for word in words]
    assert main(["select", str(home / "one.mp4"), "What color is the star?", *asked]) == 0
    said = [line for line in caplog.messages if "whatever --frames" in line or "no --option" in line]
    assert len(said) == (says is not None) and (says or "") in "".join(said)


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ("video,question\nnone.mp4,What?\n", "row 2: there is no file"),
        ("video,text\none.mp4,What?\n", "no column 'question'"),
        ("video,question\none.mp4,\n", "row 2"),
        ("video,question\n", "has no question"),
    ],
)
def test_a_wrong_table_names_its_row(home, tmp_path, table, says, caplog):
    (tmp_path / "q.csv").write_text(table)
    words = ["--questions", str(tmp_path / "q.csv"), "--videos", str(home), "--out", str(tmp_path / "picks.jsonl")]
    assert main(["select", *words, "--model", str(home / "policy")]) == 2
    assert says in caplog.text


def test_the_benchmark_mode_has_moved(caplog):
    """The old spelling still works, for one version; here it ends because nothing is there."""
    words = ["select", "--qa", "none.parquet", "--index", "none", "--selector", "uniform", "--out", "out"]
    assert main(words) != 0
    assert "refocus select with a question table is now refocus select-benchmark" in caplog.text
