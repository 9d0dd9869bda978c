"""lmms-eval's own models on the frames of a selection table, through its evaluator, on its task mlvu_dev."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from refocus.core.errors import RefocusError, UsageError
from refocus.evaluate.answers import read_answers
from refocus.select.exports.picked import read_asked
from refocus.select.processors import as_video
from refocus.select.selections import NO_FRAMES, read_selections
from transformers import GenerationMixin

from tests.support.exporting import changed
from tests.support.stock_task import ROWS, build_stock_task, document, run_task
from tests.support.tiny_processors import build_with_processor
from tests.support.videos import level

pytestmark = [pytest.mark.lmms_eval, pytest.mark.slow]
pytest.importorskip("lmms_eval")

import datasets  # noqa: E402
from lmms_eval.protocol import ChatMessages  # noqa: E402
from refocus.select.lmms_eval import MODELS, on_picks  # noqa: E402
from refocus.select.lmms_eval.documents import questions_of  # noqa: E402
from refocus.select.lmms_eval.picked_questions import PickedQuestions, table_digest  # noqa: E402
from refocus.select.lmms_eval.qwen_sizes import resized  # noqa: E402

GENERATE = GenerationMixin.generate
N = 6
SMALL = "device_map=cpu,min_pixels=256,max_pixels=1024"
FAMILIES = {
    "refocus_internvl_hf": ("internvl", "device_map=cpu", "bfloat16"),
    "refocus_llava_hf": ("llava_onevision", "dtype=float32", "float32"),
    "refocus_qwen2_5_vl": ("qwen2_5_vl", SMALL, "bfloat16"),
    "refocus_qwen3_vl": ("qwen3_vl", SMALL, "bfloat16"),
}


@pytest.fixture(scope="module")
def task(tmp_path_factory):
    return build_stock_task(tmp_path_factory.mktemp("task"))


@pytest.fixture(scope="module")
def table(task):
    return task.select("random", N, task.home / "random")


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    home = tmp_path_factory.mktemp("models")
    return {model: build_with_processor(name, home / name) for model, (name, *_) in FAMILIES.items()}


@pytest.fixture(scope="module")
def llava(folders, task, table):
    """One model of the plug-in, loaded by itself."""
    from lmms_eval.models import get_model

    words = arguments("refocus_llava_hf", folders, task, table)
    return get_model("refocus_llava_hf").create_from_arg_string(words, {"batch_size": 1, "device": "cpu"})


def arguments(model, folders, task, table, more=""):
    mine = FAMILIES[model][1]
    return f"pretrained={folders[model]},selections={table},qa={task.qa},digest={table_digest(table)},{mine}{more}"


def test_lmms_eval_lists_the_models_that_the_installed_package_declares():
    from lmms_eval.models import list_available_models

    assert set(MODELS) == set(FAMILIES) <= set(list_available_models())


@pytest.mark.parametrize("model", FAMILIES)
def test_replies_equal_the_answers_of_our_own_harness_question_by_question(model, task, table, folders, tmp_path):
    dtype = FAMILIES[model][2]
    words = ["--qa", task.qa, "--selections", table.parent, "--videos", task.videos, "--model", folders[model]]
    assert task.refocus("answer", *words, "--lmm-settings", f'{{"dtype": "{dtype}"}}', "--out", tmp_path) == 0
    ours = read_answers(tmp_path / f"n{N}.s0.parquet").answers
    expected = {(question.video_path, question.question): ours[question.qa_id].raw_reply for question in task.questions}
    found = run_task(task, model, arguments(model, folders, task, table, ",replies=scored"))
    assert found == expected and len(found) == len(ROWS) and len(set(found.values())) > 1


@pytest.mark.parametrize("model", FAMILIES)
def test_a_model_that_writes_is_given_the_picked_frames_and_no_others(model, task, table, folders, monkeypatch):
    """Seen at the processor's door, which pictures; at the model's, how many frames."""
    pictures, frames = [], []

    def to_processor(processor, shown, picked, file):
        pictures.append((picked.frames_indices, [picture.mean() for picture in shown]))
        return as_video(processor, shown, picked, file)

    def to_model(self, **inputs):
        frames.append(frames_in(inputs))
        return GENERATE(self, **inputs)

    monkeypatch.setattr(on_picks, "as_video", to_processor)
    monkeypatch.setattr(GenerationMixin, "generate", to_model)
    found = run_task(task, model, arguments(model, folders, task, table))
    assert set(found) == set(ROWS) and frames == [N] * len(ROWS)
    assert sorted(numbers for numbers, _ in pictures) == sorted(
        r.frames_indices for r in read_selections(table).values()
    )
    for numbers, levels in pictures:
        assert levels == pytest.approx([level(number) for number in numbers], abs=4)


def frames_in(inputs):
    """How many frames a model is given."""
    if "video_grid_thw" in inputs:
        return int(inputs["video_grid_thw"][0, 0])
    return len(inputs["pixel_values"]) if "pixel_values" in inputs else inputs["pixel_values_videos"].shape[1]


def test_other_picks_give_other_replies_although_lmms_eval_keeps_replies(task, table, folders, tmp_path):
    """Its cache is keyed by the text of model_args, where the digest says what the table holds."""
    other = task.select("uniform", N, tmp_path / "uniform")
    words = [arguments("refocus_llava_hf", folders, task, one) for one in (table, other)]
    first, again, second = (
        run_task(task, "refocus_llava_hf", one, use_cache=str(tmp_path / "kept"))
        for one in (words[0], words[0], words[1])
    )
    assert first == again and first != second
    assert second == run_task(task, "refocus_llava_hf", words[1])


def test_a_model_that_fails_is_no_empty_answer(task, table, folders, monkeypatch):
    def out_of_memory(self, **inputs):
        raise torch.OutOfMemoryError("no room")

    monkeypatch.setattr(GenerationMixin, "generate", out_of_memory)
    with pytest.raises(torch.OutOfMemoryError, match="no room"):
        run_task(task, "refocus_internvl_hf", arguments("refocus_internvl_hf", folders, task, table))


@pytest.mark.parametrize("digest", ["", ",digest=sha256:000000000000"])
def test_model_args_without_the_digest_of_the_table_are_refused_with_the_right_one(digest, task, table, folders):
    words = arguments("refocus_llava_hf", folders, task, table).replace(f",digest={table_digest(table)}", digest)
    with pytest.raises(UsageError, match=f"add digest={table_digest(table)} for"):
        run_task(task, "refocus_llava_hf", words)


def test_a_question_without_a_row_is_an_error_that_counts(task, table, tmp_path):
    short = changed(table, tmp_path, lambda rows: dict(list(rows.items())[2:]))
    with pytest.raises(RefocusError, match=r"2 questions \(2_needle_0, 2_needle_1\) of bench have no row"):
        PickedQuestions(short, task.qa, table_digest(short))


def test_a_question_without_frames_is_an_error_that_counts(task, table, tmp_path):
    def emptied(rows):
        first = next(iter(rows))
        nothing = {"frame_indices": (), "timestamps_s": (), "pick_order": (), "score": (), "frames_indices": ()}
        return rows | {first: replace(rows[first], **nothing, flags=(NO_FRAMES,))}

    short = changed(table, tmp_path, emptied)
    picked = PickedQuestions(short, task.qa, table_digest(short))
    with pytest.raises(RefocusError, match=r"1 question \(2_needle_0\) have no frames"):
        picked.of("mlvu", documents([document(*row) for row in ROWS]), range(len(ROWS)))
    assert len(picked.of("mlvu", documents([document(*row) for row in ROWS]), range(1, len(ROWS)))) == len(ROWS) - 1


def documents(rows):
    return datasets.Dataset.from_list(rows)


@pytest.mark.parametrize(
    "change", [{"question": "where is it?"}, {"video_name": "other.mp4"}, {"candidates": ["a", "b"]}]
)
def test_a_document_that_is_no_question_of_ours_is_an_error_that_names_it(change, task, table):
    rows = [document(*row) for row in ROWS]
    rows[3] |= change
    with pytest.raises(RefocusError, match=r"1 of 6 documents \(number 3\) are no questions of bench"):
        PickedQuestions(table, task.qa, table_digest(table)).of("mlvu", documents(rows), range(6))


def test_documents_are_matched_by_what_they_ask_wherever_they_stand(task):
    """The task's file has other ids than our table, another order, and may have fewer rows."""
    found = questions_of(documents([document(*ROWS[5]), document(*ROWS[1])]), read_asked(task.qa))
    assert [question.source_id for question in found] == ["2_needle_5", "2_needle_1"]


