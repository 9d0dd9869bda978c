"""Questions and formats: right answers, honest evidence, and the same questions back through the real adapters."""

import json

import numpy as np
import pyarrow.parquet as pq
import pytest
from refocus.cli import main as cli
from refocus.config.world import WorldSettings
from refocus.qa.records import read_questions
from refocus.world.build_world import build, fingerprint
from refocus.world.questions import MOMENT_KINDS, STATIC_KINDS, ask, ask_many
from refocus.world.scene import sample_scene
from refocus.world.world_plan import BENCHMARKS, TRAINING, plan

SMALL = WorldSettings(training_videos=4, benchmark_videos=6)
FILES = {
    "nextqa": ["train.csv", "map_vid_vidorID.json"],
    "llava_video": ["0_30_s_academic_v0_1/0_30_s_academic_mc_v0_1_qa_processed.json"],
    "videomme": ["videomme/test-00000-of-00001.parquet"],
    "mlvu": ["json/2_needle.json"],
}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    out = tmp_path_factory.mktemp("world")
    build(SMALL, out)
    return out


@pytest.mark.parametrize("kind", [*MOMENT_KINDS, *STATIC_KINDS])
@pytest.mark.parametrize("options", [4, 5])
def test_the_answer_is_among_different_options_and_its_place_is_even(kind, options):
    rng = np.random.default_rng(1)
    scene = sample_scene(rng, 20.0)
    asked = [ask(rng, scene, kind, options) for _ in range(200)]
    assert all(len(set(q.options)) == options and q.answer == q.options[q.answer_index] for q in asked)
    counts = np.bincount([q.answer_index for q in asked], minlength=options)
    assert counts.min() > 0.5 * 200 / options


def test_the_evidence_of_a_moment_is_its_event_and_of_a_static_question_the_video():
    rng = np.random.default_rng(2)
    scene = sample_scene(rng, 25.0)
    for event in scene.events:
        question = ask(rng, scene, "moment/color", 4, event)
        assert (question.start_s, question.end_s, question.answer) == (event.start_s, event.end_s, event.color)
        assert event.shape in question.text
    static = ask(rng, scene, "static/background", 4)
    assert (static.start_s, static.end_s, static.answer) == (0.0, 25.0, scene.background)


def test_every_event_is_asked_for_before_one_is_asked_for_twice():
    rng = np.random.default_rng(3)
    scene = sample_scene(rng, 13.0)
    moments = [q for q in ask_many(rng, scene, len(scene.events) + 2, 1, 4) if q.kind in MOMENT_KINDS]
    spans = [(q.start_s, q.end_s) for q in moments]
    assert len(set(spans)) == len(scene.events)
    assert len({(q.kind, *span) for q, span in zip(moments, spans, strict=True)}) == len(moments)


@pytest.mark.parametrize("part", [*TRAINING, *BENCHMARKS])
def test_the_real_adapters_read_every_question_back(world, tmp_path, part):
    files = [str(world / part / name) for name in FILES[part]]
    arguments = ["--videos", str(world / part), "--name", part, "--out", str(tmp_path), "--shards", "1"]
    assert cli.main(["ingest", part, "--annotations", *files, *arguments]) == 0
    read = {q.source_id: q for q in read_questions(tmp_path / f"{part}.parquet")}
    asked = [q for video in plan(SMALL, part) for q in video.questions]
    assert len(read) == len(asked)
    assert pq.read_table(tmp_path / f"{part}.rejects.parquet").num_rows == 0
    assert sorted((q.category, q.question.rstrip("?"), q.options[q.answer_index]) for q in read.values()) == sorted(
        (q.kind, q.text, q.answer) for q in asked
    )
    if part in BENCHMARKS:
        truth = pq.read_table(world / "truth" / f"{part}.parquet").to_pylist()
        assert {(row["source_id"], row["kind"]) for row in truth} == {(q.source_id, q.category) for q in read.values()}


def test_a_world_built_again_keeps_its_videos_and_another_seed_is_another_world(world):
    videos = sorted(world.rglob("*.mp4"))
    before = {path: path.stat().st_mtime_ns for path in videos}
    assert len(videos) == SMALL.training_videos + SMALL.benchmark_videos
    videos[0].unlink()
    build(SMALL, world)
    assert [path for path in videos if path.stat().st_mtime_ns != before[path]] == [videos[0]]
    assert json.loads((world / "world.json").read_text())["fingerprint"] == fingerprint(SMALL)
    assert fingerprint(SMALL) != fingerprint(SMALL.model_copy(update={"seed": 1}))


def test_every_part_has_a_variable_rate_and_a_rotated_video():
    for part in (*TRAINING, *BENCHMARKS):
        encodings = [video.encoding for video in plan(WorldSettings(), part)]
        assert any(encoding.variable for encoding in encodings) and any(encoding.rotation for encoding in encodings)
        assert (
            len({(encoding.height, encoding.width) for encoding in encodings}) > 2
            and len({encoding.fps for encoding in encodings}) > 2
        )
