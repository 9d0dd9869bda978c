"""A folder has one user at a time; the next one waits, or is told who holds it; a killed one holds nothing."""

import os
import signal
import subprocess
import sys

import pytest
from refocus.core import lease as leases
from refocus.core.errors import RefocusError
from refocus.core.lease import lease

HOLD = """
import sys, time
from pathlib import Path
from refocus.core.lease import lease
with lease(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path, monkeypatch):
    """Another process that holds the folder, as SLURM job 17."""
    environment = {**os.environ, "SLURM_JOB_ID": "17"}
    process = subprocess.Popen([sys.executable, "-c", HOLD, tmp_path], stdout=subprocess.PIPE, env=environment)
    assert process.stdout.readline() == b"held\n"
    yield process
    process.kill()
    process.wait()


@pytest.mark.fault("two at once", "train", "the second is told who works there, and how to end that")
def test_the_second_is_refused_with_how_to_end_the_first(holder, tmp_path):
    with pytest.raises(RefocusError, match=rf"in use by process {holder.pid} on .*scancel 17"), lease(tmp_path, 0):
        raise AssertionError("two at once")


@pytest.mark.fault("two at once", "train", "one that is being ended is waited for")
def test_it_waits_for_one_that_is_being_ended(holder, tmp_path, monkeypatch, caplog):
    """As after `scancel`, when the job is submitted again before its processes are gone."""
    monkeypatch.setattr(leases, "POLL_S", 0.05)
    killed = []

    def nap(seconds):
        killed.append(holder.send_signal(signal.SIGKILL))

    monkeypatch.setattr(leases.time, "sleep", nap)
    with lease(tmp_path, 30):
        assert killed and "waiting for process" in caplog.text


def test_it_is_free_again_afterwards(tmp_path):
    for _ in range(2):
        with lease(tmp_path, 0):
            pass
    with pytest.raises(ValueError, match="x"), lease(tmp_path, 0):
        raise ValueError("x")
    with lease(tmp_path, 0):
        pass


def test_a_file_system_without_locks_is_said_and_used(tmp_path, monkeypatch, caplog):
    def refuse(*_):
        raise OSError(leases.errno.ENOLCK, "No locks available")

    monkeypatch.setattr(leases.fcntl, "flock", refuse)
    with lease(tmp_path, 0):
        assert "no locks on this file system" in caplog.text
