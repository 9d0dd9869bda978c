"""A wrong configuration ends before anything runs, and its message names the key."""

import pytest
import yaml

from tests.support.dry_runs import snakemake

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("overlay", "named"),
    [
        ({"filter": {"tua": 0.3}}, "filter.tua"),
        ({"train": {"runtime": {"device": "tpu"}}}, "train.runtime.device"),
        ({"runs": {"demo": {"train": {"entropie": 1.0}}}}, "runs.demo.train"),
        ({"use": {"runs": ["demon"]}}, "use.runs"),
        ({"train": {"frames": 4, "picks": 4}}, "train.frames is the old name of train.picks"),
        ({"policy": {"start": "nowhere/at/all"}}, "runs.demo: policy.start: nowhere/at/all: no such folder"),
    ],
)
def test_snakemake_refuses_and_names_the_key(repository, tmp_path, overlay, named):
    path = tmp_path / "overlay.yaml"
    path.write_text(yaml.safe_dump(overlay))
    done = snakemake(repository, "--directory", str(tmp_path), "-n", "--configfile", str(path))
    assert done.returncode == 2
    said = (done.stdout + done.stderr).splitlines()
    [line] = [line for line in said if line.startswith("refocus: error: ")]
    assert named in line and not any("File" in line and "line" in line for line in said), "no trace behind it"
