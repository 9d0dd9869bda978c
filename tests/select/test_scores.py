"""Scores that training-free selectors share: made once, equal to the models' own, read back by clip."""

import logging
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from refocus.config.selectors import KINDS, OPTIONS, SelectorName
from refocus.config.training_free import ScorerSettings, TrainingFreeSettings
from refocus.core.errors import RefocusError, UsageError
from refocus.qa.records import Question
from refocus.select.ask_frames import certain_clip, certain_shard
from refocus.select.build_selector import SelectorSources, build_selector
from refocus.select.certainty import read_certainty, write_certainty
from refocus.select.cost import Cost, SelectionCost, cost_of, read_selection_cost, write_selection_cost
from refocus.select.dual_encoder import load_dual_encoder, texts_of
from refocus.select.embed_clips import embed_shard
from refocus.select.embeddings import EmbeddingStore, write_embeddings
from refocus.select.selections import NOT_ASKED
from refocus.select.selector import ClipView
from refocus.select.similarity import ConfidenceSelector
from refocus.select.topk import topk

from tests.support.tiny_scorer import build_clip, build_siglip

BUILDERS = {"siglip": build_siglip, "clip": build_clip}
SIMILARITY = [name for name, kind in KINDS.items() if kind.needs == "embeddings"]


@dataclass
class Record:
    n_frames: int

    @property
    def timestamps_s(self):
        return [frame / 4 for frame in range(self.n_frames)]


class Store:
    """Frames of random noise; clip `gone` could not be decoded."""

    lengths = {"a": 30, "b": 5, "gone": 0}

    def __contains__(self, clip_id):
        return clip_id in self.lengths

    def record(self, clip_id):
        return Record(self.lengths[clip_id])

    def images(self, clip_id, indices=None, size=16):
        every = np.random.default_rng(len(clip_id) + ord(clip_id[0])).integers(0, 256, (40, 48, 64, 3), np.uint8)
        from refocus.video.resize import resize

        kept = every[: self.lengths[clip_id]]
        return resize(kept if indices is None else kept[indices], size)


def question(qa_id: str, clip_id: str, text: str = "what colour is the circle ?", options=("red", "blue")) -> Question:
    return Question(qa_id, "bench", "test", clip_id, "v.mp4", None, None, text, options, 0, "x", "k", qa_id, ())


QUESTIONS = [
    question("1", "a"),
    question("2", "a", "what is shown before the red square ?", ("green", "yellow", "a circle")),
    question("3", "b", options=()),
    question("4", "gone"),
    question("5", "elsewhere"),
]


@pytest.fixture(scope="module", params=BUILDERS)
def folder(request, tmp_path_factory):
    return BUILDERS[request.param](tmp_path_factory.mktemp(request.param))


@pytest.fixture(scope="module")
def encoder(folder):
    return load_dual_encoder(ScorerSettings(path=str(folder)), "cpu", batch=7)


@pytest.fixture
def tables(encoder, tmp_path):
    """The table of embeddings of QUESTIONS."""
    found, cost = embed_shard(encoder, Store(), QUESTIONS, readers=1)
    write_embeddings(tmp_path / "000000.parquet", found, cost, {"model": "tiny"})
    return [tmp_path / "000000.parquet"]


def test_vectors_are_those_of_the_models_own_forward_pass(folder, encoder):
    """Cosines equal the model's logits per image without scale and bias, computed text by text."""
    from transformers import AutoModel

    model = AutoModel.from_pretrained(folder).eval()
    images = Store().images("a", None, 16)
    mean, std = (torch.tensor(part) for part in _statistics(model))
    pixels = ((torch.from_numpy(images).float() / 255 - mean) / std).permute(0, 3, 1, 2)
    texts = ["what colour is the circle ?", "a red square"]
    frames, made = encoder.encode_frames(images), encoder.encode_texts(texts)
    for text, vector in zip(texts, made.vectors, strict=True):
        padded = model.config.model_type == "siglip"
        inputs = encoder.tokenizer(
            text, return_tensors="pt", padding="max_length" if padded else False, max_length=encoder.text_length
        )
        ids = {name: inputs[name] for name in (("input_ids",) if padded else ("input_ids", "attention_mask"))}
        with torch.no_grad():
            out = model(pixel_values=pixels, **ids)
        assert np.allclose(frames, out.image_embeds.numpy(), atol=1e-5)
        assert np.allclose(vector, out.text_embeds[0].numpy(), atol=1e-5)
    assert np.allclose(np.linalg.norm(frames, axis=1), 1, atol=1e-5)


