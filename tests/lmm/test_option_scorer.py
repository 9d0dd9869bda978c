"""The prefix-sharing scorer equals one full forward pass per question and subset, however rows are packed."""

import numpy as np
import pytest
import torch
from refocus.core.errors import RefocusError
from refocus.lmm import Prompt, load_lmm, option_logits, passes

QUESTIONS = [
    Prompt("What colour is the circle?", ("red", "green", "blue")),
    Prompt("how many red before the square disappears?", ("first", "last")),
    Prompt("What is first?", ("red", "green", "blue", "yellow", "red circle", "last square")),
]
ROWS = [
    ((0, 1, 2), 0),
    ((3, 4), 1),
    ((0, 1, 2), 1),
    ((3, 4), 0),
    ((5, 6), 2),
    ((7,), 2),
    ((2, 1, 0), 0),
    ((0, 1, 2), 2),
    ((0, 1, 2), 0),
    (tuple(range(12)) * 4, 1),
]


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 256, (12, 32, 32, 3), dtype=np.uint8)


def naive_logits(folder, images, frames, question):
    """Every letter's logits from the stock model on the whole prompt and its pixels, written without the scorer."""
    from transformers import InternVLForConditionalGeneration, PreTrainedTokenizerFast

    model = InternVLForConditionalGeneration.from_pretrained(folder).eval()
    tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
    mean, std = torch.tensor([0.5, 0.4, 0.3]), torch.tensor([0.2, 0.3, 0.25])
    pixels = (torch.from_numpy(images[list(frames)]) / 255 - mean) / std
    shown = "".join(f"Frame{i + 1}: <img>{'<IMG_CONTEXT>' * 4}</img>\n" for i in range(len(frames)))
    lines = "\n".join(f"{letter}. {option}" for letter, option in zip("ABCDEF", question.options, strict=False))
    text = (
        "<|im_start|>system\nYou are a helpful assistant. Please choose the correct answer to the multiple-choice "
        "question regarding a video. The answer must be a single uppercase letter.<|im_end|>\n<|im_start|>user\n"
        f"{shown}{question.question}\nOptions:\n{lines}<|im_end|>\n<|im_start|>assistant\nAnswer:"
    )
    ids = tokenizer(text, return_tensors="pt").input_ids
    with torch.no_grad():
        logits = model(input_ids=ids, pixel_values=pixels.permute(0, 3, 1, 2)).logits[0, -1]
    letters = "ABCDEF"[: len(question.options)]
    return torch.stack([logits[tokenizer.convert_tokens_to_ids([letter, f" {letter}"])] for letter in letters])


@pytest.mark.parametrize("budget", [1, 300, 4096])
def test_scores_equal_one_full_forward_pass_per_row(lmm, lmm_folder, images, budget):
    scores = lmm.score(lmm.encode(images), ROWS, QUESTIONS, batch_tokens=budget)
    for (frames, number), raw in zip(ROWS, scores, strict=True):
        expected = naive_logits(lmm_folder, images, frames, QUESTIONS[number])
        torch.testing.assert_close(raw, expected, atol=1e-4, rtol=0)


def test_scores_depend_on_which_frames_are_seen_and_in_which_order(lmm, images):
    features = lmm.encode(images)
    seen = lmm.score(features, [((0, 1), 0), ((1, 0), 0), ((2, 3), 0), ((0, 1), 1)], QUESTIONS)
    assert all((seen[0][:2] - other[:2]).abs().max() > 1e-2 for other in seen[1:])


