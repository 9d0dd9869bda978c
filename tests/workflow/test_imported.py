"""What another program picked goes through the rules like any selector: picks, answers, a row in the tables."""

import json

import pyarrow.parquet as pq
import pytest
import yaml

from tests.support.dry_runs import planned, snakemake
from tests.support.tiny_lmm import build_lmm
from tests.support.videos import constant, write_video

pytestmark = pytest.mark.slow

QUESTIONS = 4  # two videos, two questions each


@pytest.fixture
def home(tmp_path):
    """A benchmark of one annotation file, and AKS's lists for it, one file for each number of frames."""
    for name in "ab":
        write_video(tmp_path / "videos" / f"{name}.mp4", constant(6.0))
    rows = [
        {
            "id": f"q{place}",
            "video": f"{'ab'[place // 2]}.mp4",
            "question": f"what {place}?",
            "options": ["red", "blue"],
        }
        for place in range(QUESTIONS)
    ]
    (tmp_path / "asked.jsonl").write_text("".join(json.dumps({**row, "answer": "A"}) + "\n" for row in rows))
    build_lmm(tmp_path / "lmm")
    write_picks(tmp_path, QUESTIONS)
    overlay = {
        "world": None,
        "benchmarks": {"mine": {"format": "jsonl", "annotations": ["asked.jsonl"], "videos": "videos"}},
        "lmms": {"tiny": {"path": "lmm"}},
        "imports": {"aks-blip": {"format": "aks", "files": {"mine": "picks/{frames}.json"}}},
        "use": {
            "datasets": [],
            "benchmarks": ["mine"],
            "selectors": ["uniform", "imported/aks-blip"],
            "runs": [],
            "lmms": ["tiny"],
        },
        "answer": {"n_frames": [2, 3]},
        "tables": {"n_frames": 3},
    }
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(overlay))
    return tmp_path


def write_picks(home, lists):
    (home / "picks").mkdir(exist_ok=True)
    for frames in (2, 3):
        picks = [[7 + place, 40, 90][:frames] for place in range(lists)]
        (home / "picks" / f"{frames}.json").write_text(json.dumps(picks))


def run(repository, home, *words):
    words = ("--directory", str(home), "--configfile", str(home / "mine.yaml"), *words)
    return snakemake(repository, *words, "--", "results/tables/selectors.md", cwd=home)


def test_picks_of_another_program_are_a_row_of_the_tables(repository, home):
    done = run(repository, home)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
    for frames in (2, 3):
        table = f"mine/imported--aks-blip/n{frames}.s0.parquet"
        picked = pq.read_table(home / "results/selections" / table)["frames_indices"].to_pylist()
        assert picked == [[7 + place, 40, 90][:frames] for place in range(QUESTIONS)]
        answers = pq.read_table(home / "results/answers/mine/tiny" / table.removeprefix("mine/"))
        assert answers["frames_indices"].to_pylist() == picked and min(answers["prediction"].to_pylist()) >= 0
    assert "imported/aks-blip" in (home / "results/tables/selectors.md").read_text()
    picks = json.loads((home / "picks" / "3.json").read_text())
    (home / "picks" / "3.json").write_text(json.dumps([[numbers[0], 41, 90] for numbers in picks]))
    jobs = planned(run(repository, home, "-n", "--quiet", "rules").stdout)
    assert jobs["import_selections"] == 1 and "select_frames" not in jobs, "a new file of picks is read, and no other"


def test_a_file_without_some_questions_ends_the_run_with_the_reason(repository, home):
    write_picks(home, QUESTIONS - 1)
    done = run(repository, home)
    assert done.returncode != 0
    logs = "".join(path.read_text() for path in home.glob("results/logs/select/mine.imported--aks-blip.*.log"))
    assert "3 lists for the 4 rows of asked.jsonl" in logs


def test_a_list_of_another_length_is_not_cut(repository, home):
    lists = json.loads((home / "picks" / "2.json").read_text())
    (home / "picks" / "2.json").write_text(json.dumps([[*numbers, 100] for numbers in lists]))
    assert run(repository, home).returncode != 0
    log = home / "results/logs/select/mine.imported--aks-blip.n2.log"
    assert "its lists have 3 frames and are to be answered with 2" in log.read_text()