def test_questions_that_cannot_be_told_apart_are_refused(task):
    asked = read_asked(task.qa)
    twins = replace(asked, questions=(*asked.questions, replace(asked.questions[0], source_id="2_needle_9")))
    with pytest.raises(RefocusError, match="several questions of the table"):
        questions_of(documents([document(*ROWS[0])]), twins)


@pytest.mark.parametrize("name", on_picks.SAMPLING)
def test_arguments_that_say_what_to_sample_are_refused(name, task, table, folders):
    words = arguments("refocus_llava_hf", folders, task, table, f",{name}=8")
    with pytest.raises(UsageError, match=f"leave {name} out of model_args"):
        run_task(task, "refocus_llava_hf", words)


def test_requests_for_which_the_stock_model_would_sample_frames_are_refused(llava):
    for refused in (llava.loglikelihood, llava.generate_until_multi_round):
        with pytest.raises(UsageError, match="not run on picked frames"):
            refused([])


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ([], "shows 0 videos"),
        (["even.mp4", "even.mp4"], "shows 2 videos"),
        (["long.mp4"], "and its picks are of even.mp4"),
        (["gone.mp4"], "is no video file here"),
        ([["frame"]], "is no video file here"),
    ],
)
def test_a_document_that_shows_anything_but_the_video_of_its_picks_is_refused(content, why, task, table):
    parts = [{"type": "video", "url": str(task.videos / one) if isinstance(one, str) else one} for one in content]
    messages = ChatMessages(messages=[{"role": "user", "content": [*parts, {"type": "text", "text": "?"}]}])
    picked = PickedQuestions(table, task.qa, table_digest(table)).of("mlvu", documents([document(*ROWS[0])]), [0])[0]
    with pytest.raises(RefocusError, match=why):
        on_picks._only_video(messages, picked, "document 0")


def test_frames_of_qwen_are_as_large_as_its_authors_make_them():
    """A wide picture at 4 to 768 tokens of 28 x 28; with many frames the model's length bounds them."""
    wide = [np.zeros((720, 1280, 3), np.uint8)]
    sizes = [resized(wide * n, 14, 4 * 784, 1605632)[0].shape[:2] for n in (8, 600)]
    for (height, width), most in zip(sizes, (768, 128000 * 0.9 / 600), strict=True):
        assert height % 28 == width % 28 == 0
        assert 0.8 * most * 784 < height * width <= most * 784 and width / height == pytest.approx(16 / 9, rel=0.12)
