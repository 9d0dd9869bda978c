"""profiles/slurm as it ships hands every job over, also where more are ready than may run at once.

SLURM's commands are stand-ins: `sbatch` makes the file of the job it is given, `sacct` says that all have completed.
Snakemake and its SLURM plugin are real: `make test-slurm`.
"""

import importlib.util
import os
import subprocess
import sys

import pytest

from tests.support.dry_runs import write

PATIENCE_S = 120  # where nothing hangs it takes some seconds
PLUGIN = "snakemake_executor_plugin_slurm"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(importlib.util.find_spec(PLUGIN) is None, reason=f"no {PLUGIN} (make test-slurm)"),
]

SNAKEFILE = """\
rule all:
    input: expand("made/score_shard.{n}", n=range(6)), expand("made/answer_questions.{n}", n=range(3))
rule score_shard:
    output: "made/score_shard.{n}"
    shell: "exit 1"  # nobody runs it
rule select_frames:
    output: "made/select_frames.{n}"
    threads: 8
    resources: mem_mb=16000, runtime=240, gpu=0
    shell: "exit 1"
rule answer_questions:
    input: "made/select_frames.{n}"
    output: "made/answer_questions.{n}"
    threads: 8
    resources: mem_mb=24000, runtime=240, gpu=1
    shell: "exit 1"
"""
SBATCH = """\
#!/bin/sh
mkdir -p made
for job in $(echo "$*" | grep -o '[a-z_]*:n=[0-9]*' | sed 's/:n=/./' | sort -r); do
    echo made > "made/$job"; sleep 0.02
done
id=$(echo "$job" | cksum | cut -d' ' -f1)
echo "$*" | tr '\\n' ' ' >> calls; echo >> calls
echo "$id" >> submitted
echo "$id"
"""
COMMANDS = {
    "sbatch": SBATCH,
    "sacct": '#!/bin/sh\nsed "s/$/|COMPLETED/" submitted\n',
    "scontrol": "#!/bin/sh\necho MaxArraySize = 1001\n",
    **dict.fromkeys(("sacctmgr", "sshare"), "#!/bin/sh\necho lab\n"),
    **dict.fromkeys(("squeue", "scancel"), "#!/bin/sh\n"),
}


@pytest.fixture
def submitted(repository, tmp_path):
    """Runs Snakemake with the shipped profile and further words; the calls of sbatch, when all files are made."""
    write(tmp_path / "Snakefile", SNAKEFILE)
    profile = (repository / "profiles/slurm/profile.yaml").read_text().replace("YOUR_ACCOUNT", "lab")
    write(tmp_path / "site/profile.yaml", profile)
    for name, text in COMMANDS.items():
        write(tmp_path / "bin" / name, text)
        (tmp_path / "bin" / name).chmod(0o755)

    def run(*more: str) -> list[str]:
        words = [sys.executable, "-m", "snakemake", "--workflow-profile", "site", "--latency-wait", "5", *more]
        words += ["--slurm-init-seconds-before-status-checks", "1", "--seconds-between-status-checks", "1"]
        environment = {**os.environ, "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}"}
        try:
            done = subprocess.run(
                words, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=PATIENCE_S
            )
        except subprocess.TimeoutExpired:
            pytest.fail("Snakemake hangs")
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        assert len(list((tmp_path / "made").iterdir())) == 12
        return (tmp_path / "calls").read_text().splitlines()

    return run


def test_all_jobs_are_submitted_where_more_are_ready_than_may_run(submitted):
    """With arrays, the plug-in of version 2.8.0 waits here for jobs that are never handed to it, and hangs."""
    assert len(submitted("--jobs", "2")) == 12


def test_picking_and_answering_can_share_a_job_of_the_cluster(submitted):
    """As docs/cluster.md says: half as many in the queue, each with a GPU and the time of both."""
    calls = submitted("--groups", "select_frames=picked", "answer_questions=picked")
    assert len(calls) == 6 + 3
    shared = [call for call in calls if "answer_questions:n=" in call]
    assert len(shared) == 3 and all("select_frames:n=" in call for call in shared)
    for wanted in ("--gpus=1", "-p gpu", "-t 480", "--mem 24000", "--cpus-per-task=8"):
        assert all(wanted in call for call in shared), shared[0]
