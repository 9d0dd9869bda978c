"""Benchmark mode: one row per question in order, one rollout for all numbers of frames, failed clips flagged."""

from dataclasses import dataclass

import numpy as np
import pyarrow.parquet as pq
import pytest
from refocus.config.select import SelectSettings
from refocus.config.selectors import SelectorName
from refocus.core.errors import RefocusError, UsageError
from refocus.qa.records import Question
from refocus.select import policy_selector as learned
from refocus.select.baselines import RandomSelector, UniformSelector
from refocus.select.benchmark import check_index, select_benchmark, write_benchmark
from refocus.select.build_selector import SelectorSources, build_selector
from refocus.select.picks import Picks, VideoFile
from refocus.select.policy_selector import PolicySelector
from refocus.select.selections import NO_FRAMES, file_name, frames_of, read_selections, seed_of, selection_files


@dataclass
class Record:
    n_frames: int
    timestamps_s: list[float]
    source_frames: list[int]


class Store:
    """Clips a (40 frames), b (3 frames); c failed; d was never decoded."""

    def __init__(self):
        self.lengths = {"a": 40, "b": 3, "c": 0}

    def __contains__(self, clip_id):
        return clip_id in self.lengths

    def record(self, clip_id):
        frames = range(self.lengths[clip_id])
        return Record(len(frames), [0.5 * index for index in frames], [12 * index for index in frames])

    def images(self, clip_id):
        return np.zeros((self.lengths[clip_id], 4, 4, 3), np.uint8)


def rotated(rollouts):
    """Stands in for a policy: picks start at the question's seed; notes (questions, frames) of each call."""

    def ask(policy, images, prompts, n_frames, seeds, settings):
        rollouts.append((len(prompts), n_frames))
        size = len(images)
        return [Picks(tuple((seed + step) % size for step in range(min(n_frames, size)))) for seed in seeds]

    return ask


class Reader:
    """Stands in for the policy that `rotated` asks; counts the clips it reads."""

    def __init__(self):
        self.read = 0

    def read_clip(self, images):
        self.read += 1
        return images


def question(qa_id: str, clip_id: str) -> Question:
    return Question(qa_id, "bench", "test", clip_id, "v.mp4", None, None, "what?", ("x", "y"), 0, "x", "k", qa_id, ())


FILES = {clip_id: VideoFile("v.mp4") for clip_id in "abcd"}
QUESTIONS = [question("1", "a"), question("2", "c"), question("3", "b"), question("4", "a"), question("5", "d")]


def test_rows_keep_the_order_of_the_questions_and_failed_clips_are_flagged():
    chosen = select_benchmark(UniformSelector(), QUESTIONS, Store(), [2, 8], FILES)
    for n, rows in chosen.items():
        assert list(rows) == ["1", "2", "3", "4", "5"]
        assert [row.flags for row in rows.values()] == [(), (NO_FRAMES,), (), (), (NO_FRAMES,)]
        assert [len(row.frame_indices) for row in rows.values()] == [n, 0, min(n, 3), n, 0]


def test_a_policy_reads_a_clip_once_and_fewer_frames_are_the_first_of_one_rollout(monkeypatch):
    rollouts, store = [], Store()
    monkeypatch.setattr(learned, "ask_policy", rotated(rollouts))
    selector = PolicySelector(Reader(), store.images, SelectSettings())
    chosen = select_benchmark(selector, QUESTIONS, store, [2, 4, 8], FILES)
    assert rollouts == [(2, 8), (1, 8)]
    for qa_id in ("1", "3", "4"):
        longest = chosen[8][qa_id].pick_order
        assert all(chosen[n][qa_id].pick_order == longest[:n] for n in (2, 4))


def test_frames_by_marginals_are_asked_for_anew_with_each_number(monkeypatch):
    """Eq. 10 averages over as many steps as frames are picked. The clip is read once all the same, as its cost says."""
    rollouts, store, reader = [], Store(), Reader()
    monkeypatch.setattr(learned, "ask_policy", rotated(rollouts))
    selector = PolicySelector(reader, store.images, SelectSettings(), nested=False)
    select_benchmark(selector, QUESTIONS, store, [2, 4], FILES)
    assert rollouts == [(2, 2), (2, 4), (1, 2), (1, 4)] and reader.read == 2


@pytest.mark.parametrize(
    ("kind", "mode", "nested"),
    [
        ("refocus", "sample", True),
        ("initial", "sample", True),
        ("greedy", "greedy", True),
        ("first-step", "first_step", True),
        ("marginals", "top_marginal", False),
    ],
)
def test_a_kind_of_a_run_says_how_its_policy_is_asked(monkeypatch, tmp_path, kind, mode, nested):
    monkeypatch.setattr(learned, "load_policy", lambda *words: None)
    name = SelectorName.parse(f"{kind}/demo")
    (tmp_path / "config.json").write_text("{}")
    sources = SelectorSources(policy=str(tmp_path))
    selector = build_selector(name, sources, SelectSettings(seed=3), Store(), "bench")
    assert (selector.settings.mode, selector.settings.seed, selector.nested) == (mode, 3, nested)
    assert name.asks_policy


def test_a_table_of_picks_reads_back_and_says_what_made_it(tmp_path):
    chosen = select_benchmark(RandomSelector(7), QUESTIONS, Store(), [4], FILES)
    settings = SelectSettings(seed=7)
    write_benchmark(chosen, tmp_path, SelectorName.parse("random"), "bench", settings.identity())
    (file,) = selection_files(tmp_path)
    assert (file.name, frames_of(file), seed_of(file)) == (file_name(4, 7), 4, 7)
    read = read_selections(file)
    assert {qa: row.pick_order for qa, row in read.items()} == {qa: row.pick_order for qa, row in chosen[4].items()}
    assert b'"selector":"random"' in pq.read_schema(file).metadata[b"refocus.settings"]
    assert {"qa_id", "frame_indices", "pick_order", "timestamps_s", "score"} <= set(pq.read_schema(file).names)


@pytest.mark.fault("input missing or unreadable", "answer", "a folder without picks, or a file that is none, is named")
def test_a_folder_without_tables_and_a_file_that_is_none_are_named(tmp_path):
    with pytest.raises(RefocusError, match=str(tmp_path)):
        selection_files(tmp_path)
    broken = tmp_path / "n4.s0.parquet"
    broken.write_bytes(b"no parquet")
    with pytest.raises(RefocusError, match=r"n4\.s0\.parquet: cannot be read as parquet"):
        read_selections(broken)


def test_the_index_of_another_benchmark_is_refused():
    check_index([question("q0", "d"), question("q1", "a")], Store(), "qa.parquet")
    with pytest.raises(UsageError, match=r"none of the 1 questions of qa\.parquet is about a clip of the index"):
        check_index([question("q0", "d")], Store(), "qa.parquet")
