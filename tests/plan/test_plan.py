"""`refocus plan`: real tables where they are, stated guesses where not, and a cost that adds up."""

import json
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from refocus.cli.main import main
from refocus.config.decode import DecodeSettings
from refocus.config.plan import PlanSettings
from refocus.core.errors import UsageError
from refocus.core.files import write_table
from refocus.frames.index import IndexRow, write_index
from refocus.plan.estimate import make_plan
from refocus.plan.model_shapes import lmm_shape, read_lmm
from refocus.plan.plan_page import lines, plain
from refocus.plan.source_lengths import frames_of, read_source
from refocus.qa.clips import ClipRow
from refocus.qa.records import Question, write_questions
from refocus.qa.shard_lists import clips_table
from refocus.video.frame_plan import grid

from tests.support.planned import VALUES, configured
from tests.support.tiny_lmm import BUILDERS
from tests.support.videos import write_video


def question(number, clip, answer=0, options=("a", "b", "c")):
    text = f"What happens in part {number} of it?"
    return Question(
        f"q{number}", "toy", "train", clip, f"{clip}.mp4", None, None, text, options, answer, "", "", "", ()
    )


def ingest(tmp_path, clips, questions, name="toy"):
    write_questions(tmp_path / f"qa/{name}.parquet", questions, "ingest")
    write_table(tmp_path / f"qa/{name}.clips.parquet", clips_table(clips), "ingest")


def source(root, name="toy"):
    plan = make_plan(root, root.plan)
    return next(found for found in plan.sources if found.name == name)


@settings(deadline=None)
@given(st.floats(0.001, 4000), st.sampled_from([(4.0, 512), (1.0, 7), (0.3, 100)]))
def test_frames_of_a_length_are_as_many_as_the_grid_has(seconds, rate):
    decode = DecodeSettings(fps=rate[0], max_frames=rate[1])
    assert frames_of(np.array([seconds]), decode).tolist() == [len(grid(seconds, *rate))]


def test_questions_are_those_of_each_clip(tmp_path):
    """Clips without questions are decoded and not scored; open questions and impossible answers are neither."""
    clips = [ClipRow(name, f"{name}.mp4", 0.0, 10.0, 0) for name in "abc"]
    asked = [question(0, "a"), question(1, "a"), question(2, "b"), question(3, "b", -1, ()), question(4, "b", 3)]
    ingest(tmp_path, clips, asked)
    found = source(configured(tmp_path))
    assert (found.questions, found.scored, found.clips, found.frames, found.seconds) == (5, 3, 3, 120, 30)
    [group] = found.groups
    assert (group.n_frames, group.clips, group.questions) == (40, 2, 3)


def test_a_clips_frames_come_from_its_best_source(tmp_path):
    """An index knows best, then the clip's bounds, then headers of videos, then the configuration."""
    clips = [
        ClipRow("index", "index.mp4", 0.0, 10.0, 0),
        ClipRow("failed", "failed.mp4", 0.0, 10.0, 0),
        ClipRow("bounds", "bounds.mp4", 2.0, 7.0, 1),
        ClipRow("header", "video.mp4", None, None, 1),
    ]
    ingest(tmp_path, clips, [question(n, clip.clip_id) for n, clip in enumerate(clips)])
    times = [index * 0.5 for index in range(9)]
    rows = [
        IndexRow("index", "ok", None, 9, times, list(range(9)), "0.tar", [0] * 9, [1] * 9),
        IndexRow("failed", "failed", "no", 0, [], [], "0.tar", [], []),
    ]
    write_index(tmp_path / "frames/toy/000000.index.parquet", rows, {})
    guess = {"plan": {"sources": {"toy": {"seconds": [3.0]}}}}
    root = configured(tmp_path, **guess)
    found = source(root)
    assert found.known_from == {"index": 2, "bounds": 1, "assumed": 1}
    assert {group.n_frames: group.questions for group in found.groups} == {9: 1, 20: 1, 12: 1}
    write_video(tmp_path / "videos/video.mp4", [n / 30 for n in range(60)])
    found = source(root)
    assert found.known_from == {"index": 2, "bounds": 1, "headers": 1}
    assert {group.n_frames for group in found.groups} == {9, 20, 8}
    assert source(configured(tmp_path, plan={"probe": 0})).known_from["unknown"] == 1


def test_lengths_that_nothing_knows_are_the_longest_there_can_be(tmp_path):
    ingest(tmp_path, [ClipRow("a", "a.mp4", None, None, 0)], [question(0, "a")])
    assert source(configured(tmp_path)).frames == 512


def test_a_guess_stands_for_clips_of_equally_common_lengths(tmp_path):
    found = source(configured(tmp_path), "exam")
    assert {group.n_frames: (group.clips, group.questions) for group in found.groups} == {32: (5, 50), 512: (5, 50)}


