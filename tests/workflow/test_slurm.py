"""profiles/slurm as it ships, on a real SLURM of two nodes with eight GPUs each, which are null devices.

The stages are stand-ins; Snakemake, its SLURM plugin, the rules' shell and SLURM are real. Needs Debian's slurm-wlm and
munge and the plugin: `make test-slurm`.
"""

import importlib.util
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
import yaml

from tests.support.slurm import Slurm, missing, running
from tests.support.tutorial import Tutorial

PLUGIN = "snakemake_executor_plugin_slurm"
pytestmark = [
    pytest.mark.slurm,
    pytest.mark.slow,
    pytest.mark.skipif(bool(missing()), reason=f"SLURM: {missing()}"),
    pytest.mark.skipif(importlib.util.find_spec(PLUGIN) is None, reason=f"no {PLUGIN} (make test-slurm)"),
]

OVERLAY = {
    "use": {"datasets": ["nextqa"], "benchmarks": [], "selectors": [], "lmms": []},
    "datasets": {"nextqa": {"shards": 2}},
    "reward": {"runtime": {"device": "cuda", "threads": 2}},
    "train": {"runtime": {"device": "cuda", "processes": 8, "threads": 12}},
}
TRAINED = "results/train/demo/metrics.jsonl"

# Stands in for the stages. Notes what it was given, makes the outputs that are missing, and, where a file `slow` says
# so, trains in one step of STEP_S seconds: a signal is remembered until the step ends, then the step is saved, and the
# next attempt finds it.
STAGE = """\
#!{python} -IS
import json, os, signal, sys, time
words = sys.argv[1:]
if words[:2] == ["-m", "torch.distributed.run"]:
    here = words.index("-m", 2)
    per_node = next(n for n, word in enumerate(words) if word.startswith("--nproc-per-node"))
    words[per_node] = "--nproc-per-node=2"
    words = [*words[:here], "--no-python", __file__, *words[here:]]
    os.execv({python!r}, [{python!r}, *words])
names = ("CUDA_VISIBLE_DEVICES", "SLURM_JOB_ID", "SLURMD_NODENAME", "RANK", "WORLD_SIZE")
environment = {{name: os.environ.get(name) for name in names}}
stage = next(word for word in words[2:] if word != "--")
def note(**what):
    with open("calls.jsonl", "a") as file:
        file.write(json.dumps({{"stage": stage, "words": words, **environment, **what}}) + "\\n")
note()
if stage == "train" and os.path.exists("slow") and not os.path.exists("checkpoint"):
    came = []
    signal.signal(signal.SIGTERM, lambda *_: came.append(True))
    print("begins", flush=True)
    while not came:
        time.sleep(0.1)
    time.sleep({step_s})
    print("stopped by a signal, saved", flush=True)
    open("checkpoint", "w").close()
    note(saved=True)
    sys.exit(1)
for line in open("outputs.txt"):
    if not os.path.exists(file := line.strip()):
        os.makedirs(os.path.dirname(file), exist_ok=True)
        with open(file, "w") as made:
            made.write("made")
"""
STEP_S = 3.0
WAIT_S = 1800  # on a busy machine every start of Snakemake takes a minute


@pytest.fixture(scope="module")
def slurm():
    home = Path(tempfile.mkdtemp(prefix="slurm"))  # short, for the sockets in it
    with running(home) as found:
        yield found
    shutil.rmtree(home)


def snakemake(repository: Path, home: Path) -> list[str]:
    """Snakemake's command for the small world in a folder of its own."""
    (home / "overlay.yaml").write_text(yaml.safe_dump(OVERLAY))
    words = [sys.executable, "-m", "snakemake", "--snakefile", str(repository / "Snakefile")]
    return [*words, "--directory", str(home), "--configfile", str(home / "overlay.yaml")]


