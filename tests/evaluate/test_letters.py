"""The option a reply names, as lmms-eval 0.7.2 and Video-MME's authors find it."""

import pytest
from refocus.evaluate.letters import NONE, named_option

# What `extract_mcq_answer(reply, choices=[*"ABCD"])` of lmms-eval 0.7.2 returns, and Video-MME's own rule by hand.
REPLIES = {
    "B": ("B", "B"),
    "B.": ("B", "B"),
    "(C)": ("C", "C"),
    "C) a red cup": ("C", "C"),
    "The answer is D.": ("D", "D"),
    "The best answer is: (A)": ("A", "A"),
    "A man walks in, so it is C": ("A", "A"),
    "Because the man walks, (B) or (C).": ("C", "B"),
    "Option A: no. Option D: yes": ("D", "A"),
    "I choose C as A is wrong": ("A", "C"),
    "Between A and B I pick B": ("B", "B"),
    "it is blue": ("", ""),
    "": ("", ""),
    "Definitely the last one": ("D", "D"),
    "**B**": ("B", "B"),
    "The correct option is B because it shows": ("B", "B"),
    "E": ("", ""),
    "答案是C": ("C", "C"),
    "'D'": ("D", "D"),
    "Answer: C": ("C", "A"),
}


@pytest.mark.parametrize("reply", REPLIES)
def test_both_harnesses_letters(reply):
    for extractor, letter in zip(("lmms_eval", "authors"), REPLIES[reply], strict=True):
        assert named_option(reply, 4, extractor) == ("ABCD".index(letter) if letter else NONE), extractor


def test_where_lmms_eval_is_installed_it_says_the_same():
    theirs = pytest.importorskip("lmms_eval.tasks._task_utils.mcq_extract")
    for reply, (letter, _) in REPLIES.items():
        assert theirs.extract_mcq_answer(reply, choices=[*"ABCD"]) == letter


@pytest.mark.parametrize("extractor", ["lmms_eval", "authors"])
def test_letters_reach_as_far_as_the_options(extractor):
    """Video-MMMU has up to fourteen; an extractor of A to D would call its last ten wrong."""
    assert [named_option(f"{letter}.", 14, extractor) for letter in "ABEJN"] == [0, 1, 4, 9, 13]
    assert named_option("E.", 4, extractor) == NONE
