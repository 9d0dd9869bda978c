"""What a change of the configuration makes Snakemake plan, on a finished state whose files are stand-ins."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

Plan = dict[str, int]

SELECTION = {"select_frames", "answer_questions", "make_tables", "draw_figures"}
TRAINING = {"train_policy"} | SELECTION


# Stands in for `python -m pipeline STAGE`: makes every output of the workflow that is missing at the time.
STAND_IN = """\
#!/bin/sh
while read -r file; do
    [ -e "$file" ] || { mkdir -p "$(dirname "$file")"; echo made > "$file"; }
done < outputs.txt
"""


def snakemake(root: Path, *words: str, path: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(root / "Snakefile"), "--cores", "2", *words]
    environment = {**os.environ, "PATH": f"{path}{os.pathsep}{os.environ['PATH']}" if path else os.environ["PATH"]}
    return subprocess.run(command, capture_output=True, text=True, env=environment)


@pytest.fixture(scope="module")
def finished(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working directory in which Snakemake has run the default configuration with stand-ins for the stages."""
    home = tmp_path_factory.mktemp("finished")
    for model in ("lmm", "policy"):
        for name in ("config.json", "model.safetensors"):
            write(home / "assets" / model / name, model)
    listed = snakemake(repository, "--directory", str(home), "--summary")
    assert listed.returncode == 0, listed.stderr
    outputs = [line.split("\t")[0] for line in listed.stdout.splitlines() if line.startswith("results/")]
    write(home / "outputs.txt", "\n".join(outputs) + "\n")
    write(home / "bin" / "python", STAND_IN)
    (home / "bin" / "python").chmod(0o755)
    ran = snakemake(repository, "--directory", str(home), "--quiet", "all", path=str(home / "bin"))
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return home


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.fixture
def plan(repository: Path, finished: Path, tmp_path: Path) -> Callable[..., Plan]:
    """Plans a run with an overlay: rule name → number of jobs, without `all`."""

    def run(overlay: dict) -> Plan:
        path = tmp_path / "overlay.yaml"
        path.write_text(yaml.safe_dump(overlay))
        words = ["--directory", str(finished), "-n", "--quiet", "rules", "--configfile", str(path)]
        done = snakemake(repository, *words)
        assert done.returncode == 0, done.stderr
        return planned(done.stdout + done.stderr)

    return run


def planned(text: str) -> Plan:
    """The job counts of a dry run's statistics."""
    jobs: Plan = {}
    if "Job stats:" in text:
        for line in text.split("Job stats:")[1].splitlines()[3:]:
            name, _, count = line.rpartition(" ")
            if not count.isdigit():
                break
            jobs[name.strip()] = int(count)
    return {name: count for name, count in jobs.items() if name not in ("all", "total")}


def test_a_finished_run_plans_nothing(plan):
    assert plan({}) == {}


@pytest.mark.parametrize(
    ("overlay", "expected"),
    [
        ({"decode": {"fps": 2.0}}, {"decode_shard", "score_shard", "filter_pairs"} | TRAINING),
        ({"reward": {"windows": "literal"}}, {"score_shard", "filter_pairs"} | TRAINING),
        ({"screen": {"duplicates": "report"}}, {"filter_pairs"} | TRAINING),
        ({"screen": {"duplicates": "off"}}, {"filter_pairs"} | TRAINING),
        ({"screen": {"leaks": "drop"}}, {"filter_pairs"} | TRAINING),
        ({"screen": {"leaks": "off"}}, set()),
        ({"use": {"datasets": ["llava_video", "nextqa"]}}, {"find_duplicates", "filter_pairs"} | TRAINING),
        ({"filter": {"tau": 0.3}}, {"filter_pairs"} | TRAINING),
        ({"train": {"entropy": 0.5}}, TRAINING),
        ({"train": {"lr_new": 1e-05, "lr_pretrained": 0.001}}, TRAINING),
        ({"policy": {"logit_scale": 2.0}}, TRAINING),
        ({"select": {"temperature": 0.5}}, SELECTION),
        ({"answer": {"frames": "shard"}}, SELECTION - {"select_frames"}),
        ({"tables": {"level": 0.9}}, {"make_tables"}),
        ({"figures": {"dpi": 99}}, {"draw_figures"}),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_changed_setting_plans_its_stage_and_what_follows(plan, overlay, expected):
    jobs = set(plan(overlay))
    assert jobs == expected


@pytest.mark.parametrize(
    "overlay",
    [
        {"train": {"runtime": {"micro_batch": 1, "processes": 1}}},
        {"reward": {"runtime": {"batch_tokens": 99}}, "answer": {"runtime": {"threads": 2}}},
        {"decode": {"runtime": {"workers": 1, "timeout_s": 5.0}}},
        {"datasets": {"nextqa": {"max_failure_rate": 0.5}}},
        {"lmms": {"tiny": {"runtime": {"device": "cuda"}}}},
    ],
    ids=["train", "reward and answer", "decode", "tolerated", "lmm"],
)
def test_how_a_stage_runs_plans_nothing(plan, overlay):
    assert plan(overlay) == {}


def test_fewer_selectors_redo_only_tables_and_figures(plan):
    jobs = plan({"use": {"selectors": ["uniform", "oracle", "refocus/demo"]}})
    assert set(jobs) <= {"make_tables", "draw_figures"}


def test_one_data_set_less_screens_and_filters_anew_but_decodes_and_scores_nothing(plan):
    jobs = plan({"use": {"datasets": ["nextqa"]}})
    assert set(jobs) == {"find_duplicates", "find_leaks", "filter_pairs"} | TRAINING


def test_one_benchmark_less_screens_anew_but_trains_nothing(plan):
    jobs = plan({"use": {"benchmarks": ["mlvu"]}})
    assert set(jobs) == {"find_leaks", "make_tables", "draw_figures"}


def test_screening_switched_on_later_runs_before_the_filter(repository, finished, tmp_path):
    home = tmp_path / "home"
    shutil.copytree(finished, home)
    shutil.rmtree(home / "results" / "screened")
    again = snakemake(repository, "--directory", str(home), "-n", "--quiet", "rules")
    assert set(planned(again.stdout + again.stderr)) == {"find_duplicates", "find_leaks", "filter_pairs"} | TRAINING


def test_another_seed_of_a_run_trains_anew_and_selects_with_it(plan):
    jobs = plan({"runs": {"demo": {"seed": 1}}})
    assert set(jobs) == TRAINING
    assert jobs["select_frames"] == 6  # two benchmarks by refocus, initial and swapped


def test_a_stage_that_failed_is_not_taken_for_done(repository, finished, tmp_path):
    """When a change makes a stage fail, the next run starts there instead of trusting what lies after it."""
    home = tmp_path / "home"
    shutil.copytree(finished, home)
    write(home / "bin" / "python", "#!/bin/sh\nexit 1\n")
    write(tmp_path / "overlay.yaml", yaml.safe_dump({"filter": {"tau": 0.3}}))
    words = ["--directory", str(home), "--quiet", "rules", "--configfile", str(tmp_path / "overlay.yaml")]
    assert snakemake(repository, *words, path=str(home / "bin")).returncode != 0
    again = snakemake(repository, *words, "-n")
    assert set(planned(again.stdout + again.stderr)) == {"filter_pairs"} | TRAINING
