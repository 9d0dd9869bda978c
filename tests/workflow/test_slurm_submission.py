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

PLUGIN = "snakemake_executor_plugin_slurm"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(importlib.util.find_spec(PLUGIN) is None, reason=f"no {PLUGIN} (make test-slurm)"),
]

SNAKEFILE = """\
rule all:
    input: expand("made/{n}.txt", n=range(6))
rule score_shard:
    output: "made/{n}.txt"
    shell: "exit 1"  # nobody runs it
"""
SBATCH = """\
#!/bin/sh
n=$(echo "$*" | grep -o ':n=[0-9]*' | head -1 | tr -d ':n=')
mkdir -p made
echo made > "made/$n.txt"
echo "10$n" >> submitted
echo "10$n"
"""
COMMANDS = {
    "sbatch": SBATCH,
    "sacct": '#!/bin/sh\nsed "s/$/|COMPLETED/" submitted\n',
    "scontrol": "#!/bin/sh\necho MaxArraySize = 1001\n",
    **dict.fromkeys(("sacctmgr", "sshare"), "#!/bin/sh\necho lab\n"),
    **dict.fromkeys(("squeue", "scancel"), "#!/bin/sh\n"),
}


def test_all_jobs_are_submitted_where_more_are_ready_than_may_run(repository, tmp_path):
    """With arrays, the plugin of version 2.8.0 waits here for jobs that are never handed to it, and hangs."""
    write(tmp_path / "Snakefile", SNAKEFILE)
    profile = (repository / "profiles/slurm/profile.yaml").read_text().replace("YOUR_ACCOUNT", "lab")
    write(tmp_path / "site/profile.yaml", profile)
    for name, text in COMMANDS.items():
        write(tmp_path / "bin" / name, text)
        (tmp_path / "bin" / name).chmod(0o755)
    words = [sys.executable, "-m", "snakemake", "--workflow-profile", "site", "--jobs", "2", "--latency-wait", "5"]
    words += ["--slurm-init-seconds-before-status-checks", "1", "--seconds-between-status-checks", "1"]
    environment = {**os.environ, "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}"}
    try:
        done = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=25)
    except subprocess.TimeoutExpired:
        pytest.fail("Snakemake hangs")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert len(list((tmp_path / "made").iterdir())) == 6
    assert len((tmp_path / "submitted").read_text().split()) == 6