def test_a_source_nobody_knows_is_named_and_counts_nothing(tmp_path):
    plan = make_plan(configured(tmp_path), PlanSettings())
    assert plan.uncounted == ("toy", "exam") and not plan.costs
    assert any("NOT COUNTED" in line and "toy, exam" in line for line in lines(plan))


@pytest.fixture
def whole(tmp_path):
    """A configuration with an ingested data set and a guessed benchmark."""
    clips = [ClipRow(f"c{n}", f"c{n}.mp4", 0.0, 4.0 + 40 * n, n % 3) for n in range(4)]
    ingest(tmp_path, clips, [question(n, f"c{n % 4}") for n in range(20)])
    return configured(tmp_path)


def test_the_total_is_the_sum_and_jobs_are_shards_runs_and_tables(whole):
    found = plain(make_plan(whole, whole.plan))
    for key in ("jobs", "flops", "gpu_hours", "naive_gpu_hours", "disk_bytes", "core_hours", "tokens"):
        assert found["total"][key] == pytest.approx(sum(stage[key] for stage in found["stages"]))
    jobs = {(stage["stage"], stage["name"]): stage["jobs"] for stage in found["stages"]}
    assert jobs == {
        ("decode", "toy"): 3,
        ("decode", "exam"): 2,
        ("reward", "lmm"): 3,
        ("train", "r"): 1,
        ("answer", "lmm"): 1,
    }
    assert json.loads(json.dumps(found)) == found


def test_sharing_more_costs_less_and_never_more_than_naive(whole):
    found = plain(make_plan(whole, whole.plan))
    hours = [scheme["gpu_hours"] for scheme in found["reward_schemes"].values()]
    assert hours == sorted(hours, reverse=True) and hours[-1] < hours[0] / 3
    assert all(stage["gpu_hours"] <= stage["naive_gpu_hours"] * (1 + 1e-9) for stage in found["stages"])


def test_hours_follow_rate_and_efficiency_and_flop_do_not(whole):
    slow, fast = (
        plain(make_plan(whole, whole.plan.model_copy(update={"tflops": rate, "efficiency": share})))
        for rate, share in ((100.0, 0.25), (200.0, 0.5))
    )
    assert slow["total"]["gpu_hours"] == pytest.approx(4 * fast["total"]["gpu_hours"])
    assert slow["total"]["flops"] == fast["total"]["flops"]
    assert slow["reward_schemes"]["naive"]["flops"] / (100e12 * 0.25) / 3600 == pytest.approx(
        slow["reward_schemes"]["naive"]["gpu_hours"]
    )


def test_training_is_billed_by_the_questions_it_visits(whole, tmp_path):
    """Twice the epochs are twice the tokens; features that fit the cache are computed once; clips with no more frames
    than picks are left out, as training leaves them out."""

    def cost(cache=16.0, **train):
        train["runtime"] = {"feature_cache_gb": cache}
        root = configured(tmp_path, train=train, plan={"kept_share": 1.0})
        return next(cost for cost in make_plan(root, root.plan).costs if cost.stage == "train")

    once, twice = cost(), cost(epochs=2)
    assert twice.tokens == pytest.approx(2 * once.tokens)
    assert twice.frames == once.frames == 2 * (176 + 336 + 496)  # by both towers
    assert cost(cache=0.0, epochs=2).frames > 5 * once.frames
    assert (once.clips, cost(picks=8).clips) == (3, 4)


def test_kept_pairs_are_counted_once_the_filter_has_run(whole, tmp_path):
    assert make_plan(whole, whole.plan).pairs == pytest.approx(0.102 * 20)
    write_questions(tmp_path / "filtered/lmm/pairs.parquet", [question(n, "c0") for n in range(7)], "filter")
    plan = make_plan(whole, whole.plan)
    assert plan.pairs == 7 and any("counted in pairs.parquet" in note for note in plan.notes)


def test_every_assumption_is_listed(whole):
    notes = " ".join(make_plan(whole, whole.plan).notes)
    for word in ("exam is not ingested", "790 TFLOP/s x 50%", "published shape", "assumed: 10.2%", "25 s of video"):
        assert word in notes


def test_an_lmm_of_unknown_shape_is_refused(tmp_path):
    with pytest.raises(UsageError, match="shape of this LMM is not known"):
        lmm_shape("somebody/some-model")
    with pytest.raises(UsageError, match="cost of a 'idefics3'"):
        vision = {"patch_size": 14, "image_size": 384, "hidden_size": 8}
        read_lmm({"model_type": "idefics3", "vision_config": vision, "text_config": {}}, "config.json")


