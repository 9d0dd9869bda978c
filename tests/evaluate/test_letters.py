"""The option a reply names, as lmms-eval 0.7.2 and the benchmarks' authors find it."""

import pytest
from refocus.evaluate.letters import NONE, named_option
from refocus.evaluate.replies import Reading

FOUR = ("a red cup", "a hat", "a dog", "nothing")

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
        assert named_option(reply, FOUR, extractor) == ("ABCD".index(letter) if letter else NONE), extractor


def test_where_lmms_eval_is_installed_it_says_the_same():
    theirs = pytest.importorskip("lmms_eval.tasks._task_utils.mcq_extract")
    for reply, (letter, _) in REPLIES.items():
        assert theirs.extract_mcq_answer(reply, choices=[*"ABCD"]) == letter


@pytest.mark.parametrize("extractor", ["lmms_eval", "authors"])
def test_letters_reach_as_far_as_the_options(extractor):
    """Video-MMMU has up to fourteen; an extractor of A to D would call its last ten wrong."""
    assert [named_option(f"{letter}.", tuple("abcdefghijklmn"), extractor) for letter in "ABEJN"] == [0, 1, 4, 9, 13]
    assert named_option("E.", FOUR, extractor) == NONE


# By hand from each rule: LongVideoBench's is Video-MME's, without the lot; MLVU's takes what stands before the first
# bracket; Video-MMMU's looks for marked letters, furthest back first, and then for quoted options.
AUTHORS = {
    "Because it is (B).": ("B", "", "B"),
    "B) a hat": ("B", "B", ""),
    "(C) a dog": ("C", "C", "C"),
    "D": ("D", "D", "D"),
    "B.": ("B", "", "B"),
    "First A. Then C. Or B": ("A", "", "C"),
    "A: no. D: yes": ("A", "", "D"),
    "I am sure that it shows a hat": ("", "", "B"),
    "it shows a hat": ("", "", ""),
    "none of them": ("", "", ""),
}


@pytest.mark.parametrize("reply", AUTHORS)
def test_each_benchmarks_authors_letters(reply):
    for form, letter in zip(("longvideobench", "mlvu", "videommmu"), AUTHORS[reply], strict=True):
        assert named_option(reply, FOUR, "authors", form) == ("ABCD".index(letter) if letter else NONE), form


def test_each_rule_says_whose_it_is():
    assert len({Reading("authors", form).follows for form in ("videomme", "longvideobench", "mlvu", "videommmu")}) == 4
    assert Reading("lmms_eval", "mlvu").follows == Reading("lmms_eval", "videommmu").follows