def test_scores_do_not_depend_on_packing_or_company(lmm, images):
    features = lmm.encode(images)
    together = lmm.score(features, ROWS, QUESTIONS)
    for budget in (1, 100, 500, 100_000):
        for row, expected in zip(lmm.score(features, ROWS, QUESTIONS, batch_tokens=budget), together, strict=True):
            torch.testing.assert_close(row, expected, atol=1e-5, rtol=0)
    for row, expected in zip(ROWS, together, strict=True):
        torch.testing.assert_close(lmm.score(features, [row], QUESTIONS)[0], expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("budget", [1, 100, 100_000])
@pytest.mark.parametrize(
    "lists",
    [
        [(0, 1), (0, 1, 2), (0, 1, 2, 3)],  # each ends inside the next
        [(0, 1, 2), (0, 1, 3), (0, 4, 5), (0, 4, 6), (0, 7)],  # forks within a fork
    ],
)
def test_what_grows_from_the_same_frames_does_not_see_its_siblings_or_their_questions(lmm, images, lists, budget):
    features = lmm.encode(images)
    rows = [(frames, number) for frames in lists for number in (0, 1)]
    for row, found in zip(rows, lmm.score(features, rows, QUESTIONS, batch_tokens=budget), strict=True):
        torch.testing.assert_close(found, lmm.score(features, [row], QUESTIONS)[0], atol=1e-5, rtol=0)


def test_questions_that_do_not_fit_into_one_pass_share_several(lmm, images, monkeypatch):
    features = lmm.encode(images)
    rows = [(frames, number) for frames in ((0, 1), (0, 1, 2), (3, 4)) for number in range(3)]
    expected = [lmm.score(features, [row], QUESTIONS)[0] for row in rows]
    short, middle, long = sorted(len(lmm._suffix(question)) for question in QUESTIONS)
    monkeypatch.setattr(passes, "PACKED", middle + long)  # two passes, of which the first holds the two shortest
    decode, widths = lmm._passes._decode, []

    def noted(x, cache, **kwargs):
        widths.append(x.shape[1])
        return decode(x, cache, **kwargs)

    monkeypatch.setattr(lmm._passes, "_decode", noted)
    for found, row in zip(lmm.score(features, rows, QUESTIONS), expected, strict=True):
        torch.testing.assert_close(found, row, atol=1e-5, rtol=0)
    assert {short + middle, long} <= set(widths) and max(widths) <= middle + long


def test_a_question_without_frames_is_scored_too(lmm, lmm_folder, images):
    [raw] = lmm.score(lmm.encode(images[:0]), [((), 0)], QUESTIONS)
    assert raw.shape == (3, 2) and raw.isfinite().all()


def test_no_rows_give_no_scores(lmm, images):
    assert lmm.score(lmm.encode(images), [], QUESTIONS) == []


def test_every_frame_is_encoded_once_and_every_shared_beginning_computed_once(lmm, images):
    features = lmm.encode(images, batch_tokens=40)
    assert lmm.work.frames == len(images)
    lmm.score(features, ROWS, QUESTIONS)
    assert lmm.work.frames == len(images)
    lists = {frames for frames, _ in ROWS}
    assert lmm.work.slots == len({frames[:n] for frames in lists for n in range(1, len(frames) + 1)})


def test_shared_prefixes_leave_only_the_questions_to_compute(lmm, images):
    features = lmm.encode(images)
    rows = [(tuple(range(subset, subset + 8)), number) for subset in range(4) for number in range(3)]
    lmm.score(features, [((0,), 0)], QUESTIONS)  # the system message is computed by the first call
    start = lmm.work.prefix_tokens
    lmm.score(features, rows, QUESTIONS)
    shared = lmm.work.prefix_tokens - start
    for number in range(3):
        lmm.score(features, [row for row in rows if row[1] == number], QUESTIONS)
    assert lmm.work.prefix_tokens - start == 4 * shared


def test_encoding_in_pieces_gives_what_encoding_at_once_gives(lmm, images):
    torch.testing.assert_close(lmm.encode(images, batch_tokens=17), lmm.encode(images), atol=1e-5, rtol=0)


def test_images_of_another_size_are_squashed_to_the_models(lmm, images):
    wide = np.repeat(np.repeat(images, 2, axis=1), 3, axis=2)
    assert lmm.encode(wide).shape == (12, 4, 48)


def test_option_logits_add_the_probabilities_of_a_letters_spellings():
    raw = torch.tensor([[1.0, 3.0], [2.0, -1.0]])
    torch.testing.assert_close(option_logits(raw).exp(), raw.exp().sum(-1))


def test_questions_the_model_cannot_score_are_refused(lmm, images):
    for options in ((), ("red",), tuple("abcdefg")):
        with pytest.raises(RefocusError, match="2 to 6"):
            lmm.score(lmm.encode(images), [((0,), 0)], [Prompt("What?", options)])


def test_weights_stored_in_half_precision_load_in_the_asked_type(lmm_folder, tmp_path, images):
    import shutil

    from transformers import InternVLForConditionalGeneration

    shutil.copytree(lmm_folder, tmp_path / "half")
    InternVLForConditionalGeneration.from_pretrained(lmm_folder).half().save_pretrained(tmp_path / "half")
    full, half = load_lmm(lmm_folder), load_lmm(tmp_path / "half")
    assert half.dtype == torch.float32
    torch.testing.assert_close(half.encode(images), full.encode(images), atol=0.05, rtol=0.05)


def test_bfloat16_gives_nearly_the_same_scores(lmm_folder, lmm, images):
    rough = load_lmm(lmm_folder, dtype="bfloat16")
    expected = torch.cat(lmm.score(lmm.encode(images), ROWS, QUESTIONS))
    found = torch.cat(rough.score(rough.encode(images), ROWS, QUESTIONS))
    assert found.dtype == torch.float32
    assert (found - expected).abs().mean() < 0.1


@pytest.mark.gpu
def test_a_gpu_gives_the_scores_of_the_cpu(lmm_folder, lmm, images):
    if not torch.cuda.is_available():
        pytest.skip("no GPU")
    fast = load_lmm(lmm_folder, device="cuda")
    expected = lmm.score(lmm.encode(images), ROWS, QUESTIONS)
    for raw, row in zip(expected, fast.score(fast.encode(images), ROWS, QUESTIONS), strict=True):
        torch.testing.assert_close(row, raw, atol=1e-3, rtol=0)
