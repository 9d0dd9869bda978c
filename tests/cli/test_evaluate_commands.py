"""answer, tables and summary by hand: from picks and a video to the printed page, with a tiny random LMM."""

import av
import numpy as np
import pyarrow.parquet as pq
import pytest
from refocus.cli.main import main
from refocus.evaluate.answers import UNREADABLE, read_answers
from refocus.frames.index import IndexRow, write_index
from refocus.qa.records import Question, write_questions
from refocus.select.picks import Selection, VideoFile
from refocus.select.selections import file_name, write_selections

from tests.support.tiny_lmm import build_lmm

N = 3


def question(number: int, video: str) -> Question:
    kind = ("moment/color", "static/corner")[number % 2]
    options = ("red", "green", "blue")
    return Question(
        f"q{number}",
        "bench",
        "test",
        video,
        video,
        None,
        None,
        "What colour?",
        options,
        0,
        "red",
        kind,
        f"{number}",
        (),
    )


QUESTIONS = [question(0, "a.mp4"), question(1, "a.mp4"), question(2, "gone.mp4")]


def picks(*frames: int) -> Selection:
    return Selection(frames, tuple(frame / 10 for frame in frames), frames)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A benchmark of two videos, one of them missing, with the picks of two selectors for two and three frames."""
    root = tmp_path_factory.mktemp("bench")
    write_questions(root / "bench.parquet", QUESTIONS, "ingest", {"format": "videomme"})
    (root / "videos").mkdir()
    rng = np.random.default_rng(0)
    with av.open(str(root / "videos" / "a.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for _ in range(20):
            image = np.full((48, 64, 3), rng.integers(0, 255, 3), np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
    for selector, frames in (("uniform", (4, 10, 16)), ("refocus/demo", (0, 1, 2))):
        for n in (2, N):
            rows = {q.qa_id: picks(*frames[:n]) for q in QUESTIONS}
            out = root / "selections" / selector.replace("/", "--") / file_name(n, 0)
            write_selections(out, rows, {"selector": selector, "seed": 0, "frames": n})
    build_lmm(root / "lmm")
    return root


@pytest.fixture(scope="module")
def answered(folder):
    for selector in ("uniform", "refocus--demo"):
        flags = ["--qa", folder / "bench.parquet", "--selections", folder / "selections" / selector]
        flags += ["--videos", folder / "videos", "--model", folder / "lmm", "--lmm-settings", '{"dtype": "float32"}']
        flags += ["--device", "cpu", "--max-failure-rate", 1, "--out", folder / "answers" / selector]
        assert main(["answer", *map(str, flags)]) == 0
    return folder


def test_every_question_has_a_row_and_a_missing_video_is_flagged(answered):
    made = read_answers(answered / "answers" / "uniform" / file_name(N, 0))
    assert (made.benchmark, made.lmm, made.selector, made.frames) == ("bench", "lmm", "uniform", N)
    assert [answer.flags for answer in made.answers.values()] == [(), (), (UNREADABLE,)]
    for answer in list(made.answers.values())[:2]:
        assert len(answer.logits) == 3 and answer.prediction == int(np.argmax(answer.logits))
        assert answer.raw_reply == "ABC"[answer.prediction] and answer.correct == (answer.prediction == 0)


def test_other_frames_and_other_numbers_of_frames_give_other_logits(answered):
    logits = {
        (selector, n): read_answers(answered / "answers" / selector / file_name(n, 0)).answers["q0"].logits
        for selector in ("uniform", "refocus--demo")
        for n in (2, N)
    }
    assert len(set(logits.values())) == 4


def test_the_tables_are_made_and_the_summary_prints_them(answered, capsys):
    tables, figures = answered / "tables", answered / "figures"
    flags = ["--qa", answered / "bench.parquet", "--answers", answered / "answers", "--out", tables]
    assert main(["tables", *map(str, flags), "--n-frames", str(N)]) == 0
    made = ("table1", "table4", "selectors", "world", "world_frames")
    names = {f"{name}.{kind}" for name in made for kind in ("csv", "html", "md", "tex")}
    assert {path.name for path in tables.iterdir()} == names
    assert main(["summary", "--tables", str(tables), "--figures", str(figures)]) == 0
    text = capsys.readouterr().out
    assert "Synthetic world" in text and "Table 1" in text and "figures: none yet" in text
    assert "4 answers whose picked frames could not be read" in text


def test_wrong_requests_end_with_status_2(answered, tmp_path):
    bench, answers = str(answered / "bench.parquet"), str(answered / "answers")
    picked = str(answered / "selections" / "uniform")
    assert main(["tables", "--qa", bench, "--answers", answers, "--out", str(tmp_path), "--n-frames", "7"]) == 2
    assert main(["answer", "--qa", bench, "--selections", picked, "--out", str(tmp_path)]) == 2
    flags = ["--model", str(answered / "lmm"), "--videos", str(tmp_path), "--out", str(tmp_path), "--n-frames", "5"]
    assert main(["answer", "--qa", bench, "--selections", picked, *flags]) == 2
    assert main(["summary", "--tables", str(tmp_path)]) == 2


def test_picks_of_another_program_are_answered_beside_ours(answered, tmp_path):
    """Frames that no stored frame is: each is decoded from the video, and counted in the table of costs."""
    video = VideoFile("a.mp4", "digest", 20, 10.0, 2.0)
    rows = {q.qa_id: Selection((), (0.3, 1.1, 1.7), (), frames_indices=(3, 11, 17), file=video) for q in QUESTIONS}
    picked = tmp_path / "selections" / file_name(N, 0)
    write_selections(picked, rows, {"selector": "imported/aks", "seed": 0, "frames": N})
    flags = ["--qa", answered / "bench.parquet", "--videos", answered / "videos", "--model", answered / "lmm"]
    flags += ["--lmm-settings", '{"dtype": "float32"}', "--device", "cpu", "--max-failure-rate", 1]
    flags += ["--selections", picked.parent]
    assert main(["answer", *map(str, flags), "--out", str(tmp_path / "answers")]) == 0
    made = read_answers(tmp_path / "answers" / file_name(N, 0))
    assert made.selector == "imported/aks"
    assert [answer.flags for answer in made.answers.values()] == [(), (), (UNREADABLE,)]
    assert made.answers["q0"].frames_indices == (3, 11, 17) and made.answers["q0"].n_frames == 3
    ours = picks(3, 11, 17)
    write_selections(tmp_path / "ours" / file_name(N, 0), dict.fromkeys(rows, ours), {"selector": "ours", "seed": 0})
    flags[-1] = tmp_path / "ours"
    assert main(["answer", *map(str, flags), "--out", str(tmp_path / "same")]) == 0
    same = read_answers(tmp_path / "same" / file_name(N, 0))
    assert made.answers["q0"].logits == same.answers["q0"].logits  # the same moments
    words = ["--qa", answered / "bench.parquet", "--answers", answered / "answers", tmp_path / "answers"]
    words += ["--out", tmp_path / "tables"]
    assert main(["tables", *map(str, words), "--n-frames", str(N)]) == 0
    assert "imported/aks" in (tmp_path / "tables" / "selectors.md").read_text()


def test_picks_that_are_not_stored_cannot_be_answered_from_stored_frames(answered, tmp_path, caplog):
    rows = {q.qa_id: Selection((), (0.3,), (), frames_indices=(3,), file=VideoFile("a.mp4")) for q in QUESTIONS}
    write_selections(tmp_path / "n1.s0.parquet", rows, {"selector": "imported/aks", "seed": 0})
    index = tmp_path / "000000.index.parquet"
    write_index(index, [IndexRow("a.mp4", "ok", None, 1, [0.0], [0], "0.tar", [0], [1])], {})
    words = ["--qa", answered / "bench.parquet", "--selections", tmp_path, "--model", answered / "lmm"]
    words += ["--pixels", "shard", "--index", index, "--device", "cpu", "--out", tmp_path / "answers"]
    words += ["--lmm-settings", '{"dtype": "float32"}']
    assert main(["answer", *map(str, words)]) == 2
    assert "--pixels native" in caplog.text


def test_answers_from_before_the_files_frame_numbers_read(answered, tmp_path):
    table = answered / "answers" / "uniform" / file_name(N, 0)
    pq.write_table(pq.read_table(table).drop_columns(["frames_indices"]), tmp_path / table.name)
    old, now = read_answers(tmp_path / table.name), read_answers(table)
    assert [answer.n_frames for answer in old.answers.values()] == [answer.n_frames for answer in now.answers.values()]
