"""Questions and formats: right answers, honest evidence, and the same questions back through the real adapters."""

import json

import numpy as np
import pyarrow.parquet as pq
import pytest
from refocus.cli import main as cli
from refocus.config.world import WorldSettings
from refocus.qa.records import read_questions
from refocus.world.build_world import build, fingerprint
from refocus.world.questions import MOMENT_KINDS, SEQUENCE_KINDS, STATIC_KINDS, ask, ask_many, needed
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


@pytest.mark.parametrize("kind", [*MOMENT_KINDS, *SEQUENCE_KINDS, *STATIC_KINDS])
@pytest.mark.parametrize("most", [4, 5])
def test_the_answer_is_among_different_options_and_its_place_is_even(kind, most):
    options = 2 if kind == "sequence/order" else most
    rng = np.random.default_rng(1)
    scene = sample_scene(rng, 20.0)
    asked = [ask(rng, scene, kind, most) for _ in range(200)]
    assert all(len(set(q.options)) == options and q.answer == q.options[q.answer_index] for q in asked)
    counts = np.bincount([q.answer_index for q in asked], minlength=options)
    assert counts.min() > 0.5 * 200 / options


def test_the_evidence_of_a_moment_is_its_event_and_of_a_static_question_the_video():
    rng = np.random.default_rng(2)
    scene = sample_scene(rng, 25.0)
    for event in scene.events:
        question = ask(rng, scene, "moment/color", 4, event)
        assert (question.spans, question.answer) == (((event.start_s, event.end_s),), event.color)
        assert event.shape in question.text
    static = ask(rng, scene, "static/background", 4)
    assert (static.spans, static.answer) == (((0.0, 25.0),), scene.background)


@pytest.mark.parametrize("kind", SEQUENCE_KINDS)
def test_a_sequence_needs_two_events_in_a_row_and_names_what_retrieval_can_find(kind):
    """The answer is read off the event that is not named, or off which of two named ones comes first."""
    rng = np.random.default_rng(4)
    scene = sample_scene(rng, 30.0)
    at = {(event.start_s, event.end_s): place for place, event in enumerate(scene.events)}
    for event in scene.events:
        if not needed(kind, scene, event):
            assert event is scene.events[0 if kind == "sequence/before" else -1]
            continue
        question = ask(rng, scene, kind, 4, event)
        first, second = (at[span] for span in question.spans)
        assert second == first + 1
        pair = scene.events[first : second + 1]
        if kind == "sequence/order":
            assert question.answer == pair[0].shape and set(question.options) == {e.shape for e in pair}
            continue
        named, other = pair if kind == "sequence/after" else pair[::-1]
        assert named is event and named.shape in question.text and other.shape not in question.text
        assert question.answer in (other.color, other.place)


def test_which_of_two_comes_first_is_not_told_by_the_order_in_the_question():
    rng = np.random.default_rng(5)
    scene = sample_scene(rng, 30.0)
    asked = [ask(rng, scene, "sequence/order", 4) for _ in range(300)]
    said_first = [q.text.split(" the ")[1].split(" or")[0] == q.answer for q in asked]
    assert 0.4 < np.mean(said_first) < 0.6


def test_every_event_is_named_before_one_is_named_twice():
    rng = np.random.default_rng(3)
    scene = sample_scene(rng, 15.0)
    moments = [q for q in ask_many(rng, scene, 4, len(scene.events) + 2, 0, 1) if q.kind in MOMENT_KINDS]
    assert len({q.spans for q in moments}) == len(scene.events)
    assert len({(q.kind, q.spans) for q in moments}) == len(moments)


@pytest.mark.parametrize("seconds", [14.0, 40.0, 128.0])
def test_there_are_always_more_events_than_picks(seconds):
    assert all(len(sample_scene(np.random.default_rng(seed), seconds).events) > 4 for seed in range(20))


def test_held_out_videos_fill_the_longest_clip_and_training_videos_do_not():
    seconds = {part: [v.scene.duration_s for v in plan(WorldSettings(), part)] for part in (*TRAINING, *BENCHMARKS)}
    assert all(max(seconds[part]) <= 40 for part in TRAINING)
    assert all(sum(s > 124 for s in seconds[part]) == len(seconds[part]) // 3 for part in BENCHMARKS)
    assert all(s <= 128 for row in seconds.values() for s in row)


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