class Driver:
    """Snakemake in a folder of its own, with the shipped profile, in which only the site is filled in."""

    def __init__(self, home: Path, repository: Path, slurm: Slurm, outputs: list[str]) -> None:
        self.home, self.repository, self.slurm = home, repository, slurm
        self.profile(YOUR_ACCOUNT="lab")
        (home / "outputs.txt").write_text("\n".join(outputs) + "\n")
        (home / "bin").mkdir()
        stage = home / "bin" / "python"
        stage.write_text(STAGE.format(python=sys.executable, step_s=STEP_S))
        stage.chmod(0o755)

    def profile(self, **changes: str) -> None:
        """The shipped profile with some of its words replaced."""
        text = (self.repository / "profiles/slurm/profile.yaml").read_text()
        for old, new in changes.items():
            assert text.count(old) >= 1
            text = text.replace(old, new)
        (self.home / "site").mkdir(exist_ok=True)
        (self.home / "site" / "profile.yaml").write_text(text)

    def start(self, *targets: str) -> "subprocess.Popen[str]":
        """Starts Snakemake; jobs find the stand-in as `python`, as from an environment module."""
        words = [*snakemake(self.repository, self.home), "--workflow-profile", str(self.home / "site")]
        words += ["--sdm", "env-modules"]
        words += ["--slurm-status-command", "squeue", "--slurm-init-seconds-before-status-checks", "2"]
        words += ["--seconds-between-status-checks", "2", "--latency-wait", "10", "--", *targets]
        path = f"{self.home}/bin:{self.slurm.environment['PATH']}"
        environment = {**self.slurm.environment, "PATH": path, "HF_HUB_OFFLINE": "1"}
        log = open(self.home / "driver.log", "w")  # noqa: SIM115
        return subprocess.Popen(words, env=environment, stdout=log, stderr=log, text=True, start_new_session=True)

    def run(self, *targets: str) -> None:
        """Starts it and waits until it has ended well."""
        self.ends_well(self.start(*targets))

    def ends_well(self, process: "subprocess.Popen[str]") -> None:
        """Waits until it has ended, and with success."""
        try:
            status = process.wait(WAIT_S)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
        assert status == 0, (self.home / "driver.log").read_text()[-6000:] + self.slurm.logs()

    def calls(self, stage: str) -> list[dict]:
        """What the stand-in noted of a stage."""
        path = self.home / "calls.jsonl"
        lines = path.read_text().splitlines() if path.exists() else []
        return [call for call in map(json.loads, lines) if call["stage"] == stage]

    def training(self) -> str:
        """Waits until the trainer is in its step; its SLURM job."""
        until = time.monotonic() + WAIT_S
        log = self.home / "results/logs/train/demo.log"
        while not (log.exists() and "begins" in log.read_text()):
            assert time.monotonic() < until, (self.home / "driver.log").read_text()[-6000:] + self.slurm.logs()
            time.sleep(0.2)
        return self.calls("train")[-1]["SLURM_JOB_ID"]


@pytest.fixture(scope="module")
def outputs(repository, tmp_path_factory):
    """The files that all jobs make."""
    home = tmp_path_factory.mktemp("outputs")
    listed = subprocess.run([*snakemake(repository, home), "--cores", "1", "--summary"], capture_output=True, text=True)
    assert listed.returncode == 0, listed.stderr
    return [line.split("\t")[0] for line in listed.stdout.splitlines() if line.startswith("results/")]


@pytest.fixture
def driver(repository, slurm, outputs, tmp_path):
    return Driver(tmp_path, repository, slurm, outputs)


@pytest.fixture
def before_training(driver):
    """Everything that training needs is there, and the trainer will take its time."""
    for line in (driver.home / "outputs.txt").read_text().split():
        if "/train/" not in line and "/figures/" not in line:
            path = driver.home / line
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("made")
            os.utime(path, (1, 1))  # none is newer than another
    (driver.home / "slow").touch()
    return driver


def runtime_of(call: dict) -> dict:
    return json.loads(call["words"][call["words"].index("--runtime") + 1])


