"""What a change of the configuration makes Snakemake plan, on a finished state whose files are stand-ins."""

import shutil

import pytest
import yaml
from refocus.config.layers import read
from refocus.config.overlay import check

from tests.support import reruns
from tests.support.dry_runs import planned, snakemake, write

pytestmark = pytest.mark.slow

BASE = read(reruns.REPOSITORY / "config.yaml")
SELECTION = {"select_frames", "measure_recall", "answer_questions", "make_tables", "draw_figures"}
LIKELIHOOD = {"measure_likelihood", "measure_initial_likelihood", "answer_bins"}
SCORES = {"embed_shard", "certain_shard"}  # of selectors without training
TRAINING = {"train_policy"} | SELECTION | LIKELIHOOD


def test_a_finished_run_plans_nothing(plan):
    assert plan({}) == {}


def test_every_key_of_the_configuration_has_its_place_in_the_table():
    listed = [key for keys in reruns.groups().values() for key in keys]
    assert sorted(listed) == sorted(leaf.key for leaf in reruns.leaves(check(BASE)))


def test_the_page_shows_the_table(repository):
    text = (repository / "docs/reruns.md").read_text()
    assert text == reruns.with_table(text, reruns.page(reruns.groups())), "python -m tests.support.reruns --page"


@pytest.mark.parametrize(
    "rules", reruns.groups(), ids=lambda rules: f"{len(rules)} from {rules[0]}" if rules else "none"
)
def test_what_the_table_says_runs_again_does(plan, rules):
    """All keys of a line are changed at once; `python -m tests.support.reruns` changes each alone."""
    assert reruns.in_order(plan(reruns.together(BASE, reruns.groups()[rules]))) == rules


@pytest.mark.parametrize(
    ("overlay", "expected"),
    [
        ({"screen": {"duplicates": "off"}}, {"filter_pairs"} | TRAINING),
        ({"screen": {"leaks": "off"}}, set()),
        ({"train": {"lr_new": 1e-05, "lr_pretrained": 0.001}}, TRAINING),
        (
            {"decode": {"storage": "video", "gop": 8}},
            {"decode_shard", *SCORES, "score_shard", "filter_pairs", *TRAINING},
        ),
        ({"train": {"curriculum": [[0.0, 1], [0.5, 4]]}}, TRAINING),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_other_values_plan_what_they_change(plan, overlay, expected):
    assert set(plan(overlay)) == expected


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({"train": {"entropy": 0.5}}, {"train": {"entropy_weight": 0.5}}),
        ({"answer": {"frames_list": [2, 8], "budget": 8}}, {"answer": {"n_frames": [2, 8]}, "tables": {"n_frames": 8}}),
        ({"train": {"lr_new": "1e-3"}}, {"train": {"lr_new": 0.001}}),
    ],
    ids=["key", "section", "number"],
)
def test_another_spelling_of_a_setting_plans_the_same(plan, old, new):
    assert plan(old) == plan(new) != {}


def test_one_data_set_less_screens_and_filters_anew_but_decodes_and_scores_nothing(plan):
    jobs = plan({"use": {"datasets": ["nextqa"]}})
    assert set(jobs) == {"find_duplicates", "find_leaks", "filter_pairs"} | TRAINING


@pytest.mark.parametrize(
    ("overlay", "own"),
    [
        (reruns.OVERLAYS["use.lmms"], {"answer_questions": 28, "answer_bins": 2}),
        (
            {"use": {"selectors": [*BASE["use"]["selectors"], "greedy/demo"]}},
            {"select_frames": 2, "answer_questions": 2, "measure_recall": 1},
        ),
        (
            {"use": {"benchmarks": ["videomme", "mlvu", "third"]}, "benchmarks": {"third": BASE["benchmarks"]["mlvu"]}},
            {
                **{"ingest_third": 1, "decode_shard": 1, "embed_shard": 1, "certain_shard": 1},
                **{"select_frames": 14, "answer_questions": 14, "measure_likelihood": 1, "answer_bins": 1},
                **{"find_leaks": 1, "measure_recall": 1},
            },
        ),
    ],
    ids=["LMM", "selector", "benchmark"],
)
def test_one_more_runs_its_own_jobs_and_the_tables_alone(plan, overlay, own):
    """Two benchmarks by 14 selectors are there, of one shard each; their answers, picks and frames stay as they are."""
    assert plan(overlay) == {**own, "make_tables": 1, "draw_figures": 1}


def test_screening_switched_on_later_runs_before_the_filter(repository, finished, tmp_path):
    home = tmp_path / "home"
    shutil.copytree(finished, home)
    shutil.rmtree(home / "results" / "screened")
    again = snakemake(repository, "--directory", str(home), "-n", "--quiet", "rules")
    assert set(planned(again.stdout + again.stderr)) == {"find_duplicates", "find_leaks", "filter_pairs"} | TRAINING


def test_another_seed_of_a_run_trains_anew_and_selects_with_it(plan):
    jobs = plan({"runs": {"demo": {"seed": 1}}})
    assert set(jobs) == TRAINING
    assert jobs["select_frames"] == 8  # two benchmarks by refocus with and without options, initial and swapped


@pytest.mark.fault("killed", "workflow", "a stage that failed is not taken for done")
def test_a_stage_that_failed_is_not_taken_for_done(repository, finished, tmp_path):
    """When a change makes a stage fail, the next run starts there instead of trusting what lies after it."""
    home = tmp_path / "home"
    shutil.copytree(finished, home)
    write(home / "bin" / "python", "#!/bin/sh\nexit 1\n")
    write(tmp_path / "overlay.yaml", yaml.safe_dump({"filter": {"tau": 0.3}}))
    words = ["--directory", str(home), "--quiet", "rules", "--configfile", str(tmp_path / "overlay.yaml")]
    assert snakemake(repository, *words, python=home / "bin" / "python").returncode != 0
    again = snakemake(repository, *words, "-n")
    assert set(planned(again.stdout + again.stderr)) == {"filter_pairs"} | TRAINING