def test_a_folders_config_is_read_as_transformers_writes_it(lmm_folder):
    shape, where = lmm_shape(str(lmm_folder))
    assert where == str(lmm_folder / "config.json")
    assert (shape.tower.tokens, shape.tower.patches, shape.frame_tokens, shape.head_dim) == (17, 16, 4, 12)


@pytest.mark.parametrize(
    ("family", "frame", "connector"), [("qwen2_5_vl", 4, 4), ("qwen3_vl", 14, 8), ("qwen3_vl_moe", 14, 8)]
)
def test_qwen_models_have_a_shape_too(family, frame, connector, tmp_path):
    """Four tokens a frame, with a marker in Qwen3-VL, whose one layer of DeepStack has a connector of its own."""
    folder = BUILDERS[family](tmp_path)
    shape, _ = lmm_shape(str(folder))
    assert (shape.frame_tokens, shape.connector_tokens, shape.connector_in) == (frame, connector, 4 * 32)
    assert (shape.tower.layers, shape.tower.patches, shape.tower.ffn) == (2, 16, 96 if family == "qwen2_5_vl" else 64)
    assert (shape.layers, shape.width, shape.heads, shape.kv_heads, shape.head_dim) == (2, 64, 4, 2, 16)
    assert shape.ffn == (2 * 32 if family == "qwen3_vl_moe" else 96)  # two experts a token


def test_the_papers_configuration_is_planned_without_torch(repository, tmp_path):
    """As a command, in a folder without any data: status 0, and the reward pass near what the issue expects."""
    code = (
        "import sys; from refocus.cli.main import main; status = main(sys.argv[1:]);"
        "sys.exit(status or 'torch' in sys.modules)"
    )
    overlay = ["--base", repository / "config.yaml", "--configfile", repository / "config/paper.yaml", "--json"]
    command = [sys.executable, "-c", code, "plan", *map(str, overlay)]
    done = subprocess.run(
        command, cwd=tmp_path, env={"PYTHONPATH": str(repository / "pipeline")}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert not found["not_counted"]
    assert found["reward_schemes"]["naive"]["gpu_hours"] > 4 * found["reward_schemes"]["prefix_tree"]["gpu_hours"]


def test_flags_win_over_the_configuration(repository, capsys):
    words = ["plan", "--base", str(repository / "config.yaml"), "--gpu", "a card", "--tflops", "123"]
    assert main(words) == 0
    assert capsys.readouterr().out.startswith("GPU: a card, 123 TFLOP/s at 50%\n")


def test_real_questions_of_nextqa(shared_data, tmp_path):
    """4,996 questions on 570 clips, ingested from the published files."""
    from refocus.plan.prompt_tokens import PromptTokens

    files = [str(shared_data / "annotations/nextqa" / name) for name in ("val.csv", "map_vid_vidorID.json")]
    words = ["--annotations", *files, "--videos", str(tmp_path), "--name", "toy", "--out", str(tmp_path / "qa")]
    assert main(["ingest", "nextqa", *words]) == 0
    root = configured(tmp_path, plan={"sources": {"toy": {"seconds": [44.0]}}})
    found = read_source(root, "toy", root.plan, PromptTokens((0,), 12, 3, 0.25))
    assert (found.questions, found.scored, found.clips) == (4996, 4996, 570)
    [group] = found.groups
    assert (group.n_frames, group.clips) == (176, 570)
    assert 55 < group.tokens / group.questions < 62  # 126 characters, five options


def test_scores_of_training_free_selectors_are_counted_where_one_is_used(tmp_path):
    """100 questions on 10 clips, half of 32 and half of 512 frames: each frame once per clip, not once per question."""
    changes = {
        "scorers": {"siglip": {"path": "google/siglip-so400m-patch14-384"}},
        "certainty": {"model": "lmm"},
        "use": {"selectors": ["uniform", "topk", "mdp3", "confidence"]},
    }
    plan = make_plan(root := configured(tmp_path, **changes), root.plan)
    costs = {cost.stage: cost for cost in plan.costs}
    frames = 5 * 32 + 5 * 512
    assert costs["embed"].frames == costs["certainty"].frames == frames
    assert costs["embed"].jobs == costs["certainty"].jobs == 2
    assert costs["embed"].naive_frames == costs["certainty"].naive_frames == 10 * frames
    shape = lmm_shape(VALUES["lmms"]["lmm"]["path"])[0]
    asked = costs["certainty"]
    prefix = (asked.naive_tokens - asked.tokens) / (asked.naive_frames - asked.frames)  # what sharing a frame saves
    assert shape.frame_tokens < prefix < shape.frame_tokens + 200
    assert asked.naive_flops > asked.flops > 0 and costs["embed"].flops > 0
    usual = make_plan(root := configured(tmp_path), root.plan)
    assert not {"embed", "certainty"} & {cost.stage for cost in usual.costs}
