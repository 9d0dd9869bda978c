"""embed, certainty and select by hand: from a video to picks and what they cost, with tiny random models."""

import json

import pyarrow.parquet as pq
import pytest
from refocus.cli.main import main
from refocus.qa.records import read_questions
from refocus.select.cost import read_selection_cost
from refocus.select.selections import read_selection_folder

from tests.support.tiny_lmm import build_lmm
from tests.support.tiny_scorer import build_siglip
from tests.support.videos import constant, write_video

ROWS = [
    {"qid": "0", "question": "what colour is the circle ?", "a": ["red", "green", "blue", "yellow", "a circle"]},
    {"qid": "1", "question": "what is shown after the square ?", "a": ["red", "green", "blue", "yellow", "a circle"]},
]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A benchmark of one video of three seconds, its frames, and two tiny models."""
    home = tmp_path_factory.mktemp("scores")
    write_video(home / "videos" / "1.mp4", constant(3.0))
    lines = ["video,frame_count,width,height,question,answer,qid,type,a0,a1,a2,a3,a4"]
    lines += [f"1,72,64,48,{row['question']},0,{row['qid']},TC,{','.join(row['a'])}" for row in ROWS]
    (home / "train.csv").write_text("\n".join(lines) + "\n")
    (home / "map.json").write_text(json.dumps({"1": "1"}))
    words = ["--annotations", home / "train.csv", home / "map.json", "--videos", home / "videos"]
    assert main(["ingest", "nextqa", *map(str, words), "--name", "bench", "--out", str(home / "qa")]) == 0
    words = [home / "qa/bench.clips.parquet", "--videos", home / "videos", "--out", home / "000000.tar", "--shard", 0]
    assert main(["decode", *map(str, words)]) == 0
    build_siglip(home / "siglip")
    build_lmm(home / "lmm")
    return home


@pytest.fixture(scope="module")
def scored(home):
    bench = ["--qa", home / "qa/bench.parquet", "--index", home / "000000.index.parquet", "--device", "cpu"]
    for command, model in (("embed", "siglip"), ("certainty", "lmm")):
        words = [*bench, "--model", home / model, "--dtype", "float32", "--out", home / f"{command}.parquet"]
        assert main([command, *map(str, words)]) == 0
    return home


def pick(home, name, *more):
    words = ["--qa", home / "qa/bench.parquet", "--index", home / "000000.index.parquet", "--selector", name]
    assert main(["select-benchmark", *map(str, [*words, *more, "--n-frames", 2, 4, "--out", home / name])]) == 0
    return read_selection_folder(home / name), read_selection_cost(home / name / "cost.json")


@pytest.mark.parametrize("name", ["topk", "aks-options", "bolt", "mdp3-options"])
def test_similarity_picks_from_one_table(scored, name):
    picked, spent = pick(scored, name, "--embeddings", scored / "embed.parquet")
    asked = [question.qa_id for question in read_questions(scored / "qa/bench.parquet")]
    for n in (2, 4):
        assert list(picked.chosen[n]) == asked
        assert all(len(row.frame_indices) == n for row in picked.chosen[n].values())
    assert (spent.selector, spent.questions) == (name, 2)
    assert (spent.cost.frame_passes, spent.cost.text_passes, spent.cost.lmm_passes) == (12, 12, 0)
    assert spent.cost.seconds > 0


def test_confidence_costs_a_pass_per_question_and_frame(scored):
    picked, spent = pick(scored, "confidence", "--certainty", scored / "certainty.parquet")
    assert all(len(row.frame_indices) == 2 for row in picked.chosen[2].values())
    assert (spent.cost.frame_passes, spent.cost.lmm_passes) == (12, 24)


def test_numbers_of_a_method_are_part_of_what_made_the_picks(scored):
    numbers = '{"bolt_power": 0.0}'
    bent, _ = pick(scored, "bolt", "--embeddings", scored / "embed.parquet", "--training-free-settings", numbers)
    plain, spent = pick(scored, "uniform")
    for n in (2, 4):
        assert [row.frame_indices for row in bent.chosen[n].values()] == [
            row.frame_indices for row in plain.chosen[n].values()
        ]
    assert (spent.cost.frame_passes, spent.cost.lmm_passes) == (0, 0)
    notes = pq.read_schema(scored / "bolt" / "n2.s0.parquet").metadata[b"refocus.settings"]
    assert b'"bolt_power":0.0' in notes


@pytest.mark.parametrize(
    ("name", "model"),
    [("topk-options", "siglip"), ("mdp3", "siglip"), ("confidence", "lmm"), ("uniform", None), ("uniform-seen", None)],
)
def test_one_video_is_asked_without_a_benchmark(scored, capsys, name, model):
    """Scores are those of benchmark mode, as far as storing frames as JPEG lets them be."""
    question = read_questions(scored / "qa/bench.parquet")[0]
    words = [scored / "videos/1.mp4", question.question, "--selector", name, "--frames", 4, "--json"]
    words += [word for option in question.options for word in ("--option", option)]
    words += ["--model", scored / model] if model else []
    capsys.readouterr()
    assert main(["select", *map(str, words)]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert len(answer["candidate_indices"]) == (4 if name != "uniform-seen" else 12)
    if name in ("topk-options", "uniform"):
        made = pick(scored, name, "--embeddings", scored / "embed.parquet")[0].chosen[4][question.qa_id]
        if name == "uniform":
            assert answer["candidate_indices"] == list(made.frame_indices) and answer["score"] == []
        else:
            assert max(answer["score"]) == pytest.approx(max(made.score), abs=0.02)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--selector", "confidence"], "needs a model, the LMM"),
        (["--selector", "topk"], "google/siglip2-base-patch16-224 is neither a folder nor a hub model"),
        (["--selector", "oracle"], "for a benchmark only"),
        (["--selector", "refocus/demo"], "for a benchmark only"),
        (["--selector", "nearest"], "no selector is called"),
    ],
)
def test_what_one_video_cannot_be_asked_is_said(scored, caplog, words, reason):
    assert main(["select", str(scored / "videos/1.mp4"), "What?", *words]) == 2
    assert reason in caplog.text
