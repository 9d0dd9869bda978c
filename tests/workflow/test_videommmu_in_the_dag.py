"""Video-MMMU with and without its lectures, from annotation files to Table 2, by the rules of config/paper.yaml."""

import csv
from pathlib import Path

import pandas as pd
import pytest
from refocus.config.overlay import load
from refocus.core.files import write_json
from refocus.select.last_frame import LAST_FRAME

from tests.support.dry_runs import snakemake
from tests.support.paper_fixtures import LETTERS, write_sources
from tests.support.tiny_lmm import build_lmm

pytestmark = pytest.mark.slow

CPU = {"runtime": {"device": "cpu", "threads": 1}}
FEW = 8  # kept frames of a video of 12 seconds: the grid alone would end 1.5 seconds before the end


@pytest.fixture(scope="module")
def results(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("mmmu")
    layers = [repository / "config.yaml", repository / "config/paper.yaml", home / "this_machine.json"]
    names = ["videommmu", "videommmu_before"]
    change = {
        "use": {"datasets": [], "benchmarks": names, "runs": [], "selectors": ["uniform", "random"]},
        "select": CPU,
        "answer": {**CPU, "n_frames": [1, 4]},
        "tables": {"n_frames": 4, "bootstrap_resamples": 20},
        "decode": {"max_frames": FEW, "size": 32, "runtime": {"workers": 1}},
        "benchmarks": {name: {"shards": 1} for name in names},
    }
    write_json(layers[-1], change)
    root = load(layers)
    write_sources(root, home)
    build_lmm(home / root.lmms["internvl3-8b"].path, letters=LETTERS)
    done = snakemake(repository, "--directory", str(home), "--configfile", *map(str, layers[1:]))
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-6000:]
    return home / root.results


def test_every_pick_holds_the_videos_very_last_frame(results):
    for selector in ("uniform", "random"):
        rows = pd.read_parquet(results / f"selections/videommmu/{selector}/n4.s0.parquet")
        there = rows[rows["frame_indices"].map(len) > 0]
        assert len(there) and (there["frame_indices"].map(lambda frames: frames[-1]) == FEW - 1).all()
        last = there["frames_indices"].map(lambda frames: frames[-1])
        assert (last == there["total_num_frames"] - 1).all()
        assert there["flags"].map(lambda flags: set(flags) <= {LAST_FRAME}).all()


def test_uniform_alone_is_asked_without_the_lecture(results):
    assert [path.name for path in (results / "selections/videommmu_before").iterdir()] == ["uniform"]


def test_table_2_has_the_tracks_and_what_was_learned(results):
    with (results / "tables/table2.csv").open() as handle:
        rows = {row["selector"]: row for row in csv.DictReader(handle)}
    for row in rows.values():
        tracks = [float(row[f"videommmu.{track}"]) for track in ("perception", "comprehension", "adaptation")]
        assert float(row["videommmu.overall"]) == pytest.approx(sum(tracks) / 3, abs=1e-3)
        assert row["videommmu.perception.without_video"] == "1"
    assert rows["uniform"]["videommmu.delta"] != ""
    assert "without video" in (results / "tables/table2.md").read_text()
