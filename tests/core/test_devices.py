"""No two processes on one machine have the same GPU; a GPU is free again when its process has died."""

import os
import signal
import subprocess
import sys

import pytest
from refocus.core import devices
from refocus.core.errors import RefocusError, ResourceMissing
from refocus.frames.index import IndexRow, write_index
from refocus.qa.records import write_questions

from tests.support.asked import asked

HOLD = """
import os, sys
from pathlib import Path
from refocus.core.devices import claim
from refocus.core.errors import ResourceMissing
try:
    claim(sys.argv[2], int(sys.argv[3]), Path(sys.argv[1]))
except ResourceMissing as error:
    print("missing", error, flush=True)
else:
    print(os.environ.get("CUDA_VISIBLE_DEVICES", "all"), flush=True)
sys.stdin.read()
"""


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """Makes this a machine whose driver lists these lines."""
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.delenv("LOCAL_RANK", raising=False)

    def build(*lines):
        script = tmp_path / "bin" / "nvidia-smi"
        script.parent.mkdir(exist_ok=True)
        script.write_text("#!/bin/sh\ncat <<'LIST'\n" + "\n".join(lines) + "\nLIST\n")
        script.chmod(0o755)
        monkeypatch.setenv("PATH", f"{script.parent}{os.pathsep}{os.environ['PATH']}")

    return build


def gpus(number):
    return [f"GPU {n}: NVIDIA H200 (UUID: GPU-{n:08x}-0000)" for n in range(number)]


@pytest.fixture
def start(tmp_path, repository):
    """Starts a process that claims and then waits; returns it and what it got."""
    running = []

    def run(device="cuda", count=1, **environment):
        command = [sys.executable, "-c", HOLD, str(tmp_path / "locks"), device, str(count)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        process = subprocess.Popen(command, cwd=repository, env={**os.environ, **environment}, **pipes)
        running.append(process)
        return process

    yield run
    for process in running:
        process.kill()
        process.communicate()


def got(process):
    return process.stdout.readline().strip()


def test_processes_started_at_once_have_a_gpu_each(machine, start):
    machine(*gpus(4))
    processes = [start() for _ in range(4)]
    assert sorted(map(got, processes)) == [f"GPU-{n:08x}-0000" for n in range(4)]


def test_one_more_than_there_are_is_told_who_has_them(machine, start):
    machine(*gpus(2))
    holders = [start(), start()]
    assert {got(process) for process in holders} == {"GPU-00000000-0000", "GPU-00000001-0000"}
    said = got(start())
    assert said.startswith("missing") and all(str(process.pid) in said for process in holders)


def test_a_killed_process_gives_its_gpu_back(machine, start):
    machine(*gpus(2))
    first, second = start(), start()
    taken = [got(first), got(second)]
    first.send_signal(signal.SIGKILL)
    first.wait()
    assert got(start()) == taken[0]


def test_a_job_of_several_processes_takes_as_many_and_no_half_of_them(machine, start):
    machine(*gpus(3))
    two = start(count=2)
    assert got(two) == "GPU-00000000-0000,GPU-00000001-0000"
    assert got(start(count=2)).startswith("missing")
    assert got(start()) == "GPU-00000002-0000"  # the failed claim left it free


@pytest.mark.parametrize("entry", ["1", "GPU-00000001-0000", "MIG-7"])
def test_a_device_the_scheduler_gave_is_respected(machine, start, entry):
    machine(*gpus(2))
    processes = [start(CUDA_VISIBLE_DEVICES=entry) for _ in range(2)]
    assert [got(process) for process in processes] == [entry, entry]


def test_of_several_given_devices_one_is_taken(machine, start):
    machine(*gpus(4))
    processes = [start(CUDA_VISIBLE_DEVICES="2,GPU-00000003,-1,0") for _ in range(2)]
    assert {got(process) for process in processes} == {"GPU-00000002-0000", "GPU-00000003-0000"}
    assert got(start(CUDA_VISIBLE_DEVICES="2,3")).startswith("missing")
    assert got(start()) == "GPU-00000000-0000"


def test_parts_of_a_split_gpu_are_devices_and_the_whole_is_not(machine, start):
    machine(gpus(1)[0], "  MIG 3g.71gb     Device  0: (UUID: MIG-a)", "  MIG 3g.71gb     Device  1: (UUID: MIG-b)")
    processes = [start(), start()]
    assert {got(process) for process in processes} == {"MIG-a", "MIG-b"}


@pytest.mark.parametrize(
    ("device", "number", "environment"),
    [("cpu", 4, {}), ("auto", 0, {}), ("cuda", 0, {}), ("cuda", 1, {}), ("cuda", 4, {"LOCAL_RANK": "1"})],
    ids=["on a CPU", "auto without a GPU", "cuda without a GPU", "a single GPU", "under torchrun"],
)
def test_nothing_is_taken(machine, start, device, number, environment):
    machine(*gpus(number))
    processes = [start(device, **environment) for _ in range(2)]
    assert [got(process) for process in processes] == ["all", "all"]


def test_hidden_gpus_stay_hidden(machine, start):
    machine(*gpus(4))
    assert got(start("auto", CUDA_VISIBLE_DEVICES="")) == ""


def test_fewer_gpus_than_processes_is_a_missing_resource(machine, tmp_path):
    machine(*gpus(2))
    with pytest.raises(ResourceMissing, match="8 GPUs are asked for, one per process, and 2 visible"):
        devices.claim("cuda", 8, tmp_path)


def test_a_folder_of_somebody_else_is_refused(machine, tmp_path, monkeypatch):
    machine(*gpus(2))
    owner = os.getuid()
    monkeypatch.setattr(os, "getuid", lambda: owner + 1)
    with pytest.raises(RefocusError, match="somebody else"):
        devices.claim("cuda", folder=tmp_path)


def test_a_driver_that_fails_is_no_driver(machine, tmp_path):
    machine(*gpus(2))
    (tmp_path / "bin" / "nvidia-smi").write_text("#!/bin/sh\necho 'GPU 0: x (UUID: GPU-1)'; exit 9\n")
    assert devices.devices() == []


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["reward", "train", "select"])
def test_cuda_without_a_gpu_ends_with_status_75(stage, repository, tmp_path):
    """So that a scheduler can send the job elsewhere; a machine's GPUs are hidden for it.

    A reward job asks for one only where there is something to score.
    """
    question, n = asked("nextqa", "video.mp4"), 16
    times_s = [0.25 * k for k in range(n)]
    row = IndexRow(question.clip_id, "ok", None, n, times_s, list(range(n)), "s.tar", [0] * n, [1] * n)
    write_index(tmp_path / "s.index.parquet", [row], {})
    write_questions(tmp_path / "qa.parquet", [question], "ingest")
    (tmp_path / "video.mp4").touch()
    files = ["--qa", "qa.parquet", "--out", "out.parquet"]
    words = {
        "reward": ["--index", "s.index.parquet", "--model", repository / "assets/lmm", *files],
        "train": ["--pairs", "qa.parquet", "--index", "s.index.parquet", "--reward-model", "lmm", "--out", "out"],
        "select": ["video.mp4", "What is first?"],
    }[stage]
    command = [sys.executable, "-m", "refocus", stage, *map(str, words), "--device", "cuda"]
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "", "PYTHONPATH": str(repository / "pipeline")}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 75, done.stderr