def test_a_small_world_completes_and_every_job_gets_the_gpus_it_asks_for(driver):
    driver.run()
    assert all((driver.home / line).exists() for line in (driver.home / "outputs.txt").read_text().split())
    scored = driver.calls("reward")
    assert len(scored) == 2 and all(len(call["CUDA_VISIBLE_DEVICES"].split(",")) == 1 for call in scored)
    [trained] = driver.calls("train")
    assert trained["CUDA_VISIBLE_DEVICES"] == "0,1,2,3,4,5,6,7"
    each = max(1, min(12, os.cpu_count() // 8))  # the nodes claim more cores than this machine has
    assert (runtime_of(trained)["processes"], runtime_of(trained)["threads"]) == (8, each)
    assert all(call["CUDA_VISIBLE_DEVICES"] in (None, "") for call in driver.calls("filter"))
    job = driver.slurm.job(trained["SLURM_JOB_ID"])
    assert (job["Partition"], job["Account"], job["NumNodes"], job["CPUs/Task"]) == ("gpu", "lab", "1", "96")
    assert driver.slurm.job(scored[0]["SLURM_JOB_ID"])["Partition"] == "gpu"
    assert driver.slurm.job(driver.calls("filter")[0]["SLURM_JOB_ID"])["Partition"] == "cpu"


def test_two_nodes_train_as_one(before_training):
    driver = before_training
    (driver.home / "slow").unlink()
    two = "nodes: 2\n    tasks: 2\n    tasks_per_gpu: 0\n    mpi: srun\n    gpu: 0\n    gres: gpu:8"
    driver.profile(YOUR_ACCOUNT="lab", **{"nodes: 1": two})
    driver.run(TRAINED)
    ranks = driver.calls("train")
    assert sorted(call["RANK"] for call in ranks) == ["0", "1", "2", "3"]
    assert {(call["SLURMD_NODENAME"], call["WORLD_SIZE"], call["CUDA_VISIBLE_DEVICES"]) for call in ranks} == {
        (node, "4", "0,1,2,3,4,5,6,7") for node in ("n1", "n2")
    }


def cancelled(slurm: Slurm, job: str) -> None:
    slurm.command("scancel", job)


def requeued(slurm: Slurm, job: str) -> None:
    slurm.command("scontrol", "requeue", job)


def preempted(slurm: Slurm, job: str) -> None:
    """Jobs that come first take all GPUs of both nodes for a few seconds."""
    words = ["--partition", "urgent", "--nodes", "2", "--exclusive", "--output", "/dev/null", "--wrap", "sleep 3"]
    slurm.command("sbatch", *words)


@pytest.mark.parametrize("end", [cancelled, requeued, preempted])
@pytest.mark.fault("told to end", "train", "`scancel`, requeue, preemption in a long step: saved, and gone on with")
def test_a_trainer_that_is_ended_in_a_long_step_saves_it_and_is_continued(before_training, end):
    driver = before_training
    process = driver.start(TRAINED)
    end(driver.slurm, driver.training())
    driver.ends_well(process)
    calls = driver.calls("train")
    assert [call.get("saved", False) for call in calls] == [False, True, False]
    assert (driver.home / TRAINED).exists()


@pytest.mark.fault("told to end", "train", "time limit: told two minutes before, saved")
def test_two_minutes_before_its_time_is_up_a_trainer_is_told(before_training):
    driver = before_training
    driver.profile(YOUR_ACCOUNT="lab", **{"nodes: 1": "nodes: 1\n    runtime: 3"})
    driver.run(TRAINED)
    assert [call.get("saved", False) for call in driver.calls("train")] == [False, True, False]


def test_a_site_that_was_not_filled_in_submits_nothing(driver):
    driver.profile()
    process = driver.start()
    assert process.wait(WAIT_S) == 2
    assert "the account is still YOUR_ACCOUNT" in (driver.home / "driver.log").read_text()
    assert not driver.calls("world")


def test_the_page_leads_to_a_finished_run(repository, slurm, outputs, tmp_path):
    """docs/cluster.md from a login node on; what is added are a small world and shorter waits."""
    home = tmp_path / "home"
    home.mkdir()
    (tmp_path / "small.yaml").write_text(yaml.safe_dump(OVERLAY))
    (tmp_path / "outputs.txt").write_text("\n".join(outputs) + "\n")
    run, waits = "\nrefocus run --workflow-profile slurm", "--seconds-between-status-checks 2 --latency-wait 10"
    waits += " --slurm-init-seconds-before-status-checks 2"
    instead = {
        "\ncd mine\n": "\ncd mine\ncp ../../small.yaml config.yaml\ncp ../../outputs.txt .\n",
        f"{run}\n": f"{run} --sdm env-modules {waits}\n",
    }
    page = (repository / "docs" / "cluster.md").read_text(encoding="utf-8").split("\n## 6. Your own data\n")[0]
    stage = STAGE.format(python=sys.executable, step_s=STEP_S)
    skip = ["python3 -m venv", "pip install", "refocus summary"]
    done = Tutorial(page, home, skip, instead, {**slurm.environment, "HF_HUB_OFFLINE": "1"}, stage).follow()
    assert "gpu:8" in done.said[2]
    assert all((home / "mine" / line).exists() for line in outputs)
    calls = [json.loads(line) for line in (home / "mine" / "calls.jsonl").read_text().splitlines()]
    [trained] = [call for call in calls if call["stage"] == "train"]
    assert slurm.job(trained["SLURM_JOB_ID"])["Account"] == "lab"


def test_the_page_and_the_environment_name_one_plugin(repository):
    """As `make test-slurm` installs it."""
    version = re.search(r"plugin-slurm=([\d.]+)", (repository / "environment.yml").read_text())[1]
    assert f"plugin-slurm=={version}" in (repository / "docs" / "cluster.md").read_text(encoding="utf-8")