def _statistics(model):
    from refocus.select.dual_encoder import KINDS as MODELS

    return MODELS[model.config.model_type].statistics


def test_long_texts_are_cut_counted_and_said(encoder, caplog):
    long = question("6", "a", "what colour is " + "red " * 20, ("blue",))
    with caplog.at_level(logging.WARNING):
        found, cost = embed_shard(encoder, Store(), [QUESTIONS[0], long], readers=1)
    assert found["a"].questions["1"].cut == (False, False, False)
    assert found["a"].questions["6"].cut == (True, True)
    assert cost.cut_texts == 2 and "2 of 5 texts are longer than the 12 tokens" in caplog.text
    cut = encoder.encode_texts([long.question + "green", long.question + "yellow"])
    assert np.allclose(cut.vectors[0], cut.vectors[1])


@pytest.mark.parametrize("broken", [float("nan"), 0.0])
def test_vectors_without_a_direction_end_the_job_and_are_no_scores(folder, broken):
    """As of weights that overflow in float16: any pick made from them would look like one."""
    encoder = load_dual_encoder(ScorerSettings(path=str(folder)), "cpu", batch=7)
    for name, tensor in encoder.model.named_parameters():
        if name.startswith("vis"):
            torch.nn.init.constant_(tensor, broken)
    with pytest.raises(RefocusError, match=r"torch\.float32 are zeros or not finite: embed with --dtype"):
        embed_shard(encoder, Store(), QUESTIONS, readers=1)


def test_a_model_of_another_kind_is_refused(lmm_folder):
    with pytest.raises(UsageError, match="internvl"):
        load_dual_encoder(ScorerSettings(path=str(lmm_folder)), "cpu", batch=7)


def test_a_table_reads_back_by_clip_and_says_what_it_took(encoder, tables):
    found, _ = embed_shard(encoder, Store(), QUESTIONS, readers=1)
    store = EmbeddingStore.open(tables)
    assert set(found) == {"a", "b"}
    for clip_id, made in found.items():
        read = store.clip(clip_id)
        assert np.allclose(read.frames, made.frames, atol=1e-3) and read.frames.dtype == np.float32
        assert list(read.questions) == list(made.questions)
        for qa_id, texts in made.questions.items():
            assert np.allclose(read.questions[qa_id].question, texts.question, atol=1e-3)
            assert np.allclose(read.questions[qa_id].options, texts.options, atol=1e-3)
            assert read.questions[qa_id].cut == texts.cut
    cost = cost_of(tables)
    assert (cost.frame_passes, cost.text_passes, cost.lmm_passes) == (35, 3 + 4 + 1, 0) and cost.seconds > 0
    with pytest.raises(RefocusError, match="elsewhere"):
        store.clip("elsewhere")


def test_a_shard_that_nobody_asks_about_gives_an_empty_table(encoder, tmp_path):
    found, cost = embed_shard(encoder, Store(), [QUESTIONS[3]], readers=1)
    write_embeddings(tmp_path / "e.parquet", found, cost, {})
    assert cost_of([tmp_path / "e.parquet"]).frame_passes == 0
    with pytest.raises(RefocusError, match="no table of embeddings"):
        EmbeddingStore.open([tmp_path / "e.parquet"]).clip("a")


def selector(name, tables, **numbers):
    sources = SelectorSources(embeddings=tables, training_free=TrainingFreeSettings(**numbers))
    return build_selector(SelectorName.parse(name), sources, None, None, "bench")


