"""The reward prompt is the golden string, and its pieces tokenise like the whole."""

import re

import pytest
from refocus.core.errors import RefocusError
from refocus.lmm.families import FAMILIES
from refocus.lmm.letters import letter_tokens
from refocus.lmm.prompts import Prompt, internvl_prefix, internvl_suffix

C = "<IMG_CONTEXT>" * 256
GOLDEN = (
    "<|im_start|>system\nYou are a helpful assistant. Please choose the correct answer to the multiple-choice question "
    "regarding a video. The answer must be a single uppercase letter.<|im_end|>\n<|im_start|>user\n"
    f"Frame1: <img>{C}</img>\nFrame2: <img>{C}</img>\nWhich one?\nOptions:\nA. this\nB. that\nC. neither<|im_end|>\n"
    "<|im_start|>assistant\nAnswer:"
)
ASKED = Prompt("Which one?", ("this", "that", "neither"))


def test_the_reward_prompt_is_the_golden_string():
    family = FAMILIES["internvl"]
    assert family.prefix(2, 256) + family.suffix(ASKED) == GOLDEN


def test_the_prefix_ends_after_the_newline_that_follows_the_last_frame():
    assert GOLDEN.startswith(internvl_prefix(2, 256))
    assert internvl_prefix(2, 256).endswith("</img>\n")
    assert internvl_prefix(2, 256) + internvl_suffix(ASKED) == GOLDEN


def test_white_space_around_a_question_does_not_change_the_prompt():
    assert internvl_suffix(Prompt(" Which one?\n", ASKED.options)) == internvl_suffix(ASKED)


def test_more_options_than_letters_are_refused():
    with pytest.raises(RefocusError, match="27 options"):
        internvl_suffix(Prompt("?", ("x",) * 27))


def test_prefix_and_suffix_tokenise_as_the_whole_prompt_does(lmm):
    prompt = Prompt("What colour is the circle?", ("red", "green"))
    prefix, suffix, joint = (
        lmm.tokenizer(text).input_ids
        for text in (internvl_prefix(12, 4), internvl_suffix(prompt), internvl_prefix(12, 4) + internvl_suffix(prompt))
    )
    assert prefix + suffix == joint


def test_letters_are_found_with_and_without_a_leading_space(lmm):
    assert lmm.tokenizer.convert_ids_to_tokens(letter_tokens(lmm.tokenizer)[1]) == ["B", " B"]
    assert lmm.max_options == 6


class _Words:
    """A tokenizer that splits at spaces and drops them, so that both spellings are one token."""

    def __init__(self, known):
        self.known = known

    def __call__(self, text, add_special_tokens=False):
        text = text.replace("Answer:", "Answer: ")
        ids = [
            1 if word == "Answer:" else 2 + self.known.index(word) if word in self.known else 0 for word in text.split()
        ]
        return type("Batch", (), {"input_ids": ids})

    def decode(self, ids):
        return "".join(self.known[number - 2] if number > 1 else "?" for number in ids)


def test_spellings_that_are_the_same_token_count_once():
    assert letter_tokens(_Words("ABC")) == [[2], [3], [4]]


def test_letters_end_at_the_first_one_that_is_missing():
    assert letter_tokens(_Words("ABDE")) == [[2], [3]]
    for known in ("A", "BCD"):
        with pytest.raises(RefocusError, match="letters"):
            letter_tokens(_Words(known))


class _Merging:
    """A tokenizer that splits text as Qwen2's does, a sign going with the letters after it, and knows `:A`."""

    known = ("Answer", ":", ":A", ":B", "A", "B", " A", " B")

    def __call__(self, text, add_special_tokens=False):
        pieces = re.findall(r"[^A-Za-z0-9]?[A-Za-z]+|[^A-Za-z0-9]+", text)
        ids = [self.known.index(piece) if piece in self.known else 99 for piece in pieces]
        return type("Batch", (), {"input_ids": ids})

    def decode(self, ids):
        return "".join(self.known[number] if number < 99 else "?" for number in ids)


def test_a_letter_that_would_merge_with_the_cue_is_its_own_token():
    tokenizer = _Merging()
    assert tokenizer("Answer:A").input_ids == [0, 2]
    assert letter_tokens(tokenizer) == [[4, 6], [5, 7]]


class _Marked(_Merging):
    """A tokenizer that begins every text with a space and decodes without the first one, as sentencepiece does."""

    known = (" Answer", ":", "A", "B", " A", " B")

    def __call__(self, text, add_special_tokens=False):
        ids = [self.known.index(piece) for piece in re.findall(r" ?[A-Za-z]+|:", f" {text}") if piece in self.known]
        return type("Batch", (), {"input_ids": ids})

    def decode(self, ids):
        return super().decode(ids).lstrip()


def test_spellings_are_looked_for_after_the_cue():
    assert letter_tokens(_Marked()) == [[2, 4], [3, 5]]


class _Unknown(_Merging):
    """The same with one token for all it does not know, letters among it."""

    known = ("Answer", ":", "A", "B")


def test_a_token_that_stands_for_anything_is_no_letters():
    assert letter_tokens(_Unknown()) == [[2], [3]]


def test_a_tokenizer_without_letter_tokens_is_refused():
    with pytest.raises(RefocusError, match="letters"):
        letter_tokens(_Words(""))
