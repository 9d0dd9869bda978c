"""Scores of training-free selectors are made where a selector in use needs them, and nowhere else."""

import pytest

pytestmark = pytest.mark.slow

LEARNED = ["uniform", "random", "oracle", "refocus/demo", "initial/demo", "swapped/demo"]
REPORT = {"measure_recall": 1, "make_tables": 1, "draw_figures": 1}


def picked(selectors: int) -> dict[str, int]:
    """What that many selectors plan on a finished run, of two benchmarks."""
    return {"select_frames": 2 * selectors, "answer_questions": 2 * selectors, **REPORT}


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
    """From nothing: two benchmarks of one shard each."""
    jobs = plan({"results": "elsewhere", "use": {"selectors": [*LEARNED, *selectors]}})
    assert {rule: count for rule, count in jobs.items() if rule in ("embed_shard", "certain_shard")} == scores
    assert jobs["select_frames"] == 2 * len([*LEARNED, *selectors])


def test_one_more_method_and_more_frames_score_nothing_anew(plan):
    usual = ["topk", "topk-options", "aks", "bolt", "mdp3", "mdp3-options", "confidence", "refocus-question/demo"]
    assert plan({"use": {"selectors": [*LEARNED, *usual, "bolt-options"]}}) == picked(1)
    assert not {"embed_shard", "certain_shard"} & plan({"answer": {"n_frames": [2, 4, 8, 16]}}).keys()


def test_a_methods_number_and_a_models_scores_are_used_where_they_are_read(plan):
    assert plan({"training_free": {"bolt_power": 2.0}}) == picked(6)
    assert plan({"embed": {"version": 9}}) == {"embed_shard": 2, **picked(6)}
    assert plan({"certainty": {"version": 9}}) == {"certain_shard": 2, **picked(1)}
