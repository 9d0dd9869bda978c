"""What a change of the configuration makes Snakemake plan, on a finished state whose files are stand-ins."""

import shutil

import pytest
import yaml

from tests.support.dry_runs import planned, snakemake, write

pytestmark = pytest.mark.slow

SELECTION = {"select_frames", "measure_recall", "answer_questions", "make_tables", "draw_figures"}
LIKELIHOOD = {"measure_likelihood", "measure_initial_likelihood", "answer_bins"}
SCORES = {"embed_shard", "certain_shard"}  # of selectors without training
TRAINING = {"train_policy"} | SELECTION | LIKELIHOOD


def test_a_finished_run_plans_nothing(plan):
    assert plan({}) == {}


@pytest.mark.parametrize(
    ("overlay", "expected"),
    [
        ({"decode": {"fps": 2.0}}, {"decode_shard", *SCORES, "score_shard", "filter_pairs"} | TRAINING),
        ({"reward": {"windows": "literal"}}, {"score_shard", "filter_pairs"} | TRAINING),
        ({"screen": {"duplicates": "report"}}, {"filter_pairs"} | TRAINING),
        ({"screen": {"duplicates": "off"}}, {"filter_pairs"} | TRAINING),
        ({"screen": {"leaks": "drop"}}, {"filter_pairs"} | TRAINING),
        ({"screen": {"leaks": "off"}}, set()),
        ({"use": {"datasets": ["llava_video", "nextqa"]}}, {"find_duplicates", "filter_pairs"} | TRAINING),
        ({"filter": {"tau": 0.3}}, {"filter_pairs"} | TRAINING),
        ({"train": {"entropy_weight": 0.5}}, TRAINING),
        ({"train": {"lr_new": 1e-05, "lr_pretrained": 0.001}}, TRAINING),
        ({"train": {"questions": "all"}}, TRAINING),
        ({"train": {"reward": "correct"}}, TRAINING),
        ({"policy": {"logit_scale": 2.0}}, TRAINING),
        ({"select": {"temperature": 0.5}}, SELECTION),
        (
            {"benchmarks": {"videomme": {"keep_last_frame": True}}},
            {"decode_shard", *SCORES} | SELECTION | LIKELIHOOD,
        ),
        ({"answer": {"pixels": "shard"}}, {"answer_questions", "answer_bins", "make_tables", "draw_figures"}),
        ({"likelihood": {"temperature": 0.5}}, {*LIKELIHOOD, "make_tables", "draw_figures"}),
        ({"likelihood": {"ranking": "marginal"}}, {"answer_bins", "draw_figures"}),
        ({"tables": {"confidence_level": 0.9}}, {"make_tables"}),
        ({"tables": {"distance_videos": 20}}, {"make_tables"}),
        ({"figures": {"dpi": 99}}, {"draw_figures", "measure_recall"}),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_changed_setting_plans_its_stage_and_what_follows(plan, overlay, expected):
    jobs = set(plan(overlay))
    assert jobs == expected


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


@pytest.mark.parametrize(
    "overlay",
    [
        {"train": {"runtime": {"clips_per_micro_batch": 1, "processes": 1}}},
        {"reward": {"runtime": {"batch_tokens": 99}}, "answer": {"runtime": {"threads": 2}}},
        {"decode": {"runtime": {"workers": 1, "timeout_s": 5.0}}},
        {"datasets": {"nextqa": {"max_failure_rate": 0.5}}},
    ],
    ids=["train", "reward and answer", "decode", "tolerated"],
)
def test_how_a_stage_runs_plans_nothing(plan, overlay):
    assert plan(overlay) == {}


def test_fewer_selectors_redo_only_tables_and_figures(plan):
    jobs = plan({"use": {"selectors": ["uniform", "oracle", "refocus/demo"]}})
    assert set(jobs) <= {"make_tables", "draw_figures", "measure_recall"}


def test_one_data_set_less_screens_and_filters_anew_but_decodes_and_scores_nothing(plan):
    jobs = plan({"use": {"datasets": ["nextqa"]}})
    assert set(jobs) == {"find_duplicates", "find_leaks", "filter_pairs"} | TRAINING


def test_one_benchmark_less_screens_anew_but_trains_nothing(plan):
    jobs = plan({"use": {"benchmarks": ["mlvu"]}})
    assert set(jobs) == {"find_leaks", "make_tables", "draw_figures", "measure_recall"}


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
