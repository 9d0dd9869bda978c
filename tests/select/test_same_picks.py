"""One seed gives the same picks in the workflow, from Python and from the command."""

import json

import pytest

torch = pytest.importorskip("torch")

from refocus import Ask, Frames, FrameSelector  # noqa: E402
from refocus.config.decode import DecodeSettings  # noqa: E402
from refocus.config.select import SelectSettings  # noqa: E402
from refocus.config.selectors import SelectorName  # noqa: E402
from refocus.core.errors import UsageError  # noqa: E402
from refocus.frames.frame_store import FrameStore  # noqa: E402
from refocus.policy.trained_for import TrainedFor, write_trained_for  # noqa: E402
from refocus.select.build_selector import SelectorSources, build_selector  # noqa: E402
from refocus.select.selections import read_selections  # noqa: E402

from tests.support.tiny_policy import build_policy  # noqa: E402

N = 4


@pytest.fixture(scope="module")
def policy(tmp_path_factory):
    """Trained, it says, on frames as those of the benchmark's shard."""
    folder = tmp_path_factory.mktemp("policy")
    build_policy(0, torch.float32).save_pretrained(folder)
    write_trained_for(folder, TrainedFor.of(N, DecodeSettings(size=32)))
    return folder


@pytest.mark.parametrize("selector", ["refocus/mine", "uniform", "random"])
def test_the_workflow_and_python_pick_the_same_of_the_same_frames(bench, policy, tmp_path, selector):
    """A row's id draws its picks, and the stored frames are the candidates."""
    model = ["--model", policy] if "/" in selector else []
    table = read_selections(bench.select(selector, N, tmp_path / "table", *model))
    store = FrameStore.open([bench.index])
    mine = FrameSelector.from_pretrained(policy if "/" in selector else selector)
    for question in bench.questions:
        record, row = store.record(question.clip_id), table[question.qa_id]
        candidates = Frames(store.images(question.clip_id), timestamps_s=record.timestamps_s)
        ask = Ask(question.question, question.options, question.qa_id)
        picked = mine.select_many(candidates, [ask], N)[0]
        assert tuple(record.timestamps_s[frame] for frame in picked.frames_indices) == row.timestamps_s
        assert picked.pick_order == row.pick_order


def test_python_and_the_command_pick_the_same(bench, policy, capsys):
    video = bench.videos / "even.mp4"
    capsys.readouterr()
    assert bench.refocus("select", video, "which colour", "--model", policy, "--json") == 0
    picked = FrameSelector.from_pretrained(policy).select(video, "which colour")
    assert tuple(json.loads(capsys.readouterr().out)["pick_order"]) == picked.pick_order
    assert len(picked.frames_indices) == N


@pytest.mark.parametrize("selector", ["refocus/mine", "random"])
def test_the_workflow_the_command_and_python_pick_the_same_of_the_same_file(bench, policy, tmp_path, selector):
    """One seed, by each row's id. The benchmark's frames are plain greys, which JPEG stores without loss."""
    model = ["--model", policy] if "/" in selector else []
    workflow = read_selections(bench.select(selector, N, tmp_path / "table", *model))
    asked = tmp_path / "questions.jsonl"
    rows = [
        {"video": q.video_path, "question": q.question, "options": list(q.options), "id": q.qa_id}
        for q in bench.questions
    ]
    asked.write_text("".join(json.dumps(row) + "\n" for row in rows))
    words = ["--videos", bench.videos, "--frames", N, "--out", tmp_path / "picks.jsonl"]
    named = model or ["--selector", selector]
    assert bench.refocus("select", "--questions", asked, *words, *named) == 0
    by_command = {row["id"]: row for row in map(json.loads, (tmp_path / "picks.jsonl").read_text().splitlines())}
    mine = FrameSelector.from_pretrained(policy if model else selector)
    for question in bench.questions:
        row, ask = workflow[question.qa_id], Ask(question.question, question.options, question.qa_id)
        [picked] = mine.select_many(bench.videos / question.video_path, [ask], N)
        assert picked.frames_indices == row.frames_indices == tuple(by_command[question.qa_id]["frames_indices"])
        assert picked.pick_order == row.file_pick_order == tuple(by_command[question.qa_id]["pick_order"])


def test_frames_sampled_otherwise_than_in_training_are_refused(bench, policy, tmp_path):
    write_trained_for(policy, TrainedFor.of(N, DecodeSettings(size=32, fps=2)))
    try:
        with pytest.raises(UsageError, match="sampled otherwise"):
            store = FrameStore.open([bench.index])
            sources = SelectorSources(policy=str(policy))
            build_selector(SelectorName.parse("refocus/mine"), sources, SelectSettings(), store, "bench")
    finally:
        write_trained_for(policy, TrainedFor.of(N, DecodeSettings(size=32)))