def view(clip_id):
    return ClipView(clip_id, tuple(0.25 * frame for frame in range(Store.lengths[clip_id])))


@pytest.mark.parametrize("name", SIMILARITY)
def test_picks_do_not_depend_on_what_else_is_in_the_job(name, tables):
    """Neither on other questions nor on other numbers of frames; n >= T takes all, and every pick has a score."""
    together = selector(name, tables).pick(view("a"), QUESTIONS[:2], [2, 8, 64])
    for n in (2, 8, 64):
        for question, picks in zip(QUESTIONS[:2], together[n], strict=True):
            assert selector(name, tables).pick(view("a"), [question], [n])[n] == [picks]
            assert len(set(picks.order)) == len(picks.score) == min(n, 30)
    assert sorted(together[64][0].order) == list(range(30))


def test_topk_compares_with_the_question_and_topk_options_with_each_option_behind_it(encoder, tables):
    images = Store().images("a", None, 16)
    frames = encoder.encode_frames(images)
    for asked in QUESTIONS[:2]:
        alone, *options = encoder.encode_texts(texts_of(asked)).vectors
        plain = selector("topk", tables).pick(view("a"), [asked], [4])[4][0]
        both = selector("topk-options", tables).pick(view("a"), [asked], [4])[4][0]
        assert list(plain.order) == topk(frames @ alone, 4)
        assert list(both.order) == topk(np.max([frames @ option for option in options], axis=0), 4)
    open_question = selector("topk-options", tables).pick(view("b"), [QUESTIONS[2]], [2])[2]
    assert open_question == selector("topk", tables).pick(view("b"), [QUESTIONS[2]], [2])[2]


@pytest.mark.parametrize(
    ("name", "numbers"),
    [
        ("aks", {"aks_threshold": 0.0}),
        ("aks", {"aks_depth": 0}),
        ("bolt", {"bolt_power": 0.0}),
        ("mdp3", {"mdp3_lambda": 500.0}),
        ("mdp3", {"mdp3_segment": 2}),
        ("mdp3", {"mdp3_widths": [1e-6]}),
    ],
)
def test_every_number_of_a_method_reaches_it(name, numbers, tables):
    usual = selector(name, tables).pick(view("a"), QUESTIONS[:2], [5, 9])
    other = selector(name, tables, **numbers).pick(view("a"), QUESTIONS[:2], [5, 9])
    assert usual != other


@pytest.mark.parametrize("width", [0.0, -0.5])
def test_a_kernel_without_width_is_refused(width):
    with pytest.raises(ValueError, match="greater than 0"):
        TrainingFreeSettings(mdp3_widths=(0.5, width))


def test_embeddings_of_other_frames_or_questions_are_refused(tables):
    with pytest.raises(RefocusError, match="30 that were embedded"):
        selector("topk", tables).pick(ClipView("a", (0.0, 1.0)), QUESTIONS[:1], [1])
    with pytest.raises(RefocusError, match="question 9"):
        selector("topk", tables).pick(view("a"), [question("9", "a")], [1])


def test_every_similarity_method_has_a_twin_that_reads_the_options():
    plain = [name for name in SIMILARITY if not name.endswith(OPTIONS)]
    assert plain == ["topk", "aks", "bolt", "mdp3"]
    assert set(SIMILARITY) == {*plain, *(name + OPTIONS for name in plain)}


def test_uniform_seen_hands_over_what_a_selector_would_have_looked_at():
    sources = SelectorSources(training_free=TrainingFreeSettings(seen_frames=8))
    found = build_selector(SelectorName.parse("uniform-seen"), sources, None, None, "bench")
    rows = found.pick(view("a"), QUESTIONS[:2], [2, 4])
    assert rows[2] == rows[4] and len(rows[2][0].order) == 8
    assert len(found.pick(view("b"), QUESTIONS[2:3], [2])[2][0].order) == 5


