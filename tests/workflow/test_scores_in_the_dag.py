"""Scores of training-free selectors are made where a selector in use needs them, and nowhere else."""

import pytest

pytestmark = pytest.mark.slow

DEFAULT = ["uniform", "random", "oracle", "refocus/demo", "initial/demo", "swapped/demo"]
REPORT = {"make_tables", "draw_figures"}


def using(*selectors: str) -> dict:
    return {"use": {"selectors": [*DEFAULT, *selectors]}}


@pytest.mark.parametrize(
    ("selectors", "scores"),
    [
        (["uniform-seen"], {}),
        (["refocus-question/demo"], {}),
        (["topk"], {"embed_shard": 2}),
        (["topk", "topk-options", "aks", "bolt-options", "mdp3"], {"embed_shard": 2}),
        (["confidence"], {"certain_shard": 2}),
        (["mdp3", "confidence"], {"embed_shard": 2, "certain_shard": 2}),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, list) else "",
)
def test_a_selector_plans_its_scores_once_per_shard_whatever_else_shares_them(plan, selectors, scores):
    """Two benchmarks of one shard each; three numbers of frames."""
    jobs = plan(using(*selectors))
    picked = {"select_frames": 2 * len(selectors), "answer_questions": 2 * len(selectors)}
    assert jobs == {**scores, **picked, **dict.fromkeys(REPORT, 1)}


def test_numbers_of_frames_and_of_methods_score_nothing_anew(plan):
    """Planned from nothing, a method's number adds no job; what the scores are made with is not among its settings."""
    usual = plan(using("bolt"))
    assert plan(using("bolt"), {"training_free": {"bolt_power": 2.0}}) == usual
    assert plan(using("bolt"), {"answer": {"n_frames": [2, 4, 8, 16]}})["embed_shard"] == usual["embed_shard"]


def test_numbers_of_methods_rerun_nothing_that_does_not_read_them(plan):
    assert plan({"training_free": {"bolt_power": 2.0, "seen_frames": 9}}) == {}
    assert plan({"embed": {"version": 9}}) == plan({"certainty": {"version": 9}}) == {}