def test_a_selector_without_its_scores_says_which_command_makes_them():
    for name, command in (("aks", "embed"), ("confidence", "certainty")):
        with pytest.raises(UsageError, match=f"refocus {command}"):
            build_selector(SelectorName.parse(name), SelectorSources(), None, None, "bench")


def test_certainty_is_the_largest_probability_of_an_option_frame_by_frame(lmm):
    """Against one scoring call per frame and question, and a softmax written out."""
    from refocus.lmm.prompts import Prompt

    images, asked = Store().images("b", None, lmm.frame_size), [replace(q, clip_id="b") for q in QUESTIONS[:2]]
    found = certain_clip(lmm, images, range(len(images)), asked)
    for one in asked:
        for frame in range(len(images)):
            raw = lmm.score(lmm.encode(images[frame : frame + 1]), [((0,), 0)], [Prompt.of(one)])[0]
            z = raw.double().exp().sum(-1)
            expected = float((z / z.sum()).max().log())
            assert found[one.qa_id][frame] == pytest.approx(expected, abs=1e-4)


def test_certainty_next_to_one_still_tells_frames_apart(lmm, monkeypatch):
    from refocus.select import ask_frames

    raw = [torch.tensor([[40.0 + frame], [0.0]]) for frame in range(3)]
    monkeypatch.setattr(ask_frames, "score_subsets", lambda *_: raw)
    found = certain_clip(lmm, np.zeros((3, 32, 32, 3), np.uint8), [0.0, 1.0, 2.0], [question("1", "a")])["1"]
    assert topk(found, 3) == [2, 1, 0] and (found <= 0).all()


def test_a_certainty_that_is_no_number_ends_the_job(lmm, monkeypatch):
    from refocus.select import ask_frames

    raw = [torch.tensor([[0.0], [torch.nan if frame == 1 else 1.0]]) for frame in range(3)]
    monkeypatch.setattr(ask_frames, "score_subsets", lambda *_: raw)
    with pytest.raises(RefocusError, match="question 7: the LMM's logits are not finite"):
        certain_clip(lmm, np.zeros((3, 32, 32, 3), np.uint8), [0.0, 1.0, 2.0], [question("7", "a")])


def test_confidence_picks_the_surest_frames_and_flags_what_could_not_be_asked(lmm, tmp_path):
    found, cost = certain_shard(lmm, Store(), QUESTIONS, readers=1)
    write_certainty(tmp_path / "c.parquet", found, cost, {})
    read = read_certainty([tmp_path / "c.parquet"])
    assert {qa_id: len(values) for qa_id, values in read.items()} == {"1": 30, "2": 30, "3": 0, "4": 0}
    assert cost_of([tmp_path / "c.parquet"]) == replace(cost, seconds=cost.seconds)
    assert (cost.frame_passes, cost.lmm_passes) == (30, 60)
    rows = ConfidenceSelector(read).pick(view("a"), QUESTIONS[:2], [3, 7])
    for asked, few, many in zip(QUESTIONS[:2], rows[3], rows[7], strict=True):
        assert list(many.order) == topk(found[asked.qa_id], 7) and many.order[:3] == few.order
    assert ConfidenceSelector(read).pick(view("b"), QUESTIONS[2:3], [3])[3][0].flags == (NOT_ASKED,)
    for other in (question("9", "b"), QUESTIONS[4]):  # not in the question list; on a clip of another shard
        with pytest.raises(RefocusError, match=f"question {other.qa_id}"):
            ConfidenceSelector(read).pick(view("b"), [other], [1])


def test_costs_add_up_and_read_back(tmp_path):
    total = Cost(1.5, frame_passes=3, cut_texts=1) + Cost(0.5, text_passes=2, lmm_passes=4)
    assert total == Cost(2.0, 3, 2, 4, 1)
    spent = SelectionCost("bench", "topk", 5, total)
    write_selection_cost(tmp_path / "cost.json", spent)
    assert read_selection_cost(tmp_path / "cost.json") == spent
    with pytest.raises(RefocusError, match="nothing"):
        read_selection_cost(tmp_path / "nothing.json")
